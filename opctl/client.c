#include "client.h"

#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/rand.h"
#include "client_fields.h"
#include "client_known.h"
#include "file.h"
#include "operator/operate_clients.h"
#include "parts.h"
#include "protocol/device.h"
#include "runtime/settings.h"
#include "store/keyring.h"

enum { JWKS_MAX = 32 * 1024 };

struct client_job {
    struct app *app;
    const char *client_id;
    const json_t *patch;
    const char *fresh;  /* a new secret in case one is needed: made before the work, which may run again */
    /* set by work: */
    Rec__Client *client;
    const char *secret; /* the fresh one, to be shown, when it was needed; else NULL */
    struct refusal refusal;
    bool managed_itself; /* it had a registration access token before the change */
};

static int fail_client(const struct app *app, enum op_err err, const char *client_id)
{
    if (err == OP_ABSENT)
        return app_fail("there is no client %s (opctl client list shows all)", client_id);
    return app_fail_store(err, mem_printf(app->ctx, "client %s", client_id));
}

/* --- what is shown --- */

/* What the client's own configuration needs: issuer, identifiers, the secret this once, where to go. */
static json_t *client_sheet(const void *ctx, const Rec__Client *client, const char *secret)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "issuer", settings.issuer);
    json_set_string(object, "client_id", client->client_id);
    json_set_string(object, "client_secret", secret);
    json_object_update_missing(object, operate_client_json(ctx, client));
    json_object_del(object, "state");
    json_object_del(object, "created_at");
    json_object_del(object, "since");
    json_set_string(object, "discovery", mem_printf(ctx, "%s/.well-known/openid-configuration", settings.issuer));
    static const char *const endpoints[][2] = {
        {"authorization_endpoint", "/authorize"}, {"end_session_endpoint", "/logout"},
        {"device_authorization_endpoint", "/device_authorization"}, {"userinfo_endpoint", "/userinfo"},
        {"token_endpoint", "/token"}, {"jwks_uri", "/.well-known/jwks.json"}};
    bool has_codes = client->n_redirect_uris > 0, for_people = operate_client_is_for_people(client);
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

static struct operate_client_rules rules(void)
{
    return (struct operate_client_rules){
        OPERATE_ON_MACHINE, {settings.refresh_token_idle_lifetime, settings.refresh_token_lifetime}};
}

static char *new_secret(const struct app *app)
{
    return mem_secret(rand_token(app->ctx, OPERATE_CLIENT_SECRET_BYTES));
}

/* --- the line --- */

static int read_jwks(const struct app *app, const char **ret)
{
    const char *path = cli_value(&app->line, "jwks"), *why;
    char *text;
    if (path == NULL)
        return APP_OK;
    if (file_read_text(app->ctx, path, JWKS_MAX, &text, &why) != OP_OK)
        return app_fail("--jwks: %s", why);
    *ret = text;
    return APP_OK;
}

static int read_patch(const struct app *app, json_t **ret)
{
    const char *jwks = NULL;
    int status = read_jwks(app, &jwks);
    if (status != APP_OK)
        return status;
    const char *wrong = client_fields_read(app->ctx, &app->line, jwks, ret);
    return wrong == NULL ? APP_OK : app_usage(app, "%s", wrong);
}

/* --- add --- */

static void note_unknown_scopes(const Rec__Client *client, const struct scope_catalogue *catalogue)
{
    bool for_people = operate_client_is_for_people(client);
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

static void set_kind(const struct app *app, json_t *document)
{
    bool native = cli_has(&app->line, "native");
    if (native)
        json_set_string(document, "application_type", "native");
    if (cli_has(&app->line, "public") || (native && !cli_has(&app->line, "auth-method")))
        json_set_string(document, "token_endpoint_auth_method", "none");
    json_set_bool(document, "first_party", cli_has(&app->line, "first-party"));
}

static enum op_err add_client(struct kv_txn *txn, void *arg)
{
    const struct client_job *job = arg;
    return operate_clients_add(txn, job->client);
}

static int run_add(struct app *app)
{
    struct client_job job = {.app = app};
    struct operate_client_fresh fresh;
    const struct operate_client_rules judged_by = rules();
    struct scope_catalogue catalogue;
    json_t *document;
    const char *method = cli_value(&app->line, "auth-method");
    if (cli_has(&app->line, "public") && method != NULL && strcmp(method, "none") != 0)
        return app_usage(app, "--public and --auth-method %s exclude each other", method);
    const char *wrong = client_known_read(app->ctx, &app->line, &fresh);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    int status = read_catalogue(app, &catalogue);
    if (status == APP_OK)
        status = read_patch(app, &document);
    if (status != APP_OK)
        return status;
    set_kind(app, document);
    if (operate_clients_make(app->ctx, document, &catalogue, &judged_by, &fresh, &job.client, &job.secret,
                             &job.refusal) != OP_OK)
        return app_usage(app, "%s", client_fields_refusal(app->ctx, &job.refusal));
    if (job.secret == NULL && cli_has(&app->line, "secret-file"))
        return app_usage(app, "--secret-file: this client has no secret");
    note_unknown_scopes(job.client, &catalogue);
    note_missing_keys(app, job.client);
    enum op_err err = app_write(app, KV_CLIENTS, add_client, &job);
    if (err != OP_OK)
        return fail_client(app, err, job.client->client_id);
    app->facts->client_id = job.client->client_id;
    return say_sheet(app, job.client, job.secret, "client added");
}

/* --- list, show --- */

static enum op_err list_part(struct kv_txn *txn, const void *ctx, const void *arg, const char *after, size_t limit,
                             struct listing *ret)
{
    (void)arg;
    return operate_clients_list(txn, ctx, after, limit, ret);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {
        "client_id", "client_name", "state", "token_endpoint_auth_method", "redirect_uris", NULL};
    return parts_list(app, list_part, NULL, columns, "the list of clients");
}

static enum op_err show_client(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    return operate_clients_show(txn, job->app->ctx, job->client_id, &job->client);
}

static int run_show(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0]};
    enum op_err err = app_read(app, show_client, &job);
    return err != OP_OK ? fail_client(app, err, job.client_id)
                        : app_show(app, operate_client_json(app->ctx, job.client));
}

/* --- change, secret --- */

static enum op_err change_client(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    const struct operate_client_rules judged_by = rules();
    Rec__Client *before;
    enum op_err err = operate_clients_show(txn, job->app->ctx, job->client_id, &before);
    if (err != OP_OK)
        return err;
    job->managed_itself = before->has_registration_access_token_hash;
    return operate_clients_change(txn, job->app->ctx, job->client_id, job->patch, &judged_by, job->fresh, &job->client,
                                  &job->secret, &job->refusal);
}

static void note_management(const struct client_job *job)
{
    if (job->managed_itself && !job->client->has_registration_access_token_hash)
        fprintf(stderr, "opctl: note: its registration access token is of no use any more: a client that administers is "
                "changed on the machine only\n");
}

static int run_change(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0], .fresh = new_secret(app)};
    struct scope_catalogue catalogue;
    json_t *patch;
    int status = read_catalogue(app, &catalogue);
    if (status == APP_OK)
        status = read_patch(app, &patch);
    if (status != APP_OK)
        return status;
    if (cli_has(&app->line, "first-party"))
        json_set_bool(patch, "first_party", cli_yes(&app->line, "first-party", false));
    if (cli_has(&app->line, "native"))
        json_set_string(patch, "application_type", cli_yes(&app->line, "native", false) ? "native" : "web");
    job.patch = patch;
    enum op_err err = app_write(app, KV_CLIENTS, change_client, &job);
    if (err == OP_INVALID)
        return app_usage(app, "%s", client_fields_refusal(app->ctx, &job.refusal));
    if (err != OP_OK)
        return fail_client(app, err, job.client_id);
    note_unknown_scopes(job.client, &catalogue);
    note_missing_keys(app, job.client);
    note_management(&job);
    return say_sheet(app, job.client, job.secret, "client changed");
}

static enum op_err replace_secret(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    return operate_clients_secret(txn, job->app->ctx, job->client_id, OPERATE_ON_MACHINE, job->fresh, &job->client,
                                  &job->refusal);
}

static int run_secret(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0], .fresh = new_secret(app)};
    enum op_err err = app_write(app, KV_CLIENTS, replace_secret, &job);
    if (err == OP_INVALID)
        return app_fail("%s", job.refusal.what);
    if (err != OP_OK)
        return fail_client(app, err, job.client_id);
    return say_sheet(app, job.client, job.fresh, "client has another secret, the old one is of no use any more");
}

/* --- disable, enable, remove --- */

static enum op_err disable_client(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    return operate_clients_disable(txn, job->app->ctx, job->client_id, &job->client);
}

static enum op_err enable_client(struct kv_txn *txn, void *arg)
{
    struct client_job *job = arg;
    return operate_clients_enable(txn, job->app->ctx, job->client_id, OPERATE_ON_MACHINE, &job->client, &job->refusal);
}

static int say_state(const struct app *app, enum op_err err, const struct client_job *job, const char *what)
{
    if (err != OP_OK)
        return fail_client(app, err, job->client_id);
    return app_say(app, operate_client_json(app->ctx, job->client), "client %s %s", job->client_id, what);
}

static int run_disable(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0]};
    enum op_err err = app_write(app, KV_CLIENTS, disable_client, &job);
    if (err == OP_OK)
        app_wait_until(job.client->since);
    return say_state(app, err, &job, "disabled; its tokens are dead for good");
}

static int run_enable(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0]};
    return say_state(app, app_write(app, KV_CLIENTS, enable_client, &job), &job, "enabled");
}

static enum op_err remove_client(struct kv_txn *txn, void *arg)
{
    const struct client_job *job = arg;
    return operate_clients_remove(txn, job->client_id);
}

static int run_remove(struct app *app)
{
    struct client_job job = {.app = app, .client_id = app->line.arguments[0]};
    enum op_err err = app_write(app, KV_CLIENTS, remove_client, &job);
    if (err != OP_OK)
        return fail_client(app, err, job.client_id);
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "client_id", job.client_id);
    return app_say(app, object, "client %s removed", job.client_id);
}

/* --- the table --- */

static const struct cli_option ADD_OPTIONS[] = {
    CLIENT_FIELD_OPTIONS,
    CLIENT_KNOWN_OPTIONS,
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
