#include "token.h"

#include <string.h>

#include "client_credentials.h"
#include "code.h"
#include "device_code.h"
#include "issue.h"
#include "protocol/device.h"
#include "protocol/pkce.h"
#include "protocol/resource.h"
#include "refresh.h"
#include "runtime/client_request.h"
#include "runtime/reply.h"

struct token_settings token_settings;
struct token_process token_process;

static const struct param PARAMS[] = {
    PARAM(struct token_params, grant_type, PARAM_REQUIRED, 128, param_is_vschar),
    PARAM(struct token_params, code, PARAM_OPTIONAL, 256, param_is_vschar),
    PARAM(struct token_params, redirect_uri, PARAM_OPTIONAL, 2048, NULL),
    PARAM(struct token_params, code_verifier, PARAM_OPTIONAL, 128, pkce_verifier_is_valid),
    PARAM(struct token_params, refresh_token, PARAM_OPTIONAL, 4096, param_is_vschar),
    PARAM(struct token_params, scope, PARAM_OPTIONAL, 2048, NULL),
    PARAM(struct token_params, device_code, PARAM_OPTIONAL, 256, param_is_vschar),
    RESOURCE_PARAM(struct token_params),
};

struct token_grant {
    const char *grant_type;
    void (*handle)(struct token_request *token);
};

static const struct token_grant GRANTS[] = {
    {"authorization_code", code_grant},
    {"refresh_token", refresh_grant},
    {"client_credentials", client_credentials_grant},
    {DEVICE_GRANT_TYPE, device_code_grant},
};

/* --- parse --- */

static const struct token_grant *find_grant(const char *grant_type)
{
    for (size_t i = 0; i < sizeof GRANTS / sizeof *GRANTS; i++)
        if (strcmp(GRANTS[i].grant_type, grant_type) == 0)
            return &GRANTS[i];
    return NULL;
}

static enum op_err token_parse(struct token_request *token, struct oauth_error *ret_error)
{
    enum op_err err = client_request_read(token->http, PARAMS, sizeof PARAMS / sizeof *PARAMS, &token->params,
                                          sizeof token->params, &token->auth, ret_error);
    if (err != OP_OK)
        return err;
    token->grant = find_grant(token->params.grant_type);
    if (token->grant != NULL)
        return OP_OK;
    *ret_error = (struct oauth_error){OAUTH_UNSUPPORTED_GRANT_TYPE, "this grant_type is not offered here"};
    return OP_INVALID;
}

enum op_err token_scopes(const struct token_request *token, struct scope_list *ret, struct oauth_error *ret_error)
{
    const char *text = token->params.scope;
    if (text != NULL && !param_is_scope(text)) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_SCOPE, "scope must be scope names separated by single spaces"};
        return OP_INVALID;
    }
    *ret = scope_parse(token->http, text);
    return OP_OK;
}

/* --- the client --- */

static bool may_use(const Rec__Client *client, const char *grant_type)
{
    return records_contain(client->grant_types, client->n_grant_types, grant_type);
}

static void authenticated(Rec__Client *client, void *arg)
{
    struct token_request *token = arg;
    token->client = client;
    if (!may_use(client, token->params.grant_type))
        token_refuse(token, &(struct oauth_error){OAUTH_UNAUTHORIZED_CLIENT,
                                                  "the client is not registered for this grant_type"});
    else if (!issue_ready(client))
        token_refuse(token, &(struct oauth_error){OAUTH_TEMPORARILY_UNAVAILABLE, "no key to sign with yet"});
    else
        token->grant->handle(token);
}

/* --- render --- */

void token_refuse(struct token_request *token, const struct oauth_error *error)
{
    reply_oauth_error(token->http, error, true); /* a 401 always says which scheme it means (RFC 9110 §11.6.1) */
}

void token_unavailable(struct token_request *token, enum op_err err)
{
    reply_store_error(token->http, err);
}

void token_handle(struct http_request *req)
{
    struct token_request *token = mem_new(req, struct token_request);
    token->http = req;
    struct oauth_error error;
    if (token_parse(token, &error) != OP_OK)
        token_refuse(token, &error);
    else
        client_request_authenticate(req, &token->auth, authenticated, token);
}
