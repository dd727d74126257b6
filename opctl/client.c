#include "client.h"

#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/rand.h"
#include "client_fields.h"
#include "data/digest.h"
#include "file.h"
#include "print.h"
#include "protocol/client_auth.h"
#include "protocol/device.h"
#include "protocol/scope.h"
#include "runtime/settings.h"
#include "store/clients.h"
#include "store/keyring.h"

enum { CLIENT_ID_BYTES = 16, CLIENT_SECRET_BYTES = 32, LIST_AT_ONCE = 256, JWKS_MAX = 32 * 1024 };

struct client_job {
    struct app *app;
    const char *client_id;
    Rec__Client *client;
    const char *why;    /* a refusal in words; the work then says OP_OK and writes nothing */
    const char *fresh;  /* a new secret in case one is needed: made before the work, which may run again */
    const char *secret; /* the fresh one, to be shown, when it was needed; else NULL */
    const char *jwks;   /* the text of the file that --jwks names */
    bool disable;
    int64_t since;
};

static int fail_client(const struct app *app, enum op_err err, const char *client_id)
{
    if (err == OP_ABSENT)
        return app_fail("there is no client %s (opctl client list shows all)", client_id);
    return app_fail_store(err, mem_printf(app->ctx, "client %s", client_id));
}

/* --- what is shown --- */

static json_t *client_full(const void *ctx, const Rec__Client *client)
{
    json_t *object = client_fields_json(ctx, client);
    bool unreadable = client->needs > RECORDS_FORMAT;
    json_set_string(object, "state", unreadable ? "unreadable" : client->disabled ? "disabled" : "enabled");
    json_set_time(object, "created_at", client->created_at);
    json_set_time(object, "since", client->since);
    return object;
}

/* What the client's own configuration needs: issuer, identifiers, the secret this once, where to go. */
static json_t *client_sheet(const void *ctx, const Rec__Client *client, const char *secret)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "issuer", settings.issuer);
    json_set_string(object, "client_id", client->client_id);
    json_set_string(object, "client_secret", secret);
    json_object_update_missing(object, client_fields_json(ctx, client));
    json_set_string(object, "discovery", mem_printf(ctx, "%s/.well-known/openid-configuration", settings.issuer));
    static const char *const endpoints[][2] = {
        {"authorization_endpoint", "/authorize"}, {"end_session_endpoint", "/logout"},
        {"device_authorization_endpoint", "/device_authorization"}, {"userinfo_endpoint", "/userinfo"},
        {"token_endpoint", "/token"}, {"jwks_uri", "/.well-known/jwks.json"}};
    bool has_codes = client->n_redirect_uris > 0, for_people = client_fields_for_people(client);
    bool has_devices = records_contain(client->grant_types, client->n_grant_types, DEVICE_GRANT_TYPE);
    const bool useful[] = {has_codes, has_codes, has_devices, for_people, true, true};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
        if (useful[i])
            json_set_string(object, endpoints[i][0], mem_printf(ctx, "%s%s", settings.issuer, endpoints[i][1]));
    if (client->require_pushed_authorization_requests)
        json_set_string(object, "pushed_authorization_request_endpoint", mem_printf(ctx, "%s/as/par", settings.issuer));
    return object;
}

static int say_sheet(const struct app *app, const Rec__Client *client, const char *secret, const char *what)
{
    if (!app->json)
        printf("# %s%s\n", what, secret == NULL ? "" : "; client_secret is shown only now");
    return app_show(app, client_sheet(app->ctx, client, secret));
}

/* --- secrets --- */

static void set_secret(const void *ctx, Rec__Client *client, const char *secret)
{
    struct bytes hash = digest_sha256_of(ctx, secret);
    client->has_client_secret_hash = true;
    client->client_secret_hash = (ProtobufCBinaryData){.len = hash.len, .data = (uint8_t *)hash.data};
}

/* A secret for a client that needs one and has none; none for one that is public or has keys of its own. */
static void settle_secret(struct client_job *job)
{
    job->secret = NULL;
    if (!client_has_secret(job->client)) {
        job->client->has_client_secret_hash = false;
    } else if (!job->client->has_client_secret_hash) {
        set_secret(job->app->ctx, job->client, job->fresh);
        job->secret = job->fresh;
    }
}

static char *new_secret(const struct app *app)
{
    return mem_secret(rand_token(app->ctx, CLIENT_SECRET_BYTES));
}

/* --- keys --- */

static int read_jwks(struct client_job *job)
{
    const char *path = cli_value(&job->app->line, "jwks"), *why;
    char *text;
    if (path == NULL)
        return APP_OK;
    if (file_read_text(job->app->ctx, path, JWKS_MAX, &text, &why) != OP_OK)
        return app_fail("--jwks: %s", why);
    job->jwks = text;
    return APP_OK;
}

/* --- add --- */

static void note_unknown_scopes(const Rec__Client *client, const struct scope_catalogue *catalogue)
{
    bool for_people = client_fields_for_people(client);
    for (size_t i = 0; for_people && i < client->n_scopes; i++)
        if (scope_find(catalogue, client->scopes[i]) == NULL)
            fprintf(stderr, "opctl: note: no claims belong to the scope %s (custom_scopes in the section [all] "
                    "gives it some)\n", client->scopes[i]);
}

struct alg_job {
    const void *ctx;
    const char *alg;
    size_t keys, of_alg;
};

static enum op_err count_keys(struct kv_txn *txn, void *arg)
{
    struct alg_job *job = arg;
    Rec__SigningKey **keys;
    enum op_err err = signing_keys_list(txn, job->ctx, &keys, &job->keys);
    job->of_alg = 0;
    for (size_t i = 0; err == OP_OK && i < job->keys; i++)
        job->of_alg += keys[i]->alg != NULL && strcmp(keys[i]->alg, job->alg) == 0;
    return err;
}

/* Until op-discovery has run there are no keys at all, which says nothing. */
static void note_missing_keys(const struct app *app, const Rec__Client *client)
{
    struct alg_job job = {.ctx = app->ctx, .alg = client->id_token_signed_response_alg};
    if (job.alg != NULL && app_read(app, count_keys, &job) == OP_OK && job.keys > 0 && job.of_alg == 0)
        fprintf(stderr, "opctl: note: there is no signing key of %s yet (signing_algs in the section [op-discovery] "
                "lists what keys are made of)\n", job.alg);
}

static int read_catalogue(const struct app *app, struct scope_catalogue *ret)
{
    const char *why;
    if (scope_catalogue_make(app->ctx, settings.custom_scopes.items, settings.custom_scopes.count, ret, &why) == OP_OK)
        return APP_OK;
    app_fail("custom_scopes: %s", why);
    return APP_BAD_CONFIG;
}

static void apply_kind(const struct app *app, Rec__Client *client)
{
    bool native = cli_has(&app->line, "native");
    if (native)
        client->application_type = mem_strdup(app->ctx, "native");
    if (cli_has(&app->line, "public") || (native && client->token_endpoint_auth_method == NULL))
        client->token_endpoint_auth_method = mem_strdup(app->ctx, "none");
    client->has_first_party = true;
    client->first_party = cli_has(&app->line, "first-party");
}

static enum op_err insert_client(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    job->client->has_created_at = true;
    job->client->created_at = kv_now(txn);
    return clients_insert(txn, job->client);
}

static int run_add(struct app *app)
{
    struct client_job job = {
        .app = app, .client = records_new(app->ctx, &rec__client__descriptor), .fresh = new_secret(app)};
    struct scope_catalogue catalogue;
    const char *method = cli_value(&app->line, "auth-method");
    if (cli_has(&app->line, "public") && method != NULL && strcmp(method, "none") != 0)
        return app_usage(app, "--public and --auth-method %s exclude each other", method);
    int status = read_catalogue(app, &catalogue);
    if (status == APP_OK)
        status = read_jwks(&job);
    if (status != APP_OK)
        return status;
    const char *wrong = client_fields_apply(app->ctx, &app->line, job.jwks, job.client);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    apply_kind(app, job.client);
    char **scopes = mem_array(app->ctx, char *, catalogue.count + 1);
    for (size_t i = 0; i < catalogue.count; i++)
        scopes[i] = mem_strdup(scopes, catalogue.items[i].scope);
    client_fields_defaults(app->ctx, job.client, scopes, catalogue.count);
    wrong = client_fields_problem(app->ctx, job.client);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    note_unknown_scopes(job.client, &catalogue);
    note_missing_keys(app, job.client);
    job.client->client_id = rand_token(app->ctx, CLIENT_ID_BYTES);
    settle_secret(&job);
    enum op_err err = app_write(app, KV_CLIENTS, insert_client, &job);
    if (err != OP_OK)
        return fail_client(app, err, job.client->client_id);
    return say_sheet(app, job.client, job.secret, "client added");
}

/* --- list, show --- */

struct list_job {
    const void *ctx;
    const char *after;
    Rec__Client **clients;
    size_t count;
};

static enum op_err list_clients(struct kv_txn *txn, void *arg)
{
    struct list_job *job = arg;
    return clients_list(txn, job->ctx, job->after, LIST_AT_ONCE, &job->clients, &job->count);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {
        "client_id", "client_name", "state", "token_endpoint_auth_method", "redirect_uris", NULL};
    json_t *array = json_make_array(app->ctx);
    struct list_job job = {.ctx = app->ctx};
    do {
        enum op_err err = app_read(app, list_clients, &job);
        if (err != OP_OK)
            return app_fail_store(err, "the list of clients");
        for (size_t i = 0; i < job.count; i++)
            json_array_append(array, client_full(app->ctx, job.clients[i]));
        if (job.count > 0)
            job.after = job.clients[job.count - 1]->client_id;
    } while (job.count == LIST_AT_ONCE);
    return app_list(app, array, columns);
}

static enum op_err get_client(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    return clients_get(txn, job->app->ctx, job->client_id, &job->client);
}

static int run_show(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0]};
    enum op_err err = app_read(app, get_client, &job);
    return err != OP_OK ? fail_client(app, err, job.client_id) : app_show(app, client_full(app->ctx, job.client));
}

/* --- change, secret --- */

static enum op_err change_client(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    const struct cli_line *line = &job->app->line;
    enum op_err err = get_client(txn, job);
    if (err != OP_OK)
        return err;
    job->why = client_fields_apply(job->app->ctx, line, job->jwks, job->client);
    if (job->why == NULL && cli_has(line, "first-party")) {
        job->client->has_first_party = true;
        job->client->first_party = cli_yes(line, "first-party", false);
    }
    if (job->why == NULL && cli_has(line, "native"))
        job->client->application_type = mem_strdup(job->app->ctx, cli_yes(line, "native", false) ? "native" : "web");
    client_fields_defaults(job->app->ctx, job->client, NULL, 0);
    if (job->why == NULL)
        job->why = client_fields_problem(job->app->ctx, job->client);
    if (job->why != NULL)
        return OP_OK;
    settle_secret(job);
    return clients_update(txn, job->client);
}

static int run_change(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0], .fresh = new_secret(app)};
    struct scope_catalogue catalogue;
    int status = read_catalogue(app, &catalogue);
    if (status == APP_OK)
        status = read_jwks(&job);
    if (status != APP_OK)
        return status;
    enum op_err err = app_write(app, KV_CLIENTS, change_client, &job);
    if (err != OP_OK)
        return fail_client(app, err, job.client_id);
    if (job.why != NULL)
        return app_usage(app, "%s", job.why);
    note_unknown_scopes(job.client, &catalogue);
    note_missing_keys(app, job.client);
    return say_sheet(app, job.client, job.secret, "client changed");
}

static enum op_err replace_secret(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    enum op_err err = get_client(txn, job);
    if (err != OP_OK)
        return err;
    job->why = client_is_public(job->client)    ? "a public client has no secret"
               : !client_has_secret(job->client) ? "a client with keys of its own (private_key_jwt) has no secret"
                                                 : NULL;
    if (job->why != NULL)
        return OP_OK;
    set_secret(job->app->ctx, job->client, job->fresh);
    return clients_update(txn, job->client);
}

static int run_secret(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0], .fresh = new_secret(app)};
    enum op_err err = app_write(app, KV_CLIENTS, replace_secret, &job);
    if (err != OP_OK)
        return fail_client(app, err, job.client_id);
    if (job.why != NULL)
        return app_fail("%s", job.why);
    return say_sheet(app, job.client, job.fresh, "client has another secret, the old one is of no use any more");
}

/* --- disable, enable, remove --- */

static enum op_err set_disabled(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    enum op_err err = get_client(txn, job);
    if (err != OP_OK)
        return err;
    job->client->has_disabled = true;
    job->client->disabled = job->disable;
    if (job->disable) {
        job->client->has_since = true;
        job->client->since = job->since;
    }
    return clients_update(txn, job->client);
}

static int set_state(struct app *app, bool disable, const char *what)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0], .disable = disable, .since = app_since()};
    enum op_err err = app_write(app, KV_CLIENTS, set_disabled, &job);
    if (err != OP_OK)
        return fail_client(app, err, job.client_id);
    if (disable)
        app_wait_until(job.since);
    return app_say(app, client_full(app->ctx, job.client), "client %s %s", job.client_id, what);
}

static int run_disable(struct app *app)
{
    return set_state(app, true, "disabled; its tokens are dead for good");
}

static int run_enable(struct app *app)
{
    return set_state(app, false, "enabled");
}

static enum op_err delete_client(struct kv_txn *txn, void *arg)
{
    const struct client_job *job = arg;
    return clients_delete(txn, job->client_id);
}

static int run_remove(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0]};
    enum op_err err = app_write(app, KV_CLIENTS, delete_client, &job);
    if (err != OP_OK)
        return fail_client(app, err, job.client_id);
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "client_id", job.client_id);
    return app_say(app, object, "client %s removed", job.client_id);
}

/* --- the table --- */

static const struct cli_option ADD_OPTIONS[] = {
    CLIENT_FIELD_OPTIONS,
    {"public", NULL, false, "has no secret: runs in a browser or on a phone, and must use PKCE", NULL},
    {"native", NULL, false, "on a person's own machine: public unless --auth-method says otherwise", NULL},
    {"first-party", NULL, false, "belongs to the operator: people are not asked for consent", NULL},
};
static const struct cli_option CHANGE_OPTIONS[] = {
    CLIENT_FIELD_OPTIONS,
    {"native", "YES-NO", false, "on a person's own machine", CLI_YES_NO},
    {"first-party", "YES-NO", false, "belongs to the operator: people are not asked for consent", CLI_YES_NO},
    {"clear", "OPTION", true, "take an option back", CLIENT_CLEARABLE},
};

static const struct kv_store REGISTER_STORES[] = {{KV_CLIENTS, true}, {KV_JWKS, false}};
static const struct kv_store WRITE_STORES[] = {{KV_CLIENTS, true}};
static const struct kv_store READ_STORES[] = {{KV_CLIENTS, false}};

#define ONE_CLIENT CLI_ARGUMENTS("CLIENT_ID", 1, 1)

const struct cli_command CLIENT_COMMANDS[] = {
    {"client", "add", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(ADD_OPTIONS), CLI_STORES(REGISTER_STORES), .run = run_add,
     .help = "Register a client and print what its own configuration needs, the secret this once."},
    {"client", "list", CLI_ARGUMENTS("", 0, 0), CLI_STORES(READ_STORES), .run = run_list, .help = "List all clients."},
    {"client", "show", ONE_CLIENT, CLI_STORES(READ_STORES), .run = run_show, .help = "Show a client's registration."},
    {"client", "change", ONE_CLIENT, CLI_OPTIONS(CHANGE_OPTIONS), CLI_STORES(REGISTER_STORES), .run = run_change,
     .help = "Change a client's registration; a list that is given replaces the one there was."},
    {"client", "secret", ONE_CLIENT, CLI_STORES(WRITE_STORES), .run = run_secret,
     .help = "Give a client another secret and print it once; the old one stops working."},
    {"client", "disable", ONE_CLIENT, CLI_STORES(WRITE_STORES), .run = run_disable,
     .help = "Refuse a client everywhere; its tokens die for good."},
    {"client", "enable", ONE_CLIENT, CLI_STORES(WRITE_STORES), .run = run_enable,
     .help = "Let a disabled client work again; its old tokens stay dead."},
    {"client", "remove", ONE_CLIENT, CLI_STORES(WRITE_STORES), .run = run_remove,
     .help = "Remove a client; its tokens die with it."},
    {0},
};
