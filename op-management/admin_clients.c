#include "admin_clients.h"

#include <string.h>

#include "base/rand.h"
#include "operator/operate_clients.h"
#include "protocol/client_metadata.h"
#include "protocol/device.h"
#include "runtime/server.h"
#include "runtime/settings.h"

enum { NAME = 200, URI = 2048, SCOPE = 1000, LIST = 50, CONTACTS = 20, POWERS = 32, KEYS = 24 * 1024, YEAR = 365 * 86400 };

static const char *const STATES[] = {"enabled", "disabled", "unreadable", NULL};
static const char *const WISHED_STATES[] = {"enabled", "disabled", NULL};
static const char *const GRANTS[] = {"authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT_TYPE, NULL};
static const char *const RESPONSES[] = {"code", NULL};
static const char *const TYPES[] = {"web", "native", NULL};
static const char *const METHODS[] = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none", NULL};
static const char *const ALGS[] = {"RS256", "PS256", "ES256", "ES384", "EdDSA", NULL};

#define WRITTEN (ADMIN_NEW | ADMIN_CHANGE | ADMIN_ANSWER)
#define OPTIONAL (WRITTEN | ADMIN_CLEAR)

static const struct admin_member MEMBERS[] = {
    {"client_id", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "Its name for programs."},
    {"client_secret", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "Shown only in the answer that made it."},
    {"client_name", ADMIN_TEXT, WRITTEN | ADMIN_NEEDED, NAME, NULL, "What people see on the consent page."},
    {"state", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 16, STATES,
     "disabled: is refused everywhere. unreadable: was written by a newer version, and can only be deleted."},
    {"state", ADMIN_TEXT, ADMIN_CHANGE, 16, WISHED_STATES,
     "disabled: is refused everywhere, and its tokens are dead for good, enabled again or not."},
    {"redirect_uris", ADMIN_TEXTS, OPTIONAL, LIST, NULL, "Where codes may be sent; compared character by character."},
    {"post_logout_redirect_uris", ADMIN_TEXTS, OPTIONAL, LIST, NULL, "Where a browser may be sent after signing out."},
    {"grant_types", ADMIN_TEXTS, WRITTEN, LIST, GRANTS,
     "What it may use at the token endpoint; by default authorization_code and refresh_token."},
    {"response_types", ADMIN_TEXTS, OPTIONAL, LIST, RESPONSES, "Follows the grants where it is left out."},
    {"application_type", ADMIN_TEXT, OPTIONAL, NAME, TYPES, "By default web."},
    {"token_endpoint_auth_method", ADMIN_TEXT, OPTIONAL, NAME, METHODS,
     "How it authenticates; by default client_secret_basic. none: a public client."},
    {"token_endpoint_auth_signing_alg", ADMIN_TEXT, OPTIONAL, NAME, ALGS, "What its assertions must be signed with."},
    {"jwks", ADMIN_OBJECT, OPTIONAL, KEYS, NULL, "Its public keys, a JWK Set; takes the place of jwks_uri."},
    {"jwks_uri", ADMIN_TEXT, OPTIONAL, URI, NULL, "Where it publishes them; takes the place of jwks."},
    {"id_token_signed_response_alg", ADMIN_TEXT, OPTIONAL, NAME, ALGS, "What its ID tokens are signed with."},
    {"scope", ADMIN_TEXT, OPTIONAL, SCOPE, NULL,
     "What it may ask for, separated by spaces; by default all that is known, for a client that people sign in to."},
    {"audiences", ADMIN_TEXTS, OPTIONAL, LIST, NULL, "aud of its access tokens when it names no resource."},
    {"resources", ADMIN_TEXTS, OPTIONAL, LIST, NULL, "What it may name as resource (RFC 8707)."},
    {"first_party", ADMIN_BOOL, WRITTEN, 0, NULL, "Belongs to the operator: people are not asked for consent."},
    {"rotate_refresh_tokens", ADMIN_BOOL, OPTIONAL, 0, NULL,
     "Refresh tokens change at each use; by default those of public clients."},
    {"refresh_token_idle_lifetime", ADMIN_NUMBER, OPTIONAL, CLIENT_LIFETIME_MAX, NULL,
     "Seconds that its refresh tokens live unused; at most as long as the setting of this name, which 0 stands for."},
    {"refresh_token_lifetime", ADMIN_NUMBER, OPTIONAL, CLIENT_LIFETIME_MAX, NULL,
     "Seconds that its refresh tokens live, counted from the sign-in; at most as long as the setting of this name, which "
     "0 stands for."},
    {"introspection_allowed", ADMIN_BOOL, OPTIONAL, 0, NULL,
     "A resource server: may introspect tokens meant for it or its audiences."},
    {"administration", ADMIN_TEXTS, ADMIN_ANSWER, POWERS, NULL,
     "What it may do here. Given on the machine only, as such a client is changed there only."},
    {"require_pushed_authorization_requests", ADMIN_BOOL, OPTIONAL, 0, NULL, "Has to push its requests to /as/par first."},
    {"default_max_age", ADMIN_NUMBER, OPTIONAL, YEAR, NULL, "Seconds after which the password is asked for again."},
    {"require_auth_time", ADMIN_BOOL, OPTIONAL, 0, NULL, "auth_time in each ID token."},
    {"client_uri", ADMIN_TEXT, OPTIONAL, URI, NULL, "Its home page."},
    {"logo_uri", ADMIN_TEXT, OPTIONAL, URI, NULL, "Its logo."},
    {"policy_uri", ADMIN_TEXT, OPTIONAL, URI, NULL, "Its privacy policy."},
    {"tos_uri", ADMIN_TEXT, OPTIONAL, URI, NULL, "Its terms of service."},
    {"initiate_login_uri", ADMIN_TEXT, OPTIONAL, URI, NULL, "Where a sign-in can be started."},
    {"contacts", ADMIN_TEXTS, OPTIONAL, CONTACTS, NULL, "Whom to ask about it."},
    {"software_id", ADMIN_TEXT, OPTIONAL, NAME, NULL, "What software it is (RFC 7591)."},
    {"software_version", ADMIN_TEXT, OPTIONAL, NAME, NULL, "Which version of it."},
    {"created_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it was registered."},
    {"since", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "What it was granted before is dead."},
    {0},
};
static const struct admin_schema SCHEMA = {"Client", "A client's registration, in the names of RFC 7591.", MEMBERS};

struct work {
    struct admin_request *request;
    const char *client_id;
    const json_t *patch;  /* without state */
    const char *wished;   /* the state that is asked for; NULL: as it is */
    const char *fresh;    /* a secret, should one be needed */
    /* set by work: */
    Rec__Client *client;
    const char *secret;
    struct refusal refusal;
    struct listing listing;
};

static struct work *new_work(struct admin_request *request)
{
    struct work *work = mem_new(request->http, struct work);
    work->request = request;
    request->own = work;
    work->client_id = admin_value(request, "client_id");
    work->fresh = mem_secret(rand_token(request->http, OPERATE_CLIENT_SECRET_BYTES));
    return work;
}

static struct operate_client_rules rules(void)
{
    return (struct operate_client_rules){
        OPERATE_OVER_NETWORK, {settings.refresh_token_idle_lifetime, settings.refresh_token_lifetime}};
}

static bool has_failed(const struct work *work, enum op_err result)
{
    if (result == OP_INVALID)
        admin_refuse(work->request, &work->refusal);
    else if (result != OP_OK)
        admin_fail(work->request, result, NULL);
    return result != OP_OK;
}

static json_t *shown(const struct work *work)
{
    json_t *object = operate_client_json(work->request->http, work->client);
    json_set_string(object, "client_secret", work->secret);
    return object;
}

/* --- list, show --- */

static enum op_err list(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const struct admin_request *request = work->request;
    return operate_clients_list(txn, request->http, request->after, request->limit, &work->listing);
}

static void reply_list(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!has_failed(work, result))
        admin_reply_list(work->request, &work->listing);
}

static void handle_list(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, list, reply_list, new_work(request));
}

static enum op_err show(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_clients_show(txn, work->request->http, work->client_id, &work->client);
}

static void reply_one(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!has_failed(work, result))
        admin_reply_one(work->request, shown(work), work->client->version);
}

static void handle_show(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, show, reply_one, new_work(request));
}

/* --- add --- */

static enum op_err add(struct kv_txn *txn, void *arg)
{
    const struct work *work = arg;
    return operate_clients_add(txn, work->client);
}

static void added(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!has_failed(work, result))
        admin_reply_new(work->request, work->client->client_id, shown(work), work->client->version);
}

static void handle_add(struct admin_request *request)
{
    struct work *work = new_work(request);
    const struct operate_client_fresh fresh = {rand_token(work, OPERATE_CLIENT_ID_BYTES), work->fresh};
    const struct operate_client_rules judged_by = rules();
    struct scope_catalogue catalogue;
    const char *why;
    if (scope_catalogue_make(work, settings.custom_scopes.items, settings.custom_scopes.count, &catalogue, &why) != OP_OK)
        admin_fail(request, OP_BROKEN, NULL); /* the server would not have started */
    else if (operate_clients_make(work, request->body, &catalogue, &judged_by, &fresh, &work->client, &work->secret,
                                  &work->refusal) != OP_OK)
        admin_refuse(request, &work->refusal);
    else
        kv_run(server_kv(), KV_CLIENTS, add, added, work);
}

/* --- change --- */

static enum op_err admit(struct kv_txn *txn, const struct work *work)
{
    Rec__Client *client;
    enum op_err err = operate_clients_show(txn, work->request->http, work->client_id, &client);
    return err != OP_OK ? err : admin_check_version(work->request, client->version);
}

static enum op_err change_state(struct kv_txn *txn, struct work *work)
{
    const void *ctx = work->request->http;
    if (strcmp(work->wished, "disabled") == 0)
        return operate_clients_disable(txn, ctx, work->client_id, &work->client);
    return operate_clients_enable(txn, ctx, work->client_id, OPERATE_OVER_NETWORK, &work->client, &work->refusal);
}

static enum op_err change(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const struct operate_client_rules judged_by = rules();
    enum op_err err = admit(txn, work);
    work->secret = NULL;
    if (err == OP_OK && (json_object_size(work->patch) > 0 || work->wished == NULL))
        err = operate_clients_change(txn, work->request->http, work->client_id, work->patch, &judged_by,
                                     work->fresh, &work->client, &work->secret, &work->refusal);
    return err == OP_OK && work->wished != NULL ? change_state(txn, work) : err;
}

static void reply_in_time(struct admin_request *request)
{
    const struct work *work = request->own;
    admin_reply_one(request, shown(work), work->client->version);
}

static void changed(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!has_failed(work, result))
        admin_wait_until(work->request, work->client->since, reply_in_time);
}

static void handle_change(struct admin_request *request)
{
    struct work *work = new_work(request);
    json_t *patch = json_own(work, json_copy(request->body));
    if (json_get_string(request->body, "state", &work->wished) != OP_OK)
        work->wished = NULL;
    else
        request->command = strcmp(work->wished, "disabled") == 0 ? "client_disable" : "client_enable";
    json_object_del(patch, "state");
    work->patch = patch;
    kv_run(server_kv(), KV_CLIENTS, change, changed, work);
}

/* --- secret, remove --- */

static enum op_err replace_secret(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    enum op_err err = admit(txn, work);
    work->secret = work->fresh;
    return err != OP_OK ? err
                        : operate_clients_secret(txn, work->request->http, work->client_id, OPERATE_OVER_NETWORK,
                                                 work->fresh, &work->client, &work->refusal);
}

static void handle_secret(struct admin_request *request)
{
    kv_run(server_kv(), KV_CLIENTS, replace_secret, reply_one, new_work(request));
}

/* One that cannot be read has no version, and can be removed all the same. */
static enum op_err remove_client(struct kv_txn *txn, void *arg)
{
    const struct work *work = arg;
    enum op_err err = admit(txn, work);
    if (err == OP_DENIED || err == OP_BROKEN)
        err = admin_check_version(work->request, 0);
    return err != OP_OK ? err : operate_clients_remove(txn, work->client_id);
}

static void removed(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!has_failed(work, result))
        admin_reply_nothing(work->request);
}

static void handle_remove(struct admin_request *request)
{
    kv_run(server_kv(), KV_CLIENTS, remove_client, removed, new_work(request));
}

/* --- the table --- */

#define ONE "/clients/{client_id}"

const struct admin_operation ADMIN_CLIENTS[] = {
    {HTTP_GET, "/clients", "client_list", "client list", "clients", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_LIST, false, NULL,
     handle_list, "Lists clients, in the order of their client_id."},
    {HTTP_POST, "/clients", "client_add", "client add", "clients", &SCHEMA, ADMIN_BODY_NEW, ADMIN_GIVES_NEW, true, NULL,
     handle_add, "Registers a client; its secret is shown this once."},
    {HTTP_GET, ONE, "client_show", "client show", "clients", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_ONE, true, NULL,
     handle_show, "Shows a client's registration."},
    {HTTP_PATCH, ONE, "client_change", "client change, client disable, client enable", "clients", &SCHEMA,
     ADMIN_BODY_CHANGE, ADMIN_GIVES_ONE, true, NULL, handle_change,
     "Changes a client's registration; a list that is given replaces the one there was."},
    {HTTP_POST, ONE "/secret", "client_secret", "client secret", "clients", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_ONE, true,
     NULL, handle_secret, "Gives a client another secret, shown this once; the old one stops working."},
    {HTTP_DELETE, ONE, "client_remove", "client remove", "clients", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_NOTHING, true,
     NULL, handle_remove, "Removes a client; its tokens die with it."},
    {0},
};
