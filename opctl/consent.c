#include "consent.h"

#include "app.h"
#include "person.h"
#include "print.h"
#include "protocol/scope.h"
#include "store/consents.h"

enum { LIST_MAX = 4096 };

struct consent_job {
    struct app *app;
    const char *user_id, *client_id;
    Rec__Consent **consents;
    size_t count;
    int64_t since;
};

static json_t *consent_json(const void *ctx, const Rec__Consent *consent)
{
    json_t *object = json_make_object(ctx);
    bool unreadable = consent->needs > RECORDS_FORMAT;
    json_set_string(object, "client_id", consent->client_id);
    json_set_string(object, "state", unreadable ? "unreadable" : consent->withdrawn ? "withdrawn" : "given");
    json_set_string(object, "scope", scope_text(ctx, consent->scopes, consent->n_scopes));
    json_set_strings(object, "claims", consent->claims, consent->n_claims);
    json_set_time(object, "granted_at", consent->granted_at);
    json_set_time(object, "since", consent->since);
    return object;
}

static enum op_err list_consents(struct kv_txn *txn, void *arg)
{
    struct consent_job *job = arg;
    return consents_list_of_user(txn, job->app->ctx, job->user_id, NULL, LIST_MAX, &job->consents, &job->count);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {"client_id", "state", "granted_at", "scope", NULL};
    struct consent_job job = {.app = app};
    int status = person_id(app, app->line.arguments[0], &job.user_id);
    if (status != APP_OK)
        return status;
    enum op_err err = app_read(app, list_consents, &job);
    if (err != OP_OK)
        return app_fail_store(err, "the list of consents");
    json_t *array = json_make_array(app->ctx);
    for (size_t i = 0; i < job.count; i++)
        json_array_append(array, consent_json(app->ctx, job.consents[i]));
    return app_list(app, array, columns);
}

static enum op_err withdraw(struct kv_txn *txn, void *arg)
{
    const struct consent_job *job = arg;
    return consents_withdraw(txn, job->user_id, job->client_id, job->since);
}

static int run_withdraw(struct app *app)
{
    struct consent_job job = {.app = app, .client_id = app->line.arguments[1], .since = app_since()};
    const char *user = app->line.arguments[0];
    int status = person_id(app, user, &job.user_id);
    if (status != APP_OK)
        return status;
    enum op_err err = app_write(app, KV_SESSIONS, withdraw, &job);
    if (err == OP_ABSENT)
        return app_fail("user %s has given client %s no consent (opctl consent list %s shows all)", user, job.client_id,
                        user);
    if (err != OP_OK)
        return app_fail_store(err, "the consent");
    app_wait_until(job.since);
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "user_id", job.user_id);
    json_set_string(object, "client_id", job.client_id);
    return app_say(app, object, "consent of %s for client %s withdrawn", user, job.client_id);
}

static const struct kv_store LIST_STORES[] = {{KV_SESSIONS, false}, {KV_USERS, false}};
static const struct kv_store WITHDRAW_STORES[] = {{KV_SESSIONS, true}, {KV_USERS, false}};

const struct cli_command CONSENT_COMMANDS[] = {
    {"consent", "list", CLI_ARGUMENTS("NAME", 1, 1), CLI_STORES(LIST_STORES), .run = run_list,
     .help = "List what a user allowed clients."},
    {"consent", "withdraw", CLI_ARGUMENTS("NAME CLIENT_ID", 2, 2), CLI_STORES(WITHDRAW_STORES), .run = run_withdraw,
     .help = "Withdraw a user's consent for a client; tokens that lean on it die for good."},
    {0},
};
