#include "register.h"

#include "base/rand.h"
#include "data/digest.h"
#include "protocol/bearer.h"
#include "registration.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/registration.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "store/clients.h"
#include "store/guard.h"
#include "store/initial_access_tokens.h"

enum { CLIENT_ID_BYTES = 16, SECRET_BYTES = 32 };

struct register_settings register_settings;

struct registering {
    struct http_request *http;
    const char *token; /* the initial access token; NULL: none, and none is needed */
    const char *registration_token, *secret; /* for the new client; secret NULL: it needs none */
    Rec__Client *client;
    struct guard_limit limit;
    /* set by work: */
    bool admitted;
    struct registration_rules rules;
    unsigned wait;
};

/* --- load --- */

static enum op_err load(struct kv_txn *txn, void *arg)
{
    struct registering *job = arg;
    Rec__InitialAccessToken *token;
    enum op_err err = job->token == NULL ? OP_OK : initial_access_tokens_get(txn, job->http, job->token, &token);
    job->admitted = err == OP_OK;
    if (err == OP_OK)
        err = registration_load_rules(txn, job->http, NULL, &job->rules);
    return err == OP_ABSENT ? OP_OK : err;
}

/* --- apply --- */

static enum op_err count(struct kv_txn *txn, void *arg)
{
    struct registering *job = arg;
    job->wait = 0;
    return guard_try(txn, &job->limit, guard_address(job->http, job->http->client_address), &job->wait);
}

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct registering *job = arg;
    enum op_err err = job->token == NULL ? OP_OK : initial_access_tokens_use(txn, job->token);
    job->admitted = err == OP_OK;
    if (err == OP_ABSENT)
        return OP_OK;
    job->client->has_created_at = true;
    job->client->created_at = kv_now(txn);
    return err != OP_OK ? err : clients_insert(txn, job->client);
}

/* --- render --- */

static void refuse_token(struct http_request *req)
{
    audit_write(AUDIT_REGISTRATION_REFUSED, req, &(struct audit_facts){.reason = "initial_access_token"});
    reply_bearer_error(req, &(struct oauth_error){OAUTH_INVALID_TOKEN,
                                                  "the initial access token is unknown, has expired or is used up"});
}

static void inserted(enum op_err result, void *arg)
{
    const struct registering *job = arg;
    struct http_request *req = job->http;
    if (result != OP_OK) {
        reply_store_error(req, result);
        return;
    }
    if (!job->admitted) {
        refuse_token(req);
        return;
    }
    metrics_count("partita_clients_registered_total", 1);
    audit_write(AUDIT_CLIENT_REGISTERED, req, &(struct audit_facts){.client_id = job->client->client_id});
    reply_json(req, 201,
               registration_members(req, job->client, settings.issuer, job->registration_token, job->secret));
}

static void counted(enum op_err result, void *arg)
{
    struct registering *job = arg;
    struct http_request *req = job->http;
    if (result != OP_OK) {
        reply_store_error(req, result);
        return;
    }
    if (job->wait == 0) {
        kv_run(server_kv(), KV_CLIENTS, insert, inserted, job);
        return;
    }
    audit_write(AUDIT_REGISTRATION_THROTTLED, req, &(struct audit_facts){0});
    req->error = oauth_error_name(OAUTH_TEMPORARILY_UNAVAILABLE);
    json_t *body = json_make_object(req);
    json_set_string(body, "error", req->error);
    json_set_string(body, "error_description", "too many registrations from this address, try again later");
    http_set_fieldf(req, "Retry-After", "%u", job->wait);
    reply_json(req, 429, body);
}

static char *new_secret(const void *ctx)
{
    return mem_secret(rand_token(ctx, SECRET_BYTES));
}

static void make_client(struct registering *job)
{
    Rec__Client *client = job->client;
    char *secret = new_secret(job);
    struct bytes hash;
    job->registration_token = new_secret(job);
    hash = digest_sha256_of(client, job->registration_token);
    client->client_id = rand_token(client, CLIENT_ID_BYTES);
    client->has_registration_access_token_hash = true;
    client->registration_access_token_hash =
        (ProtobufCBinaryData){.len = hash.len, .data = (uint8_t *)(uintptr_t)hash.data};
    job->secret = registration_settle_secret(client, client, secret) ? secret : NULL;
}

static void loaded(enum op_err result, void *arg)
{
    struct registering *job = arg;
    struct http_request *req = job->http;
    struct oauth_error error;
    json_t *metadata;
    if (result != OP_OK) {
        reply_store_error(req, result);
    } else if (!job->admitted) {
        refuse_token(req);
    } else if (registration_read(req, &job->rules, &metadata, &job->client, &error) != OP_OK) {
        reply_oauth_error(req, &error, false);
    } else {
        make_client(job);
        if (job->token == NULL)
            kv_run(server_kv(), KV_GUARD, count, counted, job);
        else
            kv_run(server_kv(), KV_CLIENTS, insert, inserted, job);
    }
}

static void refuse_everybody(struct http_request *req)
{
    req->error = oauth_error_name(OAUTH_ACCESS_DENIED);
    json_t *body = json_make_object(req);
    json_set_string(body, "error", req->error);
    json_set_string(body, "error_description", "clients are registered here by the operator only");
    reply_json(req, 403, body);
}

void register_handle(struct http_request *req)
{
    const char *token = bearer_token(http_field(req, "authorization"));
    if (registration_settings.mode == REGISTRATION_CLOSED) {
        refuse_everybody(req);
        return;
    }
    if (http_field_count(req, "authorization") > 1) {
        reply_oauth_error(req, &(struct oauth_error){OAUTH_INVALID_REQUEST, "more than one Authorization header"},
                          false);
        return;
    }
    if (token == NULL && registration_settings.mode != REGISTRATION_OPEN) {
        reply_bearer_error(req, NULL);
        return;
    }
    struct registering *job = mem_new(req, struct registering);
    job->http = req;
    job->token = token;
    job->limit = (struct guard_limit){"registration/address", (unsigned)register_settings.limit,
                                      (unsigned)register_settings.limit_window};
    kv_run(server_kv(), KV_READ_ONLY, load, loaded, job);
}
