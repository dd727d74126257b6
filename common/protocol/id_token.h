#pragma once
/* ID tokens (OpenID Connect Core §2, §3.1.3.6). Pure. */
#include "data/jose.h"
#include "data/records.h"
#include "protocol/claims.h"

struct id_token_input {
    const char *issuer;
    const Rec__Grant *grant;
    const Rec__Client *client;      /* may be NULL: auth_time is there whether or not it is required */
    const Rec__User *user;          /* for claims asked for in the ID token; may be NULL */
    const struct scope_catalogue *catalogue;
    const char *access_token;       /* for at_hash; NULL none */
    const char *nonce;              /* only for the redemption of a code (§12.2: not needed in a refresh); NULL none */
    enum jose_alg alg;
    int64_t now, lifetime;
};
/* iss sub aud exp iat auth_time nonce acr amr sid at_hash, and requested claims. No azp: aud is the client
 * alone (§2: not to be used then). Owned by ctx. */
json_t *id_token_claims(const void *ctx, const struct id_token_input *input);
/* base64url of the left half of the hash of the ASCII token; owned by ctx. */
char *id_token_at_hash(const void *ctx, const char *access_token, enum jose_alg alg);
