#include "outbox.h"

#include <string.h>

#include "app.h"
#include "base/clock.h"
#include "base/codec.h"
#include "runtime/settings.h"
#include "store/outbox.h"

enum { LIST_AT_ONCE = 256, ROUNDS_MAX = 100000, IDS_MAX = 1000 };

struct outbox_job {
    struct app *app;
    struct bytes id, after;
    Rec__Message *message;
    Rec__Message **messages;
    size_t count;
};

static struct bytes id_of(const Rec__Message *message)
{
    return bytes_from(message->message_id.data, message->message_id.len);
}

/* --- what is shown --- */

static const char *state_of(const Rec__Message *message)
{
    if (message->needs > RECORDS_FORMAT)
        return "unreadable";
    if (message->has_died_at)
        return "dead";
    return outbox_is_claimed(message, clock_now_ms()) ? "leaving" : "waiting";
}

static json_t *message_json(const void *ctx, const Rec__Message *message)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "id", codec_hex(ctx, id_of(message)));
    json_set_string(object, "state", state_of(message));
    if (message->needs > RECORDS_FORMAT)
        return object;
    json_set_string(object, "kind", message->mail == NULL ? "unknown" : "mail");
    if (message->mail != NULL) {
        json_set_string(object, "event", message->mail->event);
        json_set_string(object, "to", message->mail->to);
    }
    json_set_time(object, "created_at", message->created_ms / 1000);
    json_set_int(object, "tries", message->tries);
    if (message->has_died_at)
        json_set_time(object, "died_at", message->died_at);
    else
        json_set_time(object, "due_at", message->due_ms / 1000);
    json_set_string(object, "failure", message->failure);
    return object;
}

/* --- all of them --- */

static enum op_err list_messages(struct kv_txn *txn, void *arg)
{
    struct outbox_job *job = arg;
    return outbox_list(txn, job->app->ctx, job->after, LIST_AT_ONCE, &job->messages, &job->count);
}

/* Calls each with every message, or every dead letter. Returns the exit status. */
typedef int each_message(struct app *app, const Rec__Message *message, json_t *report);

static int for_all(struct app *app, bool only_dead, each_message *each, json_t *report)
{
    struct outbox_job job = {.app = app};
    int status = APP_OK;
    for (unsigned round = 0; round < ROUNDS_MAX && status == APP_OK; round++) {
        enum op_err err = app_read(app, list_messages, &job);
        if (err != OP_OK)
            return app_fail_store(err, "the outbox");
        for (size_t i = 0; i < job.count && status == APP_OK; i++)
            if (!only_dead || job.messages[i]->has_died_at)
                status = each(app, job.messages[i], report);
        if (job.count < LIST_AT_ONCE)
            break;
        job.after = id_of(job.messages[job.count - 1]);
    }
    return status;
}

static int append(struct app *app, const Rec__Message *message, json_t *report)
{
    json_array_append(report, message_json(app->ctx, message));
    return APP_OK;
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {"id", "state", "event", "to", "created_at", "tries", "due_at", "failure", NULL};
    static const char *const dead[] = {"id", "event", "to", "created_at", "tries", "died_at", "failure", NULL};
    json_t *array = json_make_array(app->ctx);
    bool only_dead = cli_has(&app->line, "dead");
    int status = for_all(app, only_dead, append, array);
    if (status == APP_OK && !app->json && *settings.mail_server == '\0' && !only_dead)
        app_fail("mail_server is not set: nothing is written into the outbox, and nothing leaves it");
    return status != APP_OK ? status : app_list(app, array, only_dead ? dead : columns);
}

/* --- one --- */

static int read_id(const struct app *app, const char *text, struct bytes *ret)
{
    if (codec_from_hex(app->ctx, bytes_of(text), ret) == OP_OK && ret->len == OUTBOX_ID_LEN)
        return APP_OK;
    return app_usage(app, "%s is no id of a message: opctl outbox list shows them", text);
}

static int fail_message(const struct app *app, enum op_err err, struct bytes id)
{
    const char *text = codec_hex(app->ctx, id);
    if (err == OP_ABSENT)
        return app_fail("there is no message %s: it was delivered, or forgotten (opctl outbox list shows all)", text);
    if (err == OP_DENIED)
        return app_fail("message %s was written by a newer version of Partita, which alone delivers or drops it", text);
    if (err == OP_EXISTS)
        return app_fail("message %s is being delivered right now", text);
    return app_fail_store(err, mem_printf(app->ctx, "message %s", text));
}

static enum op_err get_message(struct kv_txn *txn, void *arg)
{
    struct outbox_job *job = arg;
    return outbox_get(txn, job->app->ctx, job->id, &job->message);
}

static int run_show(struct app *app)
{
    struct outbox_job job = {.app = app};
    int status = read_id(app, app->line.arguments[0], &job.id);
    if (status != APP_OK)
        return status;
    enum op_err err = app_read(app, get_message, &job);
    if (err != OP_OK)
        return fail_message(app, err, job.id);
    json_t *object = message_json(app->ctx, job.message);
    const Rec__Mail *mail = job.message->mail;
    if (mail != NULL) {
        json_set_string(object, "username", mail->username);
        json_set_string(object, "name", mail->name);
        json_set_string(object, "language", mail->language);
        json_set_time(object, "happened_at", mail->happened_at);
    }
    return app_show(app, object);
}

/* --- retry and drop --- */

static enum op_err make_due(struct kv_txn *txn, void *arg)
{
    const struct outbox_job *job = arg;
    return outbox_make_due(txn, job->id, clock_now_ms());
}

static enum op_err drop(struct kv_txn *txn, void *arg)
{
    const struct outbox_job *job = arg;
    return outbox_drop(txn, job->id);
}

static void add_id(const struct app *app, json_t *report, struct bytes id)
{
    json_append_string(json_object_get(report, "messages"), codec_hex(app->ctx, id));
}

/* One of many: those that went meanwhile, are under way or are a newer version's are passed over. */
static int pass(struct app *app, kv_work *work, struct bytes id, json_t *report)
{
    struct outbox_job job = {.app = app, .id = id};
    enum op_err err = app_write(app, KV_OUTBOX, work, &job);
    if (err == OP_OK)
        add_id(app, report, id);
    bool passed_over = err == OP_ABSENT || err == OP_EXISTS || err == OP_DENIED;
    return err == OP_OK || passed_over ? APP_OK : fail_message(app, err, id);
}

static int retry_each(struct app *app, const Rec__Message *message, json_t *report)
{
    return pass(app, make_due, id_of(message), report);
}

static int drop_each(struct app *app, const Rec__Message *message, json_t *report)
{
    return pass(app, drop, id_of(message), report);
}

static int change_named(struct app *app, kv_work *work, json_t *report)
{
    struct outbox_job job = {.app = app};
    int status = APP_OK;
    for (size_t i = 0; i < app->line.argument_count && status == APP_OK; i++)
        status = read_id(app, app->line.arguments[i], &job.id);
    for (size_t i = 0; i < app->line.argument_count && status == APP_OK; i++) {
        status = read_id(app, app->line.arguments[i], &job.id);
        enum op_err err = status == APP_OK ? app_write(app, KV_OUTBOX, work, &job) : OP_OK;
        if (err != OP_OK)
            return fail_message(app, err, job.id);
        add_id(app, report, job.id);
    }
    return status;
}

static int change(struct app *app, kv_work *work, each_message *each, const char *done)
{
    json_t *report = json_make_object(app->ctx);
    bool all_dead = cli_has(&app->line, "dead");
    json_set(report, "messages", json_make_array(app->ctx));
    if (all_dead == (app->line.argument_count > 0))
        return app_usage(app, "name messages by their ids, or all dead letters with --dead");
    int status = all_dead ? for_all(app, true, each, report) : change_named(app, work, report);
    if (status != APP_OK)
        return status;
    size_t count = json_array_size(json_object_get(report, "messages"));
    return app_say(app, report, "%zu message%s %s", count, count == 1 ? "" : "s", done);
}

static int run_retry(struct app *app)
{
    return change(app, make_due, retry_each, "due now");
}

static int run_drop(struct app *app)
{
    return change(app, drop, drop_each, "dropped");
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
