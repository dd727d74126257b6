#include "family.h"

#include "app.h"
#include "operator/operate_families.h"
#include "parts.h"
#include "person.h"

struct family_job {
    struct app *app;
    struct operate_families_filter filter;
    const char *name, *after;
    json_t *found; /* what was shown, or revoked at last */
};

/* Those that the line's --user and --client name. Returns an exit status. */
static int read_filter(const struct app *app, struct operate_families_filter *ret)
{
    const char *user = cli_value(&app->line, "user");
    ret->client_id = cli_value(&app->line, "client");
    return user == NULL ? APP_OK : person_id(app, user, &ret->user_id);
}

static enum op_err list_part(struct kv_txn *txn, const void *ctx, const void *filter, const char *after, size_t limit,
                             struct listing *ret)
{
    return operate_families_list(txn, ctx, filter, after, limit, ret);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {
        "family", "state", "user_id", "client_id", "last_used", "offline", "scope", NULL};
    struct operate_families_filter filter = {0};
    int status = read_filter(app, &filter);
    return status != APP_OK ? status : parts_list(app, list_part, &filter, columns, "the list of token families");
}

static int fail_family(const struct app *app, enum op_err err, const char *name)
{
    if (err == OP_INVALID)
        return app_usage(app, "%s is no family: opctl family list shows them", name);
    if (err == OP_ABSENT)
        return app_fail("there is no family %s (opctl family list shows all)", name);
    return app_fail_store(err, mem_printf(app->ctx, "family %s", name));
}

static enum op_err show_family(struct kv_txn *txn, void *arg)
{
    struct family_job *job = arg;
    return operate_families_show(txn, job->app->ctx, job->name, &job->found);
}

static int run_show(struct app *app)
{
    struct family_job job = {.app = app, .name = app->line.arguments[0]};
    enum op_err err = app_read(app, show_family, &job);
    return err != OP_OK ? fail_family(app, err, job.name) : app_show(app, job.found);
}

/* --- revoke --- */

static enum op_err revoke_family(struct kv_txn *txn, void *arg)
{
    const struct family_job *job = arg;
    return operate_families_revoke(txn, job->app->ctx, job->name);
}

static int revoke_named(struct family_job *job, json_t *revoked)
{
    const struct cli_line *line = &job->app->line;
    struct bytes id;
    for (size_t i = 0; i < line->argument_count; i++)
        if (operate_family_id(job->app->ctx, line->arguments[i], &id) != OP_OK)
            return fail_family(job->app, OP_INVALID, line->arguments[i]);
    for (size_t i = 0; i < line->argument_count; i++) {
        job->name = line->arguments[i];
        enum op_err err = app_write(job->app, KV_TOKENS, revoke_family, job);
        if (err != OP_OK)
            return fail_family(job->app, err, job->name);
        json_append_string(revoked, job->name);
    }
    return APP_OK;
}

static enum op_err revoke_some(struct kv_txn *txn, void *arg)
{
    struct family_job *job = arg;
    const char *next;
    enum op_err err = operate_families_revoke_all(txn, job->app->ctx, &job->filter, "revoked", job->after, &job->found,
                                                  &next);
    if (err == OP_OK)
        job->name = next;
    return err;
}

static int revoke_listed(struct family_job *job, json_t *revoked)
{
    int status = read_filter(job->app, &job->filter);
    if (status != APP_OK)
        return status;
    do {
        job->after = job->name;
        enum op_err err = app_write(job->app, KV_TOKENS, revoke_some, job);
        if (err != OP_OK)
            return app_fail_store(err, "a token family");
        json_array_extend(revoked, job->found);
    } while (job->name != NULL);
    return APP_OK;
}

static int run_revoke(struct app *app)
{
    struct family_job job = {.app = app};
    json_t *revoked = json_make_array(app->ctx), *report = json_make_object(app->ctx);
    bool listed = cli_has(&app->line, "user") || cli_has(&app->line, "client");
    if (listed == (app->line.argument_count > 0))
        return app_usage(app, "name families, or those of --user or --client");
    int status = listed ? revoke_listed(&job, revoked) : revoke_named(&job, revoked);
    if (status != APP_OK)
        return status;
    json_set(report, "revoked", revoked);
    return app_say(app, report, "%zu revoked", json_array_size(revoked));
}

/* --- the table --- */

static const struct cli_option LIST_OPTIONS[] = {
    {"user", "NAME", false, "only those of this user", NULL},
    {"client", "CLIENT_ID", false, "only those of this client", NULL},
};
static const struct kv_store LIST_STORES[] = {{KV_TOKENS, false}, {KV_USERS, false}, {KV_CLIENTS, false}};
static const struct kv_store SHOW_STORES[] = {{KV_TOKENS, false}, {KV_CLIENTS, false}};
static const struct kv_store REVOKE_STORES[] = {{KV_TOKENS, true}, {KV_USERS, false}};

const struct cli_command FAMILY_COMMANDS[] = {
    {"family", "list", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(LIST_OPTIONS), CLI_STORES(LIST_STORES), .run = run_list,
     .help = "List the families of refresh tokens: one for each sign-in that was given any."},
    {"family", "show", CLI_ARGUMENTS("FAMILY", 1, 1), CLI_STORES(SHOW_STORES), .run = run_show,
     .help = "Show a family."},
    {"family", "revoke", CLI_ARGUMENTS("[FAMILY...]", 0, 256), CLI_OPTIONS(LIST_OPTIONS), CLI_STORES(REVOKE_STORES),
     .run = run_revoke,
     .help = "Revoke families: their refresh and access tokens are refused from the next request on."},
    {0},
};
