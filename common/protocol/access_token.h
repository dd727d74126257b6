#pragma once
/* Access tokens: at+jwt (RFC 9068), naming their family. Pure. */
#include "data/json.h"
#include "data/records.h"
#include "protocol/oauth_error.h"

#define ACCESS_TOKEN_TYP "at+jwt"

struct access_token_input {
    const char *issuer;
    const Rec__Grant *grant;   /* user_id absent for client_credentials: sub is then the client_id */
    struct bytes family_id;    /* empty for client_credentials */
    const char *jti;
    int64_t now, lifetime;     /* seconds */
    char *const *scopes;       /* those of this token (a refresh may narrow) */
    size_t scope_count;
    bool offline;
};
/* The claims: iss sub aud client_id iat exp jti scope auth_time acr amr sid, and fam (family_id,
 * base64url), offline, granted_at, claims_request, first_party, which only we read. aud falls back to
 * the issuer when the grant has no audiences. Owned by ctx. */
json_t *access_token_claims(const void *ctx, const struct access_token_input *input);

struct access_token {
    Rec__Grant *grant;
    struct bytes family_id; /* empty when it names none */
    const char *jti;
    const char *sub;
    int64_t iat, exp;
    bool offline;
};
/* Reads verified claims back. OP_INVALID with invalid_token: expired (now >= exp), another issuer, a
 * member missing or of another type. The grant has no user_id when sub is the client (client_credentials).
 * Whether aud names the reader is the reader's to judge. Results are of ctx. */
must_check enum op_err access_token_read(const void *ctx, const json_t *claims, const char *issuer, int64_t now,
                                         struct access_token *ret, struct oauth_error *ret_error);
