#pragma once
/* grant_type=refresh_token (RFC 6749 §6, RFC 9700 §4.14, OpenID Connect Core §12; ARCHITECTURE.md,
 * "Refresh tokens"). */
#include "protocol/family.h"
#include "token.h"

struct refresh_facts {
    const uint8_t *k;            /* DIGEST_KEY_LEN bytes */
    const struct refresh_token *presented;
    const Rec__Family *family;   /* NULL: none, which for a refresh token means dead */
    enum family_verdict alive;
    const Rec__Client *client;   /* authenticated */
    struct scope_list asked;     /* empty: all that was granted */
    struct refresh_windows windows;
    int64_t idle_lifetime;       /* family_idle_lifetime */
    int64_t now;
};

enum refresh_action {
    REFRESH_REFUSE, /* with error; nothing is written */
    REFRESH_KILL,   /* with error; the family dies */
    REFRESH_ANSWER,
};
struct refresh_plan {
    enum refresh_action action;
    struct oauth_error error;
    /* for REFRESH_ANSWER: */
    bool rotate;                 /* the presented token gets a successor now */
    bool touch;                  /* time to write down the use (at most every tenth of the idle lifetime) */
    struct refresh_token next;   /* the successor of the presented token, always the same */
    struct refresh_token answer; /* what the client gets: next, or the presented one where nothing rotates */
    struct scope_list scopes;    /* of the new access token; not owned by the plan */
};
/* Pure. */
struct refresh_plan refresh_decide(const struct refresh_facts *facts);

/* Judges and rotates in one commit on tokens. Replies. A client that does not rotate is answered with
 * the token it has (RFC 6749 §6 leaves that open; some clients forget a token that is not repeated). */
void refresh_grant(struct token_request *token);
