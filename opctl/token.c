#include "token.h"

#include <string.h>

#include "app.h"
#include "base/clock.h"
#include "base/codec.h"
#include "person.h"
#include "print.h"
#include "protocol/scope.h"
#include "store/families.h"

enum { LIST_AT_ONCE = 256, LIST_OF_USER_MAX = 65536 };

struct token_job {
    struct app *app;
    struct bytes family_id, after;
    const char *user_id, *client_id; /* only those; NULL: any */
    Rec__Family *family;
    Rec__Family **families;
    size_t count;
    json_t *found; /* what was listed or revoked */
};

static struct bytes id_of(const Rec__Family *family)
{
    return bytes_from(family->family_id.data, family->family_id.len);
}

/* Where it stands by itself; whether its session, user, client and consent are still there is not asked. */
static const char *state_of(const Rec__Family *family)
{
    int64_t now = clock_now();
    if (family->needs > RECORDS_FORMAT)
        return "unreadable";
    if (family->dead)
        return "dead";
    return family->idle_expires_at <= now || family->expires_at <= now ? "expired" : "alive";
}

static json_t *family_json(const void *ctx, const Rec__Family *family)
{
    json_t *object = json_make_object(ctx);
    const Rec__Grant *grant = family->grant;
    json_set_string(object, "family", codec_base64url(ctx, id_of(family)));
    json_set_string(object, "state", state_of(family));
    json_set_string(object, "dead_reason", family->dead_reason);
    print_set_time(object, "dead_at", family->dead_at);
    if (grant != NULL) {
        json_set_string(object, "user_id", grant->user_id);
        json_set_string(object, "client_id", grant->client_id);
        json_set_string(object, "sid", grant->sid);
        json_set_string(object, "scope", scope_text(ctx, grant->scopes, grant->n_scopes));
        json_set_strings(object, "audiences", grant->audiences, grant->n_audiences);
        print_set_time(object, "auth_time", grant->auth_time);
        print_set_time(object, "granted_at", grant->granted_at);
    }
    json_set_bool(object, "offline", family->offline);
    print_set_time(object, "created_at", family->created_at);
    print_set_time(object, "last_used", family->last_used);
    print_set_time(object, "idle_expires_at", family->idle_expires_at);
    print_set_time(object, "expires_at", family->expires_at);
    if (family->n_generations > 0)
        json_set_int(object, "generation", family->generations[family->n_generations - 1]->generation);
    return object;
}

/* --- list --- */

static enum op_err list_families(struct kv_txn *txn, void *arg)
{
    struct token_job *job = arg;
    if (job->user_id != NULL)
        return families_list_of_user(txn, job->app->ctx, job->user_id, LIST_OF_USER_MAX, &job->families, &job->count);
    return families_list(txn, job->app->ctx, job->after, LIST_AT_ONCE, &job->families, &job->count);
}

static bool is_wanted(const struct token_job *job, const Rec__Family *family)
{
    const char *client_id = family->grant == NULL ? NULL : family->grant->client_id;
    return job->client_id == NULL || (client_id != NULL && strcmp(client_id, job->client_id) == 0);
}

/* Calls each for every family that the line's --user and --client name. Returns an exit status. */
static int for_each_family(struct token_job *job, int (*each)(struct token_job *job, const Rec__Family *family))
{
    const struct app *app = job->app;
    const char *user = cli_value(&app->line, "user");
    job->client_id = cli_value(&app->line, "client");
    int status = user == NULL ? APP_OK : person_id(app, user, &job->user_id);
    if (status != APP_OK)
        return status;
    do {
        enum op_err err = app_read(app, list_families, job);
        if (err != OP_OK)
            return app_fail_store(err, "the list of token families");
        for (size_t i = 0; i < job->count && status == APP_OK; i++)
            if (is_wanted(job, job->families[i]))
                status = each(job, job->families[i]);
        if (job->count > 0)
            job->after = id_of(job->families[job->count - 1]);
    } while (status == APP_OK && job->user_id == NULL && job->count == LIST_AT_ONCE);
    return status;
}

static int add_to_list(struct token_job *job, const Rec__Family *family)
{
    json_array_append(job->found, family_json(job->app->ctx, family));
    return APP_OK;
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {
        "family", "state", "user_id", "client_id", "last_used", "offline", "scope", NULL};
    struct token_job job = {.app = app, .found = json_make_array(app->ctx)};
    int status = for_each_family(&job, add_to_list);
    return status != APP_OK ? status : app_list(app, job.found, columns);
}

/* --- show, revoke --- */

static int read_id(struct token_job *job, const char *text)
{
    enum op_err err = codec_from_base64url(job->app->ctx, bytes_of(text), &job->family_id);
    if (err != OP_OK || job->family_id.len != FAMILY_ID_LEN)
        return app_usage(job->app, "%s is no family: opctl token list shows them", text);
    return APP_OK;
}

static enum op_err get_family(struct kv_txn *txn, void *arg)
{
    struct token_job *job = arg;
    return families_get(txn, job->app->ctx, job->family_id, &job->family);
}

static int run_show(struct app *app)
{
    struct token_job job = {.app = app};
    const char *text = app->line.arguments[0];
    int status = read_id(&job, text);
    if (status != APP_OK)
        return status;
    enum op_err err = app_read(app, get_family, &job);
    if (err == OP_ABSENT)
        return app_fail("there is no family %s (opctl token list shows all)", text);
    return err != OP_OK ? app_fail_store(err, mem_printf(app->ctx, "family %s", text))
                        : app_show(app, family_json(app->ctx, job.family));
}

/* A family that is not there is marked dead too: an access token may name it. */
static enum op_err kill_family(struct kv_txn *txn, void *arg)
{
    const struct token_job *job = arg;
    return families_kill(txn, job->family_id, "revoked");
}

static int revoke(struct token_job *job)
{
    const char *text = codec_base64url(job->app->ctx, job->family_id);
    enum op_err err = app_write(job->app, KV_TOKENS, kill_family, job);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(job->app->ctx, "family %s", text));
    json_append_string(job->found, text);
    return APP_OK;
}

static int revoke_listed(struct token_job *job, const Rec__Family *family)
{
    job->family_id = id_of(family);
    return family->dead ? APP_OK : revoke(job);
}

static int revoke_named(struct token_job *job)
{
    const struct cli_line *line = &job->app->line;
    int status = APP_OK;
    for (size_t i = 0; i < line->argument_count && status == APP_OK; i++)
        status = read_id(job, line->arguments[i]);
    for (size_t i = 0; i < line->argument_count && status == APP_OK; i++) {
        status = read_id(job, line->arguments[i]);
        if (status == APP_OK)
            status = revoke(job);
    }
    return status;
}

static int run_revoke(struct app *app)
{
    struct token_job job = {.app = app, .found = json_make_array(app->ctx)};
    bool listed = cli_has(&app->line, "user") || cli_has(&app->line, "client");
    if (listed == (app->line.argument_count > 0))
        return app_usage(app, "name families, or those of --user or --client");
    int status = listed ? for_each_family(&job, revoke_listed) : revoke_named(&job);
    if (status != APP_OK)
        return status;
    json_t *report = json_make_object(app->ctx);
    json_set(report, "revoked", job.found);
    return app_say(app, report, "%zu revoked", json_array_size(job.found));
}

/* --- the table --- */

static const struct cli_option LIST_OPTIONS[] = {
    {"user", "NAME", false, "only those of this user", NULL},
    {"client", "CLIENT_ID", false, "only those of this client", NULL},
};
static const struct kv_store LIST_STORES[] = {{KV_TOKENS, false}, {KV_USERS, false}};
static const struct kv_store SHOW_STORES[] = {{KV_TOKENS, false}};
static const struct kv_store REVOKE_STORES[] = {{KV_TOKENS, true}, {KV_USERS, false}};

const struct cli_command TOKEN_COMMANDS[] = {
    {"token", "list", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(LIST_OPTIONS), CLI_STORES(LIST_STORES), .run = run_list,
     .help = "List the families of refresh tokens: one for each sign-in that was given any."},
    {"token", "show", CLI_ARGUMENTS("FAMILY", 1, 1), CLI_STORES(SHOW_STORES), .run = run_show,
     .help = "Show a family."},
    {"token", "revoke", CLI_ARGUMENTS("[FAMILY...]", 0, 256), CLI_OPTIONS(LIST_OPTIONS), CLI_STORES(REVOKE_STORES),
     .run = run_revoke,
     .help = "Revoke families: their refresh and access tokens are refused from the next request on."},
    {0},
};
