#include "registration_token.h"

#include <string.h>

#include "app.h"
#include "base/codec.h"
#include "base/num.h"
#include "base/rand.h"
#include "data/form.h"
#include "print.h"
#include "runtime/conf_value.h"
#include "runtime/settings.h"
#include "store/initial_access_tokens.h"

enum { TOKEN_BYTES = 32, USES_MAX = 1000000, NOTE_MAX = 200, LIST_AT_ONCE = 256, YEAR = 365 * 86400 };

struct token_job {
    struct app *app;
    const char *token;
    Rec__InitialAccessToken *record;
    int64_t lifetime; /* seconds; 0: it never expires */
    struct bytes id, after;
    Rec__InitialAccessToken **records;
    size_t count;
};

static char *id_of(const void *ctx, const Rec__InitialAccessToken *record)
{
    return codec_hex(ctx, bytes_from(record->token_hash.data, INITIAL_ACCESS_TOKEN_ID_LEN));
}

static json_t *token_json(const void *ctx, const Rec__InitialAccessToken *record)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "id", id_of(ctx, record));
    if (record->needs > RECORDS_FORMAT) {
        json_set_string(object, "state", "unreadable");
        return object;
    }
    json_set_string(object, "note", record->note);
    if (record->has_uses_left)
        json_set_int(object, "uses_left", record->uses_left);
    json_set_int(object, "used", record->used);
    json_set_time(object, "created_at", record->created_at);
    json_set_time(object, "expires_at", record->expires_at);
    return object;
}

/* --- add --- */

static const char *read_uses(const void *ctx, const char *text, Rec__InitialAccessToken *record)
{
    uint64_t uses = 1;
    if (text != NULL && strcmp(text, "unlimited") == 0)
        return NULL;
    if (text != NULL && (num_parse_u64(bytes_of(text), USES_MAX, &uses) != OP_OK || uses == 0))
        return mem_printf(ctx, "--uses is a number from 1 to %d, or unlimited", USES_MAX);
    record->has_uses_left = true;
    record->uses_left = (uint32_t)uses;
    return NULL;
}

static const char *read_lifetime(const void *ctx, const char *text, int64_t *ret)
{
    static int64_t seconds;
    static const struct conf_item item = {
        .name = "expires", .type = CONF_DURATION, .min = 1, .max = 10LL * YEAR, .unit = "s", .target = &seconds};
    if (text != NULL && strcmp(text, "never") == 0) {
        *ret = 0;
        return NULL;
    }
    const char *wrong = conf_value_read(ctx, &item, text == NULL ? "7d" : text);
    if (wrong != NULL)
        return mem_printf(ctx, "--expires: %s; or never", wrong);
    *ret = seconds;
    return NULL;
}

static const char *read_note(const void *ctx, const char *text, Rec__InitialAccessToken *record)
{
    if (text == NULL)
        return NULL;
    if (strlen(text) > NOTE_MAX || !form_is_utf8(bytes_of(text)))
        return mem_printf(ctx, "--note is longer than %d bytes or not UTF-8 text", NOTE_MAX);
    record->note = mem_strdup(record, text);
    return NULL;
}

static enum op_err insert_token(struct kv_txn *txn, void *arg)
{
    struct token_job *job = arg;
    job->record->has_created_at = true;
    job->record->created_at = kv_now(txn);
    job->record->has_expires_at = job->lifetime > 0;
    job->record->expires_at = job->lifetime > 0 ? kv_now(txn) + job->lifetime : 0;
    return initial_access_tokens_insert(txn, job->token, job->record);
}

static int run_add(struct app *app)
{
    struct token_job job = {
        .app = app,
        .token = mem_secret(rand_token(app->ctx, TOKEN_BYTES)),
        .record = records_new(app->ctx, &rec__initial_access_token__descriptor),
    };
    const char *wrong = read_uses(app->ctx, cli_value(&app->line, "uses"), job.record);
    if (wrong == NULL)
        wrong = read_lifetime(app->ctx, cli_value(&app->line, "expires"), &job.lifetime);
    if (wrong == NULL)
        wrong = read_note(app->ctx, cli_value(&app->line, "note"), job.record);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    enum op_err err = app_write(app, KV_CLIENTS, insert_token, &job);
    if (err != OP_OK)
        return app_fail_store(err, "the initial access token");
    json_t *sheet = json_make_object(app->ctx);
    json_set_string(sheet, "initial_access_token", job.token);
    json_set_string(sheet, "registration_endpoint", mem_printf(app->ctx, "%s/register", settings.issuer));
    json_object_update_missing(sheet, token_json(app->ctx, job.record));
    return app_show(app, sheet);
}

/* --- list --- */

static enum op_err list_tokens(struct kv_txn *txn, void *arg)
{
    struct token_job *job = arg;
    return initial_access_tokens_list(txn, job->app->ctx, job->after, LIST_AT_ONCE, &job->records, &job->count);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {"id", "note", "uses_left", "used", "created_at", "expires_at", NULL};
    struct token_job job = {.app = app};
    json_t *array = json_make_array(app->ctx);
    do {
        enum op_err err = app_read(app, list_tokens, &job);
        if (err != OP_OK)
            return app_fail_store(err, "the list of initial access tokens");
        for (size_t i = 0; i < job.count; i++)
            json_array_append(array, token_json(app->ctx, job.records[i]));
        if (job.count > 0)
            job.after = bytes_from(job.records[job.count - 1]->token_hash.data,
                                   job.records[job.count - 1]->token_hash.len);
    } while (job.count == LIST_AT_ONCE);
    return app_list(app, array, columns);
}

/* --- revoke --- */

static enum op_err delete_token(struct kv_txn *txn, void *arg)
{
    const struct token_job *job = arg;
    return initial_access_tokens_delete(txn, job->id.data);
}

static int run_revoke(struct app *app)
{
    struct token_job job = {.app = app};
    const char *text = app->line.arguments[0];
    if (codec_from_hex(app->ctx, bytes_of(text), &job.id) != OP_OK || job.id.len != INITIAL_ACCESS_TOKEN_ID_LEN)
        return app_usage(app, "%s is no id of one: opctl registration-token list shows them", text);
    enum op_err err = app_write(app, KV_CLIENTS, delete_token, &job);
    if (err == OP_ABSENT)
        return app_fail("there is no initial access token %s (opctl registration-token list shows all)", text);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(app->ctx, "initial access token %s", text));
    json_t *report = json_make_object(app->ctx);
    json_set_string(report, "revoked", text);
    return app_say(app, report, "initial access token %s revoked; clients that it registered stay", text);
}

/* --- the table --- */

static const struct cli_option ADD_OPTIONS[] = {
    {"uses", "N", false, "how many clients it may register, or unlimited (default 1)", NULL},
    {"expires", "DURATION", false, "how long it may be used, such as 12h or 30d, or never (default 7d)", NULL},
    {"note", "TEXT", false, "whose it is, for the list", NULL},
};
static const struct kv_store WRITE_STORES[] = {{KV_CLIENTS, true}};
static const struct kv_store READ_STORES[] = {{KV_CLIENTS, false}};

const struct cli_command REGISTRATION_TOKEN_COMMANDS[] = {
    {"registration-token", "add", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(ADD_OPTIONS), CLI_STORES(WRITE_STORES),
     .run = run_add,
     .help = "Make an initial access token, with which clients register themselves at /register, and print it once."},
    {"registration-token", "list", CLI_ARGUMENTS("", 0, 0), CLI_STORES(READ_STORES), .run = run_list,
     .help = "List the initial access tokens that can still be used."},
    {"registration-token", "revoke", CLI_ARGUMENTS("ID", 1, 1), CLI_STORES(WRITE_STORES), .run = run_revoke,
     .help = "Revoke an initial access token; clients that it registered stay."},
    {0},
};
