#include "registration.h"

#include <string.h>

#include "base/rand.h"
#include "data/digest.h"
#include "protocol/bearer.h"
#include "protocol/client_auth.h"
#include "register.h"
#include "runtime/audit.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "store/clients.h"
#include "store/guard.h"
#include "store/keyring.h"

enum { SECRET_BYTES = 32, CLIENT_ID_MAX = 64 };

static const char PATH[] = "/register/";

/* --- what registering and managing share --- */

static void add_alg(struct registration_rules *rules, enum jose_alg alg)
{
    for (size_t i = 0; i < rules->alg_count; i++)
        if (rules->algs[i] == alg)
            return;
    if (alg != JOSE_ALG_NONE && rules->alg_count < REGISTRATION_ALGS_MAX)
        rules->algs[rules->alg_count++] = alg;
}

static void add_scopes(const void *ctx, struct scope_list *list, char *const *scopes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (scope_has(list, scopes[i]))
            continue;
        list->items = mem_grow(ctx, list->items, char *, list->count + 1);
        list->items[list->count++] = scopes[i];
    }
}

enum op_err registration_load_rules(struct kv_txn *txn, const void *ctx, const Rec__Client *extra,
                                    struct registration_rules *ret)
{
    struct registration_rules rules = {.alg_count = 0};
    Rec__SigningKey **keys;
    size_t count;
    enum op_err err = signing_keys_list(txn, ctx, &keys, &count);
    if (err != OP_OK)
        return err;
    add_scopes(ctx, &rules.scopes, register_settings.scopes.items, register_settings.scopes.count);
    if (extra != NULL)
        add_scopes(ctx, &rules.scopes, extra->scopes, extra->n_scopes);
    for (size_t i = 0; i < count; i++)
        if (keys[i]->state != NULL && keys[i]->alg != NULL && strcmp(keys[i]->state, "current") == 0)
            add_alg(&rules, jose_alg_from_name(keys[i]->alg));
    *ret = rules;
    return OP_OK;
}

static enum op_err read_object(struct http_request *req, json_t **ret, struct oauth_error *ret_error)
{
    const char *problem = NULL;
    json_t *value = NULL;
    if (req->has_query)
        problem = "parameters belong in the body, not in the URL";
    else if (!http_content_type_is(req, "application/json"))
        problem = "the body must be application/json";
    else if (json_read(req, req->body, &value) != OP_OK || !json_is_object(value))
        problem = "the body is not a JSON object";
    if (problem != NULL) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, problem};
        return OP_INVALID;
    }
    *ret = value;
    return OP_OK;
}

enum op_err registration_read(struct http_request *req, const struct registration_rules *rules, json_t **ret_metadata,
                              Rec__Client **ret, struct oauth_error *ret_error)
{
    const struct client_metadata_rules metadata_rules = {&rules->scopes, rules->algs, rules->alg_count};
    json_t *metadata;
    enum op_err err = read_object(req, &metadata, ret_error);
    if (err == OP_OK)
        err = client_metadata_read(req, metadata, &metadata_rules, ret, ret_error);
    if (err == OP_OK)
        *ret_metadata = metadata;
    return err;
}

bool registration_settle_secret(const void *ctx, Rec__Client *client, const char *fresh)
{
    bool needed = client_has_secret(client);
    if (needed && client->has_client_secret_hash)
        return false;
    struct bytes hash = needed ? digest_sha256_of(ctx, fresh) : bytes_of(NULL);
    client->has_client_secret_hash = needed;
    client->client_secret_hash = (ProtobufCBinaryData){.len = hash.len, .data = (uint8_t *)(uintptr_t)hash.data};
    return needed;
}

json_t *registration_members(const void *ctx, const Rec__Client *client, const char *issuer, const char *token,
                             const char *secret)
{
    json_t *out = json_make_object(ctx);
    json_set_string(out, "client_id", client->client_id);
    json_set_int(out, "client_id_issued_at", client->created_at);
    json_set_string(out, "client_secret", secret);
    if (client->has_client_secret_hash)
        json_set_int(out, "client_secret_expires_at", 0);
    json_set_string(out, "registration_access_token", token);
    json_set_string(out, "registration_client_uri", mem_printf(ctx, "%s%s%s", issuer, PATH, client->client_id));
    client_metadata_set(ctx, out, client);
    return out;
}

/* --- decide --- */

static bool is_hash_of(ProtobufCBinaryData stored, const char *presented)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(presented), hash);
    return bytes_equal_ct(bytes_from(hash, sizeof hash), bytes_from(stored.data, stored.len));
}

bool registration_is_managed_by(const Rec__Client *client, const char *token)
{
    return client != NULL && !client->disabled && client->n_administration == 0 &&
           client->has_registration_access_token_hash && is_hash_of(client->registration_access_token_hash, token);
}

enum op_err registration_check_update(const json_t *metadata, const Rec__Client *client, struct oauth_error *ret_error)
{
    static const char *const ours[] = {"registration_access_token", "registration_client_uri",
                                       "client_id_issued_at", "client_secret_expires_at"};
    const char *client_id = NULL, *secret = NULL, *wrong = NULL;
    enum op_err err = json_get_string(metadata, "client_secret", &secret);
    if (json_get_string(metadata, "client_id", &client_id) != OP_OK || strcmp(client_id, client->client_id) != 0)
        wrong = "client_id must be there and be that of this client";
    else if (err == OP_INVALID ||
             (err == OP_OK && !(client->has_client_secret_hash && is_hash_of(client->client_secret_hash, secret))))
        wrong = "client_secret is not the present one: a client cannot choose its secret";
    for (size_t i = 0; i < sizeof ours / sizeof *ours && wrong == NULL; i++)
        if (json_object_get(metadata, ours[i]) != NULL)
            wrong = "an update must not contain registration_access_token, registration_client_uri, "
                    "client_id_issued_at or client_secret_expires_at";
    if (wrong == NULL)
        return OP_OK;
    *ret_error = (struct oauth_error){OAUTH_INVALID_CLIENT_METADATA, wrong};
    return OP_INVALID;
}

/* --- load, apply --- */

struct managing {
    struct http_request *http;
    const char *client_id, *token;
    const char *fresh;      /* a secret, should the update need one */
    Rec__Client *metadata;  /* what an update says */
    /* set by work: */
    Rec__Client *client;    /* NULL: there is none that the token manages */
    struct registration_rules rules;
    const char *secret;     /* fresh, when it was needed */
    unsigned wait;          /* seconds until an update is allowed again; 0: now */
};

static enum op_err load_client(struct kv_txn *txn, struct managing *job)
{
    Rec__Client *client = NULL;
    job->client = NULL;
    enum op_err err = clients_get(txn, job->http, job->client_id, &client);
    if (err == OP_OK && registration_is_managed_by(client, job->token))
        job->client = client;
    return err == OP_ABSENT ? OP_OK : err;
}

static enum op_err load(struct kv_txn *txn, void *arg)
{
    struct managing *job = arg;
    enum op_err err = load_client(txn, job);
    if (err == OP_OK && job->client != NULL)
        err = registration_load_rules(txn, job->http, job->client, &job->rules);
    return err;
}

static enum op_err count(struct kv_txn *txn, void *arg)
{
    struct managing *job = arg;
    const struct register_settings *set = &register_settings;
    const struct guard_limit of_address = {"registration-update/address", (unsigned)set->address_updates,
                                           (unsigned)set->updates_window};
    const struct guard_limit of_client = {"registration-update/client", (unsigned)set->client_updates,
                                          (unsigned)set->updates_window};
    job->wait = 0;
    enum op_err err = guard_try(txn, &of_address, guard_address(job->http, job->http->client_address), &job->wait);
    if (err == OP_OK && job->wait == 0)
        err = guard_try(txn, &of_client, job->client_id, &job->wait);
    return err;
}

/* The rules were those of the version that was loaded: OP_MISMATCH when it has changed since. */
static enum op_err replace(struct kv_txn *txn, void *arg)
{
    struct managing *job = arg;
    uint64_t judged = job->client == NULL ? 0 : job->client->version;
    enum op_err err = load_client(txn, job);
    if (err != OP_OK || job->client == NULL)
        return err;
    job->client->version = judged;
    client_metadata_replace(job->client, job->metadata);
    job->secret = registration_settle_secret(job->client, job->client, job->fresh) ? job->fresh : NULL;
    return clients_update(txn, job->client);
}

static enum op_err delete(struct kv_txn *txn, void *arg)
{
    struct managing *job = arg;
    enum op_err err = load_client(txn, job);
    return err != OP_OK || job->client == NULL ? err : clients_delete(txn, job->client_id);
}

/* --- render --- */

/* §2.1: the same for a client that is not there and for a token that is not its. */
static void refuse_token(struct http_request *req)
{
    audit_write(AUDIT_REGISTRATION_REFUSED, req, &(struct audit_facts){.reason = "registration_access_token"});
    reply_bearer_error(req, &(struct oauth_error){OAUTH_INVALID_TOKEN,
                                                  "there is no such client, or the token is not the one it manages "
                                                  "its registration with"});
}

/* True when the request is answered: the store failed, or the token manages nothing. */
static bool is_refused(enum op_err result, const struct managing *job)
{
    if (result == OP_OK && job->client != NULL)
        return false;
    if (result != OP_OK)
        reply_store_error(job->http, result == OP_MISMATCH ? OP_BUSY : result);
    else
        refuse_token(job->http);
    return true; /* job was the request's and is gone with it */
}

static void note(const struct managing *job, enum audit_event event)
{
    audit_write(event, job->http, &(struct audit_facts){.client_id = job->client_id});
}

static void show(const struct managing *job)
{
    reply_json(job->http, 200,
               registration_members(job->http, job->client, settings.issuer, job->token, job->secret));
}

static void replaced(enum op_err result, void *arg)
{
    const struct managing *job = arg;
    if (is_refused(result, job))
        return;
    note(job, AUDIT_CLIENT_CHANGED);
    show(job);
}

static void deleted(enum op_err result, void *arg)
{
    const struct managing *job = arg;
    if (is_refused(result, job))
        return;
    note(job, AUDIT_CLIENT_DELETED);
    http_set_field(job->http, "Cache-Control", "no-store");
    http_set_field(job->http, "Pragma", "no-cache");
    http_reply(job->http, 204, NULL, bytes_of(NULL));
}

static void counted(enum op_err result, void *arg)
{
    struct managing *job = arg;
    struct http_request *req = job->http;
    if (result != OP_OK) {
        reply_store_error(req, result);
    } else if (job->wait > 0) {
        note(job, AUDIT_REGISTRATION_UPDATES_THROTTLED);
        reply_too_many(req, job->wait, "too many updates of registrations, try again later");
    } else {
        job->fresh = mem_secret(rand_token(job, SECRET_BYTES));
        kv_run(server_kv(), KV_CLIENTS, replace, replaced, job);
    }
}

static void update(struct managing *job)
{
    struct oauth_error error;
    json_t *metadata;
    enum op_err err = registration_read(job->http, &job->rules, &metadata, &job->metadata, &error);
    if (err == OP_OK)
        err = registration_check_update(metadata, job->client, &error);
    if (err != OP_OK) {
        reply_oauth_error(job->http, &error, false);
        return;
    }
    kv_run(server_kv(), KV_GUARD, count, counted, job);
}

static void loaded(enum op_err result, void *arg)
{
    struct managing *job = arg;
    if (is_refused(result, job))
        return;
    if (job->http->method != HTTP_PUT && job->http->has_query)
        reply_oauth_error(job->http, &(struct oauth_error){OAUTH_INVALID_REQUEST, "there are no parameters in the URL here"},
                          false);
    else if (job->http->method == HTTP_PUT)
        update(job);
    else if (job->http->method == HTTP_DELETE)
        kv_run(server_kv(), KV_CLIENTS, delete, deleted, job);
    else
        show(job);
}

void registration_handle(struct http_request *req)
{
    const char *token = bearer_token(http_field(req, "authorization"));
    struct managing *job = mem_new(req, struct managing);
    if (http_field_count(req, "authorization") > 1) {
        reply_oauth_error(req, &(struct oauth_error){OAUTH_INVALID_REQUEST, "more than one Authorization header"},
                          false);
        return;
    }
    if (token == NULL) {
        reply_bearer_error(req, NULL);
        return;
    }
    job->http = req;
    job->client_id = req->path + strlen(PATH);
    job->token = token;
    if (strlen(job->client_id) > CLIENT_ID_MAX)
        refuse_token(req);
    else
        kv_run(server_kv(), KV_READ_ONLY, load, loaded, job);
}
