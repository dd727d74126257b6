#include "registration_token.h"

#include <string.h>

#include "app.h"
#include "base/num.h"
#include "base/rand.h"
#include "operator/operate_registration_tokens.h"
#include "parts.h"
#include "runtime/conf_value.h"
#include "runtime/settings.h"

struct token_job {
    struct app *app;
    const char *token, *id;
    struct operate_registration_token wanted;
    json_t *shown;
};

/* --- add --- */

static const char *read_uses(const void *ctx, const char *text, int64_t *ret)
{
    uint64_t uses = OPERATE_TOKEN_USES;
    if (text != NULL && strcmp(text, "unlimited") == 0)
        uses = 0;
    else if (text != NULL && (num_parse_u64(bytes_of(text), OPERATE_TOKEN_USES_MAX, &uses) != OP_OK || uses == 0))
        return mem_printf(ctx, "--uses is a number from 1 to %d, or unlimited", OPERATE_TOKEN_USES_MAX);
    *ret = (int64_t)uses;
    return NULL;
}

static const char *read_lifetime(const void *ctx, const char *text, int64_t *ret)
{
    static int64_t seconds;
    static const struct conf_item item = {.name = "expires", .type = CONF_DURATION, .min = 1,
                                          .max = OPERATE_TOKEN_LIFETIME_MAX, .unit = "s", .target = &seconds};
    if (text == NULL || strcmp(text, "never") == 0) {
        *ret = text == NULL ? OPERATE_TOKEN_LIFETIME : 0;
        return NULL;
    }
    const char *wrong = conf_value_read(ctx, &item, text);
    if (wrong != NULL)
        return mem_printf(ctx, "--expires: %s; or never", wrong);
    *ret = seconds;
    return NULL;
}

static enum op_err add_token(struct kv_txn *txn, void *arg)
{
    struct token_job *job = arg;
    return operate_registration_tokens_add(txn, job->app->ctx, job->token, &job->wanted, &job->shown);
}

static int run_add(struct app *app)
{
    struct token_job job = {.app = app, .token = mem_secret(rand_token(app->ctx, OPERATE_TOKEN_BYTES)),
                            .wanted.note = cli_value(&app->line, "note")};
    struct refusal refusal;
    const char *wrong = read_uses(app->ctx, cli_value(&app->line, "uses"), &job.wanted.uses);
    if (wrong == NULL)
        wrong = read_lifetime(app->ctx, cli_value(&app->line, "expires"), &job.wanted.expires_in);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    if (!operate_registration_token_check(&job.wanted, &refusal))
        return app_usage(app, "--%s %s", refusal.member, refusal.what);
    enum op_err err = app_write(app, KV_CLIENTS, add_token, &job);
    if (err != OP_OK)
        return app_fail_store(err, "the initial access token");
    json_t *sheet = json_make_object(app->ctx);
    json_set_string(sheet, "initial_access_token", job.token);
    json_set_string(sheet, "registration_endpoint", mem_printf(app->ctx, "%s/register", settings.issuer));
    json_object_update_missing(sheet, job.shown);
    app->facts->object = json_string_value(json_object_get(job.shown, "id"));
    return app_show(app, sheet);
}

/* --- list, revoke --- */

static enum op_err list_part(struct kv_txn *txn, const void *ctx, const void *arg, const char *after, size_t limit,
                             struct listing *ret)
{
    (void)arg;
    return operate_registration_tokens_list(txn, ctx, after, limit, ret);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {"id", "note", "uses_left", "used", "created_at", "expires_at", NULL};
    return parts_list(app, list_part, NULL, columns, "the list of initial access tokens");
}

static enum op_err revoke_token(struct kv_txn *txn, void *arg)
{
    const struct token_job *job = arg;
    return operate_registration_tokens_revoke(txn, job->app->ctx, job->id);
}

static int run_revoke(struct app *app)
{
    struct token_job job = {.app = app, .id = app->line.arguments[0]};
    enum op_err err = app_write(app, KV_CLIENTS, revoke_token, &job);
    if (err == OP_INVALID)
        return app_usage(app, "%s is no id of one: opctl registration-token list shows them", job.id);
    if (err == OP_ABSENT)
        return app_fail("there is no initial access token %s (opctl registration-token list shows all)", job.id);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(app->ctx, "initial access token %s", job.id));
    json_t *report = json_make_object(app->ctx);
    json_set_string(report, "revoked", job.id);
    return app_say(app, report, "initial access token %s revoked; clients that it registered stay", job.id);
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
