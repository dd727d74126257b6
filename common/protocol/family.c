#include "protocol/family.h"

#include <stddef.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool session_alive(const Rec__Session *session, const Rec__User *user, int64_t now)
{
    if (session == NULL || user == NULL || user->disabled || !same(session->user_id, user->user_id))
        return false;
    int64_t proved_at = session->auth_time > session->created_at ? session->auth_time : session->created_at;
    return now < session->idle_expires_at && now < session->expires_at && proved_at >= user->since;
}

/* --- how long --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t stricter_idle(int64_t idle, const Rec__Client *client)
{
    bool own = client != NULL && client->has_refresh_token_idle_lifetime;
    return own ? earlier(idle, client->refresh_token_idle_lifetime) : idle;
}

static int64_t stricter_whole(int64_t whole, const Rec__Client *client)
{
    bool own = client != NULL && client->has_refresh_token_lifetime;
    return own ? earlier(whole, client->refresh_token_lifetime) : whole;
}

struct family_lifetimes family_lifetimes(const struct family_lifetimes *house, const Rec__Client *client)
{
    return (struct family_lifetimes){stricter_idle(house->idle, client), stricter_whole(house->whole, client)};
}

int64_t family_idle_lifetime(int64_t house, const Rec__Family *family, const Rec__Client *client)
{
    int64_t idle = stricter_idle(house, client);
    return family->has_idle_lifetime ? earlier(idle, family->idle_lifetime) : idle;
}

struct family_ends family_ends(const Rec__Family *family, const Rec__Client *client)
{
    int64_t idle = family->idle_expires_at - family->last_used, whole = family->expires_at - family->created_at;
    return (struct family_ends){family->last_used + family_idle_lifetime(idle, family, client),
                                family->created_at + stricter_whole(whole, client)};
}

int64_t family_end(const Rec__Family *family, const Rec__Client *client)
{
    struct family_ends ends = family_ends(family, client);
    return earlier(ends.idle, ends.whole);
}

/* --- alive or not --- */

static bool client_stands(const struct family_facts *facts)
{
    const Rec__Client *client = facts->client;
    return client != NULL && !client->disabled && same(client->client_id, facts->grant->client_id) &&
           facts->grant->granted_at >= client->since;
}

static bool user_stands(const struct family_facts *facts)
{
    const Rec__User *user = facts->user;
    return user != NULL && !user->disabled && same(user->user_id, facts->grant->user_id) &&
           facts->grant->granted_at >= user->since;
}

static bool consent_stands(const struct family_facts *facts)
{
    const Rec__Consent *consent = facts->consent;
    if (consent == NULL)
        return facts->grant->first_party || (facts->client != NULL && facts->client->first_party);
    if (consent->withdrawn && !facts->grant->first_party)
        return false;
    return facts->grant->granted_at >= consent->since;
}

static bool session_stands(const struct family_facts *facts)
{
    const Rec__Session *session = facts->session;
    if (facts->offline || (facts->family != NULL && facts->family->offline))
        return true;
    return session != NULL && same(session->sid, facts->grant->sid) && session_alive(session, facts->user, facts->now);
}

enum family_verdict family_alive(const struct family_facts *facts)
{
    const Rec__Family *family = facts->family;
    if (facts->revoked || (family != NULL && family->dead))
        return FAMILY_DEAD;
    if (family != NULL && facts->now >= family_end(family, facts->client))
        return FAMILY_EXPIRED;
    if (!client_stands(facts))
        return FAMILY_CLIENT_GONE;
    if (facts->grant->user_id == NULL) /* client_credentials: there is nobody else to ask */
        return FAMILY_ALIVE;
    if (!user_stands(facts))
        return FAMILY_USER_GONE;
    if (!consent_stands(facts))
        return FAMILY_CONSENT_WITHDRAWN;
    return session_stands(facts) ? FAMILY_ALIVE : FAMILY_SESSION_ENDED;
}

const char *family_verdict_name(enum family_verdict verdict)
{
    switch (verdict) {
    case FAMILY_ALIVE: return "alive";
    case FAMILY_DEAD: return "dead";
    case FAMILY_EXPIRED: return "expired";
    case FAMILY_SESSION_ENDED: return "session_ended";
    case FAMILY_CONSENT_WITHDRAWN: return "consent_withdrawn";
    case FAMILY_USER_GONE: return "user_gone";
    case FAMILY_CLIENT_GONE: return "client_gone";
    }
    return "unknown";
}
