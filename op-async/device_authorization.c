#include "device_authorization.h"

#include "base/log.h"
#include "base/rand.h"
#include "device.h"
#include "protocol/authorize_request.h"
#include "protocol/device.h"
#include "protocol/resource.h"
#include "runtime/audit.h"
#include "runtime/client_request.h"
#include "runtime/metrics.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "runtime/settings.h"
#include "store/device_requests.h"

enum { TRIES = 8 }; /* user codes, until one is free */

struct device_params {
    const char *scope;
    struct param_list resource;
};

static const struct param PARAMS[] = {
    PARAM(struct device_params, scope, PARAM_OPTIONAL, 1024, NULL),
    RESOURCE_PARAM(struct device_params),
};

struct asking {
    struct http_request *req;
    struct device_params params;
    struct client_auth auth;
    const Rec__Client *client;
    struct scope_list scopes, resources;
    unsigned wait;               /* set by count */
    const char *device_code;
    uint8_t random[TRIES][8];    /* what user codes are made of */
    Rec__DeviceRequest *record;  /* set by insert */
    struct oauth_error error;
};

/* --- decide --- */

static enum op_err decide(struct asking *asking)
{
    const Rec__Client *client = asking->client;
    if (!records_contain(client->grant_types, client->n_grant_types, DEVICE_GRANT_TYPE)) {
        asking->error = (struct oauth_error){OAUTH_UNAUTHORIZED_CLIENT,
                                             "the client is not registered for the device_code grant"};
        return OP_INVALID;
    }
    enum op_err err = authorize_scopes(asking->req, asking->params.scope, client, &device_process.catalogue,
                                       &asking->scopes, &asking->error);
    return err != OP_OK ? err : resource_select(asking->req, &asking->params.resource, client->resources,
                                                client->n_resources, RESOURCE_NOT_REGISTERED, &asking->resources,
                                                &asking->error);
}

Rec__DeviceRequest *device_authorization_record(const void *ctx, const Rec__Client *client,
                                                const struct scope_list *scopes, const struct scope_list *resources,
                                                int64_t interval, int64_t lifetime, int64_t now)
{
    Rec__DeviceRequest *record = records_new(ctx, &rec__device_request__descriptor);
    record->client_id = mem_strdup(ctx, client->client_id);
    record->scopes = records_strings(ctx, scopes->items, scopes->count);
    record->n_scopes = scopes->count;
    record->resources = records_strings(ctx, resources->items, resources->count);
    record->n_resources = resources->count;
    record->has_created_at = record->has_expires_at = record->has_interval = true;
    record->created_at = now;
    record->expires_at = now + lifetime;
    record->interval = interval;
    return record;
}

/* --- apply --- */

static enum op_err count(struct kv_txn *txn, void *arg)
{
    struct asking *asking = arg;
    const struct device_settings *s = &device_settings;
    struct guard_limit of_client = {"device/client", (unsigned)s->client_requests, (unsigned)s->client_requests_window};
    struct guard_limit of_address = {"device/address", (unsigned)s->address_requests,
                                     (unsigned)s->address_requests_window};
    const char *address = guard_address(asking->req, asking->req->client_address);
    enum op_err err = guard_try(txn, &of_address, address, &asking->wait);
    if (err == OP_OK && asking->wait == 0)
        err = guard_try(txn, &of_client, asking->client->client_id, &asking->wait);
    return err;
}

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct asking *asking = arg;
    enum op_err err = OP_EXISTS;
    asking->record = device_authorization_record(asking->req, asking->client, &asking->scopes, &asking->resources,
                                                 device_settings.interval, settings.device_code_lifetime, kv_now(txn));
    asking->record->user_code = mem_array(asking->record, char, DEVICE_USER_CODE_LEN + 1);
    for (size_t i = 0; i < TRIES && err == OP_EXISTS; i++) {
        device_user_code_make(asking->random[i], asking->record->user_code);
        err = device_requests_insert(txn, asking->device_code, asking->record);
    }
    return err == OP_EXISTS ? OP_BUSY : err;
}

/* --- render --- */

static void is_inserted(enum op_err result, void *arg)
{
    const struct asking *asking = arg;
    struct http_request *req = asking->req;
    if (result != OP_OK) {
        reply_store_error(req, result);
        return;
    }
    metrics_count("partita_device_requests_total", 1);
    log_event(LOG_LEVEL_INFO, "device_code_issued", req->request_id, req->trace, "client_id",
              asking->client->client_id, NULL);
    const char *user_code = device_user_code_text(req, asking->record->user_code);
    json_t *body = json_make_object(req);
    json_set_string(body, "device_code", asking->device_code);
    json_set_string(body, "user_code", user_code);
    json_set_string(body, "verification_uri", mem_printf(req, "%s/device", settings.issuer));
    json_set_string(body, "verification_uri_complete",
                    mem_printf(req, "%s/device?user_code=%s", settings.issuer, user_code));
    json_set_int(body, "expires_in", settings.device_code_lifetime);
    json_set_int(body, "interval", device_settings.interval);
    reply_json(req, 200, body);
}

static void is_counted(enum op_err result, void *arg)
{
    struct asking *asking = arg;
    struct http_request *req = asking->req;
    if (result != OP_OK) {
        reply_store_error(req, result);
    } else if (asking->wait > 0) {
        audit_write(AUDIT_DEVICE_REQUESTS_THROTTLED, req, &(struct audit_facts){.client_id = asking->client->client_id});
        reply_too_many(req, asking->wait, "too many requests of this client or from this address, try again later");
    } else {
        asking->device_code = mem_secret(rand_token(req, 32));
        rand_bytes(asking->random, sizeof asking->random);
        kv_run(server_kv(), KV_ASYNC, insert, is_inserted, asking);
    }
}

static void is_authenticated(Rec__Client *client, void *arg)
{
    struct asking *asking = arg;
    asking->client = client;
    if (decide(asking) != OP_OK)
        reply_oauth_error(asking->req, &asking->error, false);
    else
        kv_run(server_kv(), KV_GUARD, count, is_counted, asking);
}

void device_authorization_handle(struct http_request *req)
{
    struct asking *asking = mem_new(req, struct asking);
    asking->req = req;
    enum op_err err = client_request_read(req, PARAMS, sizeof PARAMS / sizeof *PARAMS, &asking->params,
                                          sizeof asking->params, &asking->auth, &asking->error);
    if (err != OP_OK)
        reply_oauth_error(req, &asking->error, true);
    else
        client_request_authenticate(req, &asking->auth, is_authenticated, asking);
}
