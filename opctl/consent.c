#include "consent.h"

#include "app.h"
#include "operator/operate_consents.h"
#include "parts.h"
#include "person.h"

struct consent_job {
    struct app *app;
    const char *user_id, *client_id;
    int64_t since;
    json_t *consent;
};

static enum op_err list_part(struct kv_txn *txn, const void *ctx, const void *filter, const char *after, size_t limit,
                             struct listing *ret)
{
    return operate_consents_list(txn, ctx, filter, after, limit, ret);
}

static int run_list(struct app *app)
{
    static const char *const of_user[] = {"client_id", "state", "granted_at", "scope", NULL};
    static const char *const of_all[] = {"user_id", "client_id", "state", "granted_at", "scope", NULL};
    struct operate_consents_filter filter = {.client_id = cli_value(&app->line, "client")};
    bool all = app->line.argument_count == 0;
    int status = all ? APP_OK : person_id(app, app->line.arguments[0], &filter.user_id);
    return status != APP_OK ? status : parts_list(app, list_part, &filter, all ? of_all : of_user, "the list of consents");
}

static int fail_consent(const struct app *app, enum op_err err)
{
    const char *user = app->line.arguments[0], *client_id = app->line.arguments[1];
    if (err == OP_ABSENT)
        return app_fail("user %s has given client %s no consent (opctl consent list %s shows all)", user, client_id, user);
    return app_fail_store(err, "the consent");
}

static enum op_err show(struct kv_txn *txn, void *arg)
{
    struct consent_job *job = arg;
    return operate_consents_show(txn, job->app->ctx, job->user_id, job->client_id, &job->consent);
}

static int run_show(struct app *app)
{
    struct consent_job job = {.app = app, .client_id = app->line.arguments[1]};
    int status = person_id(app, app->line.arguments[0], &job.user_id);
    if (status != APP_OK)
        return status;
    enum op_err err = app_read(app, show, &job);
    return err != OP_OK ? fail_consent(app, err) : app_show(app, job.consent);
}

static enum op_err withdraw(struct kv_txn *txn, void *arg)
{
    struct consent_job *job = arg;
    return operate_consents_withdraw(txn, job->app->ctx, job->user_id, job->client_id, &job->since);
}

static int run_withdraw(struct app *app)
{
    struct consent_job job = {.app = app, .client_id = app->line.arguments[1]};
    const char *user = app->line.arguments[0];
    int status = person_id(app, user, &job.user_id);
    if (status != APP_OK)
        return status;
    enum op_err err = app_write(app, KV_SESSIONS, withdraw, &job);
    if (err != OP_OK)
        return fail_consent(app, err);
    app_wait_until(job.since);
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "user_id", job.user_id);
    json_set_string(object, "client_id", job.client_id);
    return app_say(app, object, "consent of %s for client %s withdrawn", user, job.client_id);
}

static const struct cli_option LIST_OPTIONS[] = {{"client", "CLIENT_ID", false, "only those for this client", NULL}};
static const struct kv_store LIST_STORES[] = {{KV_SESSIONS, false}, {KV_USERS, false}};
static const struct kv_store WITHDRAW_STORES[] = {{KV_SESSIONS, true}, {KV_USERS, false}};

const struct cli_command CONSENT_COMMANDS[] = {
    {"consent", "list", CLI_ARGUMENTS("[NAME]", 0, 1), CLI_OPTIONS(LIST_OPTIONS), CLI_STORES(LIST_STORES),
     .run = run_list,
     .help = "List what a user allowed clients, or what all users did."},
    {"consent", "show", CLI_ARGUMENTS("NAME CLIENT_ID", 2, 2), CLI_STORES(LIST_STORES), .run = run_show,
     .help = "Show what a user allowed a client."},
    {"consent", "withdraw", CLI_ARGUMENTS("NAME CLIENT_ID", 2, 2), CLI_STORES(WITHDRAW_STORES), .run = run_withdraw,
     .help = "Withdraw a user's consent for a client; tokens that lean on it die for good."},
    {0},
};
