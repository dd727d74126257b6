#include "session.h"

#include "app.h"
#include "operator/operate_sessions.h"
#include "operator/operate_users.h"
#include "parts.h"
#include "person.h"

struct session_job {
    struct app *app;
    const char *sid;
    json_t *session;
};

static enum op_err list_part(struct kv_txn *txn, const void *ctx, const void *user_id, const char *after, size_t limit,
                             struct listing *ret)
{
    return operate_sessions_list(txn, ctx, user_id, after, limit, ret);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {"sid", "user_id", "auth_time", "last_used", "expires_at", "address", NULL};
    const char *user = cli_value(&app->line, "user"), *user_id = NULL;
    int status = user == NULL ? APP_OK : person_id(app, user, &user_id);
    return status != APP_OK ? status : parts_list(app, list_part, user_id, columns, "the list of sessions");
}

static int fail_session(const struct app *app, enum op_err err, const char *sid)
{
    if (err == OP_ABSENT)
        return app_fail("there is no session %s (opctl session list shows all)", sid);
    return app_fail_store(err, mem_printf(app->ctx, "session %s", sid));
}

static enum op_err show_session(struct kv_txn *txn, void *arg)
{
    struct session_job *job = arg;
    return operate_sessions_show(txn, job->app->ctx, job->sid, &job->session);
}

static int run_show(struct app *app)
{
    struct session_job job = {.app = app, .sid = app->line.arguments[0]};
    enum op_err err = app_read(app, show_session, &job);
    return err != OP_OK ? fail_session(app, err, job.sid) : app_show(app, job.session);
}

static enum op_err end_session(struct kv_txn *txn, void *arg)
{
    const struct session_job *job = arg;
    return operate_sessions_end(txn, job->sid);
}

static int end_of_user(struct app *app, const char *user)
{
    struct operate_user_job job = {.ctx = app->ctx};
    struct operate_flow flow;
    json_t *report = json_make_object(app->ctx);
    int status = person_id(app, user, &job.user_id);
    if (status != APP_OK)
        return status;
    operate_user_sign_out(&job, &flow);
    enum op_err err = operate_flow_wait(app->kv, &flow);
    app_wait_until(job.since);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(app->ctx, "user %s", user));
    json_set_string(report, "user_id", job.user_id);
    json_set_int(report, "sessions_ended", (int64_t)job.sessions_ended);
    json_set_int(report, "families_revoked", (int64_t)job.families_revoked);
    return app_say(app, report, "user %s is signed out everywhere", user);
}

static int end_each(struct app *app)
{
    json_t *ended = json_make_array(app->ctx), *report = json_make_object(app->ctx);
    for (size_t i = 0; i < app->line.argument_count; i++) {
        struct session_job job = {.app = app, .sid = app->line.arguments[i]};
        enum op_err err = app_write(app, KV_SESSIONS, end_session, &job);
        if (err != OP_OK)
            return fail_session(app, err, job.sid);
        json_append_string(ended, job.sid);
    }
    json_set(report, "ended", ended);
    return app_say(app, report, "%zu ended", json_array_size(ended));
}

static int run_end(struct app *app)
{
    const char *user = cli_value(&app->line, "user");
    if ((user == NULL) == (app->line.argument_count == 0))
        return app_usage(app, "name sessions, or a user with --user");
    return user != NULL ? end_of_user(app, user) : end_each(app);
}

static const struct cli_option LIST_OPTIONS[] = {{"user", "NAME", false, "only those of this user", NULL}};
static const struct cli_option END_OPTIONS[] = {
    {"user", "NAME", false, "all of this user's, and all tokens with them: signed out everywhere", NULL},
};
static const struct kv_store LIST_STORES[] = {{KV_SESSIONS, false}, {KV_USERS, false}};
static const struct kv_store SHOW_STORES[] = {{KV_SESSIONS, false}};
static const struct kv_store END_STORES[] = {{KV_SESSIONS, true}, {KV_USERS, true}, {KV_TOKENS, true}};

const struct cli_command SESSION_COMMANDS[] = {
    {"session", "list", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(LIST_OPTIONS), CLI_STORES(LIST_STORES), .run = run_list,
     .help = "List the sign-on sessions."},
    {"session", "show", CLI_ARGUMENTS("SID", 1, 1), CLI_STORES(SHOW_STORES), .run = run_show,
     .help = "Show a session."},
    {"session", "end", CLI_ARGUMENTS("[SID...]", 0, 256), CLI_OPTIONS(END_OPTIONS), CLI_STORES(END_STORES),
     .run = run_end, .help = "End sessions; tokens without offline_access end with them."},
    {0},
};
