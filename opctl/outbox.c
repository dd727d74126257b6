#include "outbox.h"

#include "app.h"
#include "operator/operate_outbox.h"
#include "parts.h"

enum { DEAD_AT_ONCE = 256, ROUNDS_MAX = 1000, IDS_MAX = 1000 };

struct message_job {
    struct app *app;
    const char *id, *after;
    struct listing listing;
    json_t *shown;
};

static int fail_message(const struct app *app, enum op_err err, const char *id)
{
    if (err == OP_INVALID)
        return app_usage(app, "%s is no id of a message: opctl outbox list shows them", id);
    if (err == OP_ABSENT)
        return app_fail("there is no message %s: it was delivered, or forgotten (opctl outbox list shows all)", id);
    if (err == OP_DENIED)
        return app_fail("message %s was written by a newer version of Partita, which alone delivers or drops it", id);
    if (err == OP_EXISTS)
        return app_fail("message %s is being delivered right now", id);
    return app_fail_store(err, mem_printf(app->ctx, "message %s", id));
}

/* --- list, show --- */

static enum op_err list_part(struct kv_txn *txn, const void *ctx, const void *arg, const char *after, size_t limit,
                             struct listing *ret)
{
    const bool *only_dead = arg;
    return operate_outbox_list(txn, ctx, *only_dead, after, limit, ret);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {"id", "state", "event", "to", "created_at", "tries", "due_at", "failure", NULL};
    static const char *const dead[] = {"id", "event", "to", "created_at", "tries", "died_at", "failure", NULL};
    bool only_dead = cli_has(&app->line, "dead");
    return parts_list(app, list_part, &only_dead, only_dead ? dead : columns, "the list of messages");
}

static enum op_err show(struct kv_txn *txn, void *arg)
{
    struct message_job *job = arg;
    return operate_outbox_show(txn, job->app->ctx, job->id, &job->shown);
}

static int run_show(struct app *app)
{
    struct message_job job = {.app = app, .id = app->line.arguments[0]};
    enum op_err err = app_read(app, show, &job);
    return err == OP_OK ? app_show(app, job.shown) : fail_message(app, err, job.id);
}

/* --- retry, drop --- */

static enum op_err retry(struct kv_txn *txn, void *arg)
{
    struct message_job *job = arg;
    return operate_outbox_retry(txn, job->app->ctx, job->id, &job->shown);
}

static enum op_err drop(struct kv_txn *txn, void *arg)
{
    const struct message_job *job = arg;
    return operate_outbox_drop(txn, job->app->ctx, job->id);
}

static int change_named(struct app *app, kv_work *work, json_t *changed)
{
    for (size_t i = 0; i < app->line.argument_count; i++) {
        struct message_job job = {.app = app, .id = app->line.arguments[i]};
        enum op_err err = app_write(app, KV_OUTBOX, work, &job);
        if (err != OP_OK)
            return fail_message(app, err, job.id);
        json_append_string(changed, job.id);
    }
    return APP_OK;
}

static enum op_err list_dead(struct kv_txn *txn, void *arg)
{
    struct message_job *job = arg;
    return operate_outbox_list(txn, job->app->ctx, true, job->after, DEAD_AT_ONCE, &job->listing);
}

/* Those that went meanwhile, or are a newer version's, are passed over. */
static int change_part(struct app *app, kv_work *work, const json_t *items, json_t *changed)
{
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct message_job job = {
            .app = app, .id = json_string_value(json_object_get(json_array_get(items, i), "id"))};
        enum op_err err = app_write(app, KV_OUTBOX, work, &job);
        if (err == OP_OK)
            json_append_string(changed, job.id);
        else if (err != OP_ABSENT && err != OP_EXISTS && err != OP_DENIED)
            return fail_message(app, err, job.id);
    }
    return APP_OK;
}

static int change_dead(struct app *app, kv_work *work, json_t *changed)
{
    struct message_job job = {.app = app};
    int status = APP_OK;
    for (unsigned round = 0; round < ROUNDS_MAX && status == APP_OK; round++) {
        enum op_err err = app_read(app, list_dead, &job);
        if (err != OP_OK)
            return app_fail_store(err, "the list of dead letters");
        status = change_part(app, work, job.listing.items, changed);
        job.after = job.listing.next;
        if (job.after == NULL)
            break;
    }
    return status;
}

static int change(struct app *app, kv_work *work, const char *done)
{
    bool all_dead = cli_has(&app->line, "dead");
    json_t *report = json_make_object(app->ctx), *changed = json_make_array(app->ctx);
    if (all_dead == (app->line.argument_count > 0))
        return app_usage(app, "name messages by their ids, or all dead letters with --dead");
    int status = all_dead ? change_dead(app, work, changed) : change_named(app, work, changed);
    if (status != APP_OK)
        return status;
    size_t count = json_array_size(changed);
    json_set(report, "messages", changed);
    return app_say(app, report, "%zu message%s %s", count, count == 1 ? "" : "s", done);
}

static int run_retry(struct app *app)
{
    return change(app, retry, "due now");
}

static int run_drop(struct app *app)
{
    return change(app, drop, "dropped");
}

/* --- the table --- */

static const struct cli_option LIST_OPTIONS[] = {{"dead", NULL, false, "dead letters only", NULL}};
static const struct cli_option DEAD_OPTIONS[] = {{"dead", NULL, false, "all dead letters", NULL}};
static const struct kv_store READ_STORES[] = {{KV_OUTBOX, false}};
static const struct kv_store WRITE_STORES[] = {{KV_OUTBOX, true}};

const struct cli_command OUTBOX_COMMANDS[] = {
    {"outbox", "list", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(LIST_OPTIONS), CLI_STORES(READ_STORES), .run = run_list,
     .help = "List the messages that wait to leave, and those that were given up (dead letters), the oldest first."},
    {"outbox", "show", CLI_ARGUMENTS("ID", 1, 1), CLI_STORES(READ_STORES), .run = run_show,
     .help = "Show a message: for whom it is, what it tells, and why it was not delivered."},
    {"outbox", "retry", CLI_ARGUMENTS("[ID...]", 0, IDS_MAX), CLI_OPTIONS(DEAD_OPTIONS), CLI_STORES(WRITE_STORES),
     .run = run_retry, .help = "Deliver messages now, dead letters too, with as many tries as new ones have."},
    {"outbox", "drop", CLI_ARGUMENTS("[ID...]", 0, IDS_MAX), CLI_OPTIONS(DEAD_OPTIONS), CLI_STORES(WRITE_STORES),
     .run = run_drop, .help = "Drop messages undelivered."},
    {0},
};
