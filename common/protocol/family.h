#pragma once
/* Is what a sign-in produced still alive? One pure rule for redemption, refresh, introspection and userinfo. */
#include "data/records.h"

enum family_verdict {
    FAMILY_ALIVE = 0,
    FAMILY_DEAD,              /* marked dead: revoked or replayed */
    FAMILY_EXPIRED,           /* its idle or absolute lifetime is over: family_ends */
    FAMILY_SESSION_ENDED,     /* no offline_access, and its session is gone */
    FAMILY_CONSENT_WITHDRAWN,
    FAMILY_USER_GONE,         /* absent, disabled, or since later than the grant */
    FAMILY_CLIENT_GONE,       /* the same for the client */
};

/* What is known about the pieces: NULL means absent. family may be NULL (none was stored: an access
 * token without a refresh token; then grant says what was granted and offline what the token says).
 * A grant is dead when granted_at < since of the user, client or consent. A consent is not needed when
 * the grant or the client is first_party, but one whose `since` is later than the grant ends it still.
 * A grant without user_id (client_credentials) leans on its client alone. */
struct family_facts {
    const Rec__Family *family;
    const Rec__Grant *grant;      /* required; family->grant or what the token says */
    bool offline;
    const Rec__Session *session;
    const Rec__Consent *consent;
    const Rec__User *user;
    const Rec__Client *client;
    int64_t now;
    bool revoked;                 /* the access token itself was revoked, by its jti */
};
/* True when a person is signed in by this session: it is there, not over (now < both ends), its user is
 * there and not disabled, and it was created or last authenticated at or after the user's `since`. A
 * session that is renewed when `since` moves gets a new created_at. */
bool session_alive(const Rec__Session *session, const Rec__User *user, int64_t now);

/* --- how long --- */

/* What refresh tokens live for, in seconds: unused, and at all. */
struct family_lifetimes {
    int64_t idle, whole;
};
/* What those of this client live for when they are granted: of the house's and the client's own the stricter. */
struct family_lifetimes family_lifetimes(const struct family_lifetimes *house, const Rec__Client *client);
/* How long the family lives unused after a use now: of the house's, the family's own (its client's when it was granted)
 * and its client's of today the strictest. client may be NULL. */
int64_t family_idle_lifetime(int64_t house, const Rec__Family *family, const Rec__Client *client);

/* When it ends: unused, and at the latest. */
struct family_ends {
    int64_t idle, whole;
};
/* What stands in the record, or what its own idle lifetime or its client's lifetimes of today make of its last use and
 * its birth, whichever comes first: what the operator shortens holds at once, what he lengthens for later families only.
 * client may be NULL. The last use is known to a tenth of the idle lifetime that held then. */
struct family_ends family_ends(const Rec__Family *family, const Rec__Client *client);
/* The earlier of the two. */
int64_t family_end(const Rec__Family *family, const Rec__Client *client);

enum family_verdict family_alive(const struct family_facts *facts);
const char *family_verdict_name(enum family_verdict verdict);
