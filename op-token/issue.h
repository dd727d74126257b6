#pragma once
/* The render step that all grants share: access token, ID token, refresh token, JSON (RFC 6749 §5.1,
 * OpenID Connect Core §3.1.3.3, §12.2). */
#include "token.h"

/* What a grant decided to hand out. Everything belongs to the request. */
struct issue {
    const Rec__Grant *grant;
    struct scope_list scopes;  /* of this access token: the grant's or fewer */
    struct bytes family_id;    /* empty for client_credentials */
    bool offline;
    const Rec__User *user;     /* NULL: nobody, and no ID token */
    const char *nonce;         /* for the ID token, NULL none */
    const char *refresh_token; /* NULL none */
    int64_t now;
};

/* True when the keys that a token for this client needs can sign: asked before anything is spent. */
bool issue_ready(const Rec__Client *client);

/* Whom the access token is for: the audiences that the request names, else the grant's (RFC 9068 §3), and the issuer,
 * whose userinfo endpoint asks for it, when openid is among the scopes. Owned by ctx. */
Rec__Grant *issue_grant(const void *ctx, const Rec__Grant *grant, const struct scope_list *audiences,
                        const struct scope_list *scopes, const char *issuer);

/* Signs and replies, and frees the request. Signing takes up to a millisecond of CPU. */
void issue_reply(struct token_request *token, const struct issue *issue);
