#pragma once
/* The token endpoint (RFC 6749 §3.2): reads the request, authenticates the client and hands over to
 * the grant. A grant replies exactly once, perhaps after a commit. */
#include "protocol/client_auth.h"
#include "protocol/params.h"
#include "protocol/refresh_token.h"
#include "protocol/scope.h"
#include "runtime/http.h"
#include "store/keyring.h"

/* op-token's own settings, filled from the configuration before start. */
struct token_settings {
    int64_t tombstone_lifetime; /* seconds in which a replayed code still kills its family */
};
extern struct token_settings token_settings;

/* What start makes, read-only afterwards. */
struct token_process {
    struct keyring *keyring;
    const uint8_t *refresh_key; /* K of the refresh tokens, DIGEST_KEY_LEN bytes */
    struct scope_catalogue catalogue;
    enum jose_alg access_token_alg;
};
extern struct token_process token_process;

struct token_params {
    const char *grant_type, *code, *redirect_uri, *code_verifier, *refresh_token, *scope, *device_code;
    struct param_list resource;
};

/* One request; it and all it points to are owned by http. */
struct token_request {
    struct http_request *http;
    struct token_params params;
    struct client_auth auth;
    const struct token_grant *grant;
    Rec__Client *client; /* authenticated, not disabled, registered for this grant type */
    struct scope_list audiences; /* of the access token, where the request names resources: set by the grant */
};

void token_handle(struct http_request *req);

/* The scope parameter as a list, empty when there is none. OP_INVALID with invalid_scope: malformed. */
must_check enum op_err token_scopes(const struct token_request *token, struct scope_list *ret,
                                    struct oauth_error *ret_error);

/* Replies with an error of RFC 6749 §5.2 and frees the request. */
void token_refuse(struct token_request *token, const struct oauth_error *error);
/* Replies that the store could not be asked, with 503 (500 when it is broken), and frees the request. */
void token_unavailable(struct token_request *token, enum op_err err);
