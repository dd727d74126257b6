#include "par.h"

#include <string.h>

#include "auth.h"
#include "authorization.h"
#include "base/log.h"
#include "base/rand.h"
#include "protocol/client_auth.h"
#include "runtime/audit.h"
#include "runtime/client_request.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "store/pushed_requests.h"

enum { REFERENCE_BYTES = 32 };

/* --- decide --- */

static enum op_err refuse(struct oauth_error *ret_error, const char *description)
{
    *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, description};
    return OP_INVALID;
}

/* What comes before the rules of the authorization endpoint: whose request this is, and that it is one. */
static enum op_err judge_sender(const void *ctx, const struct par_facts *facts, struct authorize_request *request,
                                struct oauth_error *ret_error)
{
    if (form_count(facts->form, "request_uri") > 0)
        return refuse(ret_error, "request_uri must not be pushed");
    enum op_err err = authorize_request_identify(ctx, facts->form, request, ret_error);
    if (err == OP_OK && strcmp(request->client_id, facts->client->client_id) != 0)
        return refuse(ret_error, "client_id is not that of the client that authenticated");
    return err;
}

enum op_err par_decide(const void *ctx, const struct par_facts *facts, char **ret, struct oauth_error *ret_error)
{
    struct authorize_request request;
    enum op_err err = judge_sender(ctx, facts, &request, ret_error);
    if (err == OP_OK && authorize_request_match(&request, facts->client, ret_error) != OP_OK)
        err = OP_INVALID;
    if (err == OP_OK)
        err = authorize_request_parse(ctx, facts->form, facts->client, facts->policy, &request, ret_error);
    if (err == OP_OK && !authorization_hint_is_good(&request, facts->hint, ret_error))
        err = OP_INVALID;
    if (err != OP_OK)
        return err;
    char *text = authorize_request_text(ctx, &request);
    if (strlen(text) > PAR_REQUEST_MAX)
        return refuse(ret_error, "the request is longer than 16 KiB");
    *ret = text;
    return OP_OK;
}

/* --- apply --- */

struct push {
    struct http_request *req;
    struct form form;
    struct client_auth auth;
    const Rec__Client *client;
    char *parameters;
    const char *request_uri;
    unsigned wait;
};

/* By client and by address, and what is refused counts for neither: a client that has used up its own share takes
 * nothing from the others at its address, nor an address from what a client may push elsewhere. Many clients that prove
 * themselves may sit at one address. In the name of one that cannot anybody can push: there an address has a share
 * that is far below the client's, and of its own, so that it is not in the way of those that do. */
static enum op_err count(struct kv_txn *txn, void *arg)
{
    struct push *push = arg;
    const char *client_id = push->client->client_id;
    const char *address = guard_address(push->req, push->req->client_address);
    const struct guard_limit *of_client = &auth.push_client_limit;
    const struct guard_limit *of_address =
        client_is_public(push->client) ? &auth.push_public_limit : &auth.push_address_limit;
    unsigned wait_client = 0, wait_address = 0;
    enum op_err err = guard_wait(txn, of_client, client_id, &wait_client);
    if (err == OP_OK && *address != '\0')
        err = guard_wait(txn, of_address, address, &wait_address);
    push->wait = wait_client > wait_address ? wait_client : wait_address;
    if (err != OP_OK || push->wait > 0)
        return err;
    if (*address != '\0')
        err = guard_count(txn, of_address, address);
    return err != OP_OK ? err : guard_count(txn, of_client, client_id);
}

static enum op_err store(struct kv_txn *txn, void *arg)
{
    const struct push *push = arg;
    Rec__PushedRequest *record = records_new(push->req, &rec__pushed_request__descriptor);
    record->client_id = push->client->client_id;
    record->parameters = push->parameters;
    record->has_created_at = record->has_expires_at = true;
    record->created_at = kv_now(txn);
    record->expires_at = record->created_at + auth.settings.pushed_request_lifetime;
    return pushed_requests_insert(txn, push->request_uri, record);
}

/* --- render --- */

static void stored(enum op_err result, void *arg)
{
    const struct push *push = arg;
    struct http_request *req = push->req;
    if (result != OP_OK) {
        reply_store_error(req, result);
        return;
    }
    log_event(LOG_LEVEL_INFO, "authorization_request_pushed", req->request_id, req->trace, "client_id",
              push->client->client_id, NULL);
    json_t *body = json_make_object(req);
    json_set_string(body, "request_uri", push->request_uri);
    json_set_int(body, "expires_in", auth.settings.pushed_request_lifetime);
    reply_json(req, 201, body);
}

static void counted(enum op_err result, void *arg)
{
    struct push *push = arg;
    struct http_request *req = push->req;
    if (result != OP_OK) {
        reply_store_error(req, result);
    } else if (push->wait > 0) {
        audit_write(AUDIT_PUSHES_THROTTLED, req, &(struct audit_facts){.client_id = push->client->client_id});
        req->error = oauth_error_name(OAUTH_TEMPORARILY_UNAVAILABLE);
        reply_too_many(req, push->wait, "too many pushed authorization requests, try again later");
    } else {
        const char *reference = mem_secret(rand_token(req, REFERENCE_BYTES));
        push->request_uri = mem_secret(mem_printf(req, AUTHORIZE_REQUEST_URI "%s", reference));
        kv_run(server_kv(), KV_CODES, store, stored, push);
    }
}

static void authenticated(Rec__Client *client, void *arg)
{
    struct push *push = arg;
    struct authorize_policy policy = authorization_policy(true);
    struct par_facts facts = {&push->form, client, &policy, authorization_hint(push->req, &push->form)};
    struct oauth_error error;
    push->client = client;
    if (par_decide(push->req, &facts, &push->parameters, &error) != OP_OK)
        reply_oauth_error(push->req, &error, true);
    else
        kv_run(server_kv(), KV_GUARD, count, counted, push);
}

void par_handle(struct http_request *req)
{
    struct push *push = mem_new(req, struct push);
    struct oauth_error error;
    push->req = req;
    if (client_request_read_form(req, &push->form, &push->auth, &error) != OP_OK)
        reply_oauth_error(req, &error, true);
    else
        client_request_authenticate(req, &push->auth, authenticated, push);
}
