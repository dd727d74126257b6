#include "token.h"

#include <string.h>

#include "base/log.h"
#include "client_credentials.h"
#include "code.h"
#include "issue.h"
#include "protocol/params.h"
#include "protocol/pkce.h"
#include "refresh.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "store/clients.h"
#include "store/guard.h"

enum { PAIRS_MAX = 32, CLIENT_ID_MAX = 255 };

struct token_settings token_settings;
struct token_process token_process;

static const struct param PARAMS[] = {
    PARAM(struct token_params, grant_type, PARAM_REQUIRED, 128, param_is_vschar),
    PARAM(struct token_params, code, PARAM_OPTIONAL, 256, param_is_vschar),
    PARAM(struct token_params, redirect_uri, PARAM_OPTIONAL, 2048, NULL),
    PARAM(struct token_params, code_verifier, PARAM_OPTIONAL, 128, pkce_verifier_is_valid),
    PARAM(struct token_params, refresh_token, PARAM_OPTIONAL, 4096, param_is_vschar),
    PARAM(struct token_params, scope, PARAM_OPTIONAL, 2048, NULL),
    PARAM(struct token_params, client_id, PARAM_OPTIONAL, CLIENT_ID_MAX, param_is_vschar),
    PARAM(struct token_params, client_secret, PARAM_OPTIONAL, 512, param_is_vschar),
};

struct token_grant {
    const char *grant_type;
    void (*handle)(struct token_request *token);
};

static const struct token_grant GRANTS[] = {
    {"authorization_code", code_grant},
    {"refresh_token", refresh_grant},
    {"client_credentials", client_credentials_grant},
};

/* --- parse --- */

static enum op_err read_body(const struct http_request *req, struct form *ret, struct oauth_error *ret_error)
{
    const char *problem = NULL;
    if (req->has_query)
        problem = "parameters belong in the body, not in the URL"; /* RFC 6749 §2.3.1 */
    else if (!http_content_type_is(req, "application/x-www-form-urlencoded"))
        problem = "the body must be application/x-www-form-urlencoded";
    else if (http_field_count(req, "authorization") > 1)
        problem = "more than one Authorization header";
    else if (form_parse(req, req->body, PAIRS_MAX, ret) != OP_OK)
        problem = "the body is not well-formed application/x-www-form-urlencoded";
    if (problem == NULL)
        return OP_OK;
    *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, problem};
    return OP_INVALID;
}

static const struct token_grant *find_grant(const char *grant_type)
{
    for (size_t i = 0; i < sizeof GRANTS / sizeof *GRANTS; i++)
        if (strcmp(GRANTS[i].grant_type, grant_type) == 0)
            return &GRANTS[i];
    return NULL;
}

static enum op_err token_parse(struct token_request *token, struct oauth_error *ret_error)
{
    struct http_request *req = token->http;
    struct form form;
    enum op_err err = read_body(req, &form, ret_error);
    if (err == OP_OK)
        err = params_read(req, PARAMS, sizeof PARAMS / sizeof *PARAMS, &form, &token->params, sizeof token->params,
                          ret_error);
    if (err == OP_OK)
        err = client_auth_parse(req, http_field(req, "authorization"), token->params.client_id,
                                token->params.client_secret, &token->auth, ret_error);
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

struct authentication {
    struct token_request *token;
    struct guard_limit limit;
    const char *subject; /* whom failures are counted for: a guesser locks out nobody at another address */
    unsigned wait;
    struct oauth_error error;
};

static enum op_err load_client(struct kv_txn *txn, void *arg)
{
    struct authentication *job = arg;
    struct token_request *token = job->token;
    token->client = NULL;
    enum op_err err = guard_wait(txn, &job->limit, job->subject, &job->wait);
    if (err == OP_OK && strlen(token->auth.client_id) <= CLIENT_ID_MAX)
        err = clients_get(txn, token->http, token->auth.client_id, &token->client);
    return err == OP_ABSENT ? OP_OK : err;
}

static enum op_err count_failure(struct kv_txn *txn, void *arg)
{
    const struct authentication *job = arg;
    return guard_count(txn, &job->limit, job->subject);
}

static void failure_counted(enum op_err result, void *arg)
{
    struct authentication *job = arg;
    if (result != OP_OK)
        token_unavailable(job->token, result);
    else
        token_refuse(job->token, &job->error);
}

static void refuse_for_a_while(const struct authentication *job)
{
    struct http_request *req = job->token->http;
    log_event(LOG_LEVEL_WARNING, "client_throttled", req->request_id, req->trace_id, "address", req->client_address,
              NULL);
    req->error = oauth_error_name(OAUTH_TEMPORARILY_UNAVAILABLE);
    json_t *body = json_make_object(req);
    json_set_string(body, "error", req->error);
    json_set_string(body, "error_description", "too many failed client authentications, try again later");
    http_set_fieldf(req, "Retry-After", "%u", job->wait);
    reply_json(req, 429, body);
}

static bool may_use(const Rec__Client *client, const char *grant_type)
{
    return records_contain(client->grant_types, client->n_grant_types, grant_type);
}

static void client_loaded(enum op_err result, void *arg)
{
    struct authentication *job = arg;
    struct token_request *token = job->token;
    if (result != OP_OK) {
        token_unavailable(token, result);
    } else if (job->wait > 0) {
        refuse_for_a_while(job);
    } else if (client_auth_decide(&token->auth, token->client, &job->error) != OP_OK) {
        kv_run(server_kv(), KV_GUARD, count_failure, failure_counted, job);
    } else if (!may_use(token->client, token->params.grant_type)) {
        token_refuse(token, &(struct oauth_error){OAUTH_UNAUTHORIZED_CLIENT,
                                                  "the client is not registered for this grant_type"});
    } else if (!issue_ready(token->client)) {
        token_refuse(token, &(struct oauth_error){OAUTH_TEMPORARILY_UNAVAILABLE, "no key to sign with yet"});
    } else {
        token->grant->handle(token);
    }
}

static void authenticate(struct token_request *token)
{
    struct authentication *job = mem_new(token->http, struct authentication);
    *job = (struct authentication){
        .token = token,
        .limit = {"client_secret", (unsigned)token_settings.secret_failures,
                  (unsigned)token_settings.secret_failures_window},
        .subject = mem_printf(job, "%s %s", token->http->client_address, token->auth.client_id),
    };
    kv_run(server_kv(), KV_READ_ONLY, load_client, client_loaded, job);
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
        authenticate(token);
}
