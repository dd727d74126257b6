#pragma once
/* The userinfo endpoint (OpenID Connect Core §5.3, RFC 6750). */
#include "protocol/access_token.h"
#include "protocol/family.h"
#include "protocol/scope.h"
#include "runtime/http.h"
#include "store/keyring.h"

/* What start makes, read-only afterwards. */
struct userinfo_process {
    struct keyring *keyring;
    struct scope_catalogue catalogue;
};
extern struct userinfo_process userinfo_process;

/* Where a request may carry its token. */
struct userinfo_request {
    const char *authorization;    /* the header, NULL absent */
    size_t authorization_count;
    const char *form_token;       /* access_token of a form body, NULL absent */
    size_t form_token_count;
};
/* Pure. RFC 6750 §2: the header or the form, never both; the query is not looked at (§2.3). The result
 * is owned by ctx or points into the request. OP_ABSENT: no token, another scheme: answered without an
 * error code (§3.1). OP_INVALID with invalid_request. */
must_check enum op_err userinfo_token(const struct userinfo_request *request, const char **ret,
                                      struct oauth_error *ret_error);

/* Pure. Judges a token that verified: it must be meant for us (its aud has the issuer, which op-token adds
 * to every token with openid), still alive, and have the scope openid.
 * OP_DENIED with invalid_token or insufficient_scope. */
must_check enum op_err userinfo_decide(const struct access_token *token, const char *issuer, enum family_verdict alive,
                                       struct oauth_error *ret_error);

/* Pure. sub and the claims that the token's scopes and claims request release. Owned by ctx. */
json_t *userinfo_claims(const void *ctx, const struct access_token *token, const Rec__User *user,
                        const struct scope_catalogue *catalogue);

void userinfo_handle(struct http_request *req);
