#include "userinfo.h"

#include <string.h>

#include "data/form.h"
#include "protocol/bearer.h"
#include "protocol/claims.h"
#include "runtime/access.h"
#include "runtime/reply.h"
#include "runtime/server.h"

enum { PAIRS_MAX = 16 };

struct userinfo_process userinfo_process;

/* --- parse --- */

static enum op_err invalid_request(const char *description, struct oauth_error *ret_error)
{
    *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, description};
    return OP_INVALID;
}

enum op_err userinfo_token(const struct userinfo_request *request, const char **ret, struct oauth_error *ret_error)
{
    const char *bearer = bearer_token(request->authorization);
    if (request->authorization_count > 1)
        return invalid_request("more than one Authorization header", ret_error);
    if (request->form_token_count > 1)
        return invalid_request("access_token is there more than once", ret_error);
    if (bearer != NULL && request->form_token != NULL)
        return invalid_request("the token is in the header and in the body", ret_error);
    if (bearer == NULL && request->form_token == NULL)
        return OP_ABSENT;
    *ret = bearer != NULL ? bearer : request->form_token;
    return OP_OK;
}

static enum op_err read_request(struct http_request *req, const char **ret, struct oauth_error *ret_error)
{
    struct userinfo_request request = {
        .authorization = http_field(req, "authorization"),
        .authorization_count = http_field_count(req, "authorization"),
    };
    struct form form;
    if (req->method == HTTP_POST && http_content_type_is(req, "application/x-www-form-urlencoded")) {
        if (form_parse(req, req->body, PAIRS_MAX, &form) != OP_OK)
            return invalid_request("the body is not well-formed application/x-www-form-urlencoded", ret_error);
        request.form_token = form_get(&form, "access_token");
        request.form_token_count = form_count(&form, "access_token");
    }
    return userinfo_token(&request, ret, ret_error);
}

/* --- decide --- */

enum op_err userinfo_decide(const struct access_token *token, const char *issuer, enum family_verdict alive,
                            struct oauth_error *ret_error)
{
    const Rec__Grant *grant = token->grant;
    if (!records_contain(grant->scopes, grant->n_scopes, "openid") || grant->user_id == NULL) {
        *ret_error = (struct oauth_error){OAUTH_INSUFFICIENT_SCOPE, "the token has not the scope openid"};
        return OP_DENIED;
    }
    if (!records_contain(grant->audiences, grant->n_audiences, issuer)) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_TOKEN, "the token is for another audience"};
        return OP_DENIED;
    }
    if (alive != FAMILY_ALIVE) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_TOKEN, "the token was revoked or what it leans on has ended"};
        return OP_DENIED;
    }
    return OP_OK;
}

/* --- load --- */

struct lookup {
    struct http_request *req;
    struct access_token token;
    struct family_facts facts; /* set by load */
};

static enum op_err load(struct kv_txn *txn, void *arg)
{
    struct lookup *job = arg;
    return access_load(txn, job->req, &job->token, &job->facts);
}

/* --- render --- */

json_t *userinfo_claims(const void *ctx, const struct access_token *token, const Rec__User *user,
                        const struct scope_catalogue *catalogue)
{
    const Rec__Grant *grant = token->grant;
    json_t *request = NULL;
    struct oauth_error ignored;
    if (grant->claims_request != NULL && claims_request_parse(ctx, grant->claims_request, &request, &ignored) != OP_OK)
        request = NULL;
    json_t *claims = json_make_object(ctx);
    json_set_string(claims, "sub", user->user_id);
    claims_release(claims, user, CLAIMS_USERINFO, grant->scopes, grant->n_scopes, request, catalogue);
    return claims;
}

static void loaded(enum op_err result, void *arg)
{
    struct lookup *job = arg;
    struct oauth_error error;
    if (result != OP_OK) {
        reply_store_error(job->req, result);
        return;
    }
    if (userinfo_decide(&job->token, settings.issuer, family_alive(&job->facts), &error) != OP_OK) {
        reply_bearer_error(job->req, &error);
        return;
    }
    reply_json(job->req, 200, userinfo_claims(job->req, &job->token, job->facts.user, &userinfo_process.catalogue));
}

void userinfo_handle(struct http_request *req)
{
    struct lookup *job = mem_new(req, struct lookup);
    const char *text;
    struct oauth_error error;
    job->req = req;
    enum op_err err = read_request(req, &text, &error);
    if (err == OP_ABSENT) {
        reply_bearer_error(req, NULL);
        return;
    }
    if (err == OP_OK)
        err = access_verify(userinfo_process.keyring, req, text, &job->token, &error);
    if (err == OP_INVALID)
        reply_bearer_error(req, &error);
    else if (err != OP_OK)
        reply_store_error(req, err);
    else
        kv_run(server_kv(), KV_READ_ONLY, load, loaded, job);
}
