#include "user.h"

#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "data/password.h"
#include "operator/operate_sessions.h"
#include "operator/operate_user_claims.h"
#include "operator/operate_users.h"
#include "parts.h"
#include "person.h"
#include "runtime/notice.h"
#include "runtime/settings.h"
#include "store/users.h"
#include "terminal.h"
#include "user_claims.h"

enum { GENERATED_PASSWORD_BYTES = 15, SESSIONS_SHOWN_MAX = 256 };

static int fail_user(const struct app *app, enum op_err err, const char *name)
{
    if (err == OP_ABSENT)
        return app_fail("there is no user %s (opctl user list shows all)", name);
    return app_fail_store(err, mem_printf(app->ctx, "user %s", name));
}

static int say_refusal(const struct app *app, const struct refusal *refusal)
{
    if (strncmp(refusal->member, "claims/", 7) == 0)
        return app_usage(app, "the claim %s %s", refusal->member + 7, refusal->what);
    return app_usage(app, "the %s %s", refusal->member, refusal->what);
}

/* Runs a flow; name is what the operator typed. Returns APP_OK, or an exit status after having said why. */
static int run_flow(const struct app *app, const char *name, const struct operate_user_job *job,
                    const struct operate_flow *flow)
{
    enum op_err err = operate_flow_wait(app->kv, flow);
    app_wait_until(job->since);
    if (err == OP_INVALID)
        return say_refusal(app, &job->refusal);
    if (err == OP_EXISTS)
        return app_fail("there is a user %s already", job->change->username);
    return err == OP_OK ? APP_OK : fail_user(app, err, name);
}

static json_t *show_end(const struct operate_user_job *job, json_t *report)
{
    json_set_int(report, "sessions_ended", (int64_t)job->sessions_ended);
    json_set_int(report, "families_revoked", (int64_t)job->families_revoked);
    return report;
}

/* --- claims from the line --- */

/* The options that are short for a claim. */
static const char *const CLAIM_OPTIONS[] = {"name", "given-name", "family-name", "email"};

static char *claim_of_option(const void *ctx, const char *option)
{
    char *name = mem_strdup(ctx, option);
    for (char *p = name; *p != '\0'; p++)
        if (*p == '-')
            *p = '_';
    return name;
}

/* NULL, or what is wrong. */
static const char *read_claims(const struct app *app, json_t *claims)
{
    const void *ctx = app->ctx;
    const char *why;
    for (size_t i = 0; i < sizeof CLAIM_OPTIONS / sizeof *CLAIM_OPTIONS; i++) {
        const char *value = cli_value(&app->line, CLAIM_OPTIONS[i]);
        json_t *text = value == NULL ? NULL : json_string(value);
        if (value != NULL && text == NULL)
            return mem_printf(ctx, "--%s is not UTF-8 text", CLAIM_OPTIONS[i]);
        if (text != NULL)
            json_set(claims, claim_of_option(ctx, CLAIM_OPTIONS[i]), json_own(ctx, text));
    }
    if (cli_has(&app->line, "email-verified") || cli_has(&app->line, "email"))
        json_set_bool(claims, "email_verified", cli_has(&app->line, "email-verified"));
    size_t count;
    char **words = cli_values(ctx, &app->line, "claim", &count);
    for (size_t i = 0; i < count; i++)
        if (user_claim_read(ctx, words[i], claims, &why) != OP_OK)
            return why;
    words = cli_values(ctx, &app->line, "remove-claim", &count);
    for (size_t i = 0; i < count; i++)
        json_set(claims, words[i], json_null());
    return NULL;
}

/* --- passwords --- */

/* The hash of a password typed, piped in or generated; a generated one goes into report, once. */
static int get_password(const struct app *app, const char *username, json_t *report, const char **ret_phc)
{
    char *password, *prompt = mem_printf(app->ctx, "New password of %s: ", username), *phc;
    const char *why;
    if (cli_has(&app->line, "generate")) {
        password = rand_token(app->ctx, GENERATED_PASSWORD_BYTES);
        json_set_string(report, "password", password);
    } else if (terminal_new_password(app->ctx, prompt, &password, &why) != OP_OK) {
        return app_fail("%s", why);
    }
    enum op_err err = password_hash(app->ctx, password, settings_password_cost(), &phc);
    mem_wipe(password, strlen(password));
    if (err != OP_OK)
        return app_fail("the password cannot be hashed: %s", op_err_name(err));
    *ret_phc = phc;
    return APP_OK;
}

static int say_secret(const struct app *app, json_t *object, const char *sentence)
{
    const char *password;
    if (app->json || json_get_string(object, "password", &password) != OP_OK)
        return app_say(app, object, "%s", sentence);
    return app_say(app, object, "%s\npassword: %s (shown only now)", sentence, password);
}

/* --- add --- */

struct name_job {
    const void *ctx;
    const char *name;
};

static enum op_err check_name_free(struct kv_txn *txn, void *arg)
{
    const struct name_job *job = arg;
    char *user_id;
    enum op_err err = users_find_id(txn, job->ctx, job->name, &user_id);
    return err == OP_OK ? OP_EXISTS : err == OP_ABSENT ? OP_OK : err;
}

/* Before a password is asked for. */
static int check_new(const struct app *app, const struct operate_user_change *change)
{
    struct name_job job = {app->ctx, change->username};
    const char *wrong = operate_username_problem(change->username);
    if (wrong != NULL)
        return app_usage(app, "the username %s", wrong);
    enum op_err err = app_read(app, check_name_free, &job);
    return err == OP_OK ? APP_OK : fail_user(app, err, change->username);
}

static int run_add(struct app *app)
{
    json_t *claims = json_make_object(app->ctx), *generated = json_make_object(app->ctx);
    struct operate_user_change change = {.username = app->line.arguments[0], .claims = claims, .whole_claims = true};
    struct operate_user_job job = {.ctx = app->ctx, .change = &change};
    struct operate_flow flow;
    const char *wrong = read_claims(app, claims);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    int status = check_new(app, &change);
    if (status == APP_OK && !cli_has(&app->line, "no-password"))
        status = get_password(app, change.username, generated, &change.phc);
    if (status != APP_OK)
        return status;
    operate_user_add(&job, &flow);
    status = run_flow(app, change.username, &job, &flow);
    if (status != APP_OK)
        return status;
    app->facts->user_id = job.user_id;
    json_t *object = operate_user_json(app->ctx, job.user);
    json_object_update(object, generated);
    return say_secret(app, object, mem_printf(app->ctx, "user %s added (sub %s)%s", change.username, job.user_id,
                                              change.phc == NULL ? ", without a password" : ""));
}

/* --- list and show --- */

static enum op_err list_part(struct kv_txn *txn, const void *ctx, const void *arg, const char *after, size_t limit,
                             struct listing *ret)
{
    enum op_err err = operate_users_list(txn, ctx, arg, after, limit, ret);
    for (size_t i = 0; err == OP_OK && i < json_array_size(ret->items); i++) {
        json_t *user = json_array_get(ret->items, i), *claims = json_object_get(user, "claims");
        json_set(user, "name", json_object_get(claims, "name"));
        json_set(user, "email", json_object_get(claims, "email"));
        static const char *const not_shown[] = {"claims", "created_at", "updated_at", "since"};
        for (size_t n = 0; n < sizeof not_shown / sizeof *not_shown; n++)
            json_object_del(user, not_shown[n]);
    }
    return err;
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {"username", "user_id", "state", "name", "email", NULL};
    const struct operate_users_filter all = {0};
    return parts_list(app, list_part, &all, columns, "the list of users");
}

struct show_job {
    const void *ctx;
    const char *name;
    json_t *shown;
};

static enum op_err show_user(struct kv_txn *txn, void *arg)
{
    struct show_job *job = arg;
    Rec__User *user;
    bool has_password;
    struct listing sessions;
    enum op_err err = operate_users_find(txn, job->ctx, job->name, &user);
    if (err == OP_OK)
        err = operate_users_has_password(txn, job->ctx, user->user_id, &has_password);
    if (err == OP_OK)
        err = operate_sessions_list(txn, job->ctx, user->user_id, NULL, SESSIONS_SHOWN_MAX, &sessions);
    if (err != OP_OK)
        return err;
    job->shown = operate_user_json(job->ctx, user);
    json_set_bool(job->shown, "has_password", has_password);
    json_set_int(job->shown, "sessions", (int64_t)json_array_size(sessions.items));
    return OP_OK;
}

static int run_show(struct app *app)
{
    struct show_job job = {.ctx = app->ctx, .name = app->line.arguments[0]};
    enum op_err err = app_read(app, show_user, &job);
    return err != OP_OK ? fail_user(app, err, job.name) : app_show(app, job.shown);
}

/* --- change, password, disable, enable --- */

/* Runs the change of the account that the line names. Returns APP_OK, or an exit status after having said why. */
static int change_user(const struct app *app, const struct operate_user_change *change, struct operate_user_job *ret)
{
    struct operate_flow flow;
    *ret = (struct operate_user_job){.ctx = app->ctx, .change = change};
    int status = person_id(app, app->line.arguments[0], &ret->user_id);
    if (status != APP_OK)
        return status;
    operate_user_change(ret, &flow);
    return run_flow(app, app->line.arguments[0], ret, &flow);
}

static enum op_err show_claims(struct kv_txn *txn, void *arg)
{
    struct show_job *job = arg;
    Rec__User *user;
    enum op_err err = operate_users_find(txn, job->ctx, job->name, &user);
    if (err == OP_OK)
        job->shown = operate_user_claims_json(job->ctx, user);
    return err;
}

/* A claim to be removed that is not there is a slip. */
static int check_removals(const struct app *app)
{
    struct show_job job = {.ctx = app->ctx, .name = app->line.arguments[0]};
    size_t count;
    char **names = cli_values(app->ctx, &app->line, "remove-claim", &count);
    enum op_err err = count == 0 ? OP_OK : app_read(app, show_claims, &job);
    if (err != OP_OK)
        return fail_user(app, err, job.name);
    for (size_t i = 0; i < count; i++)
        if (json_object_get(job.shown, names[i]) == NULL)
            return app_usage(app, "the user has no claim %s", names[i]);
    return APP_OK;
}

static int run_change(struct app *app)
{
    json_t *claims = json_make_object(app->ctx);
    struct operate_user_change change = {
        .username = cli_value(&app->line, "username"), .claims = claims, .whole_claims = true};
    struct operate_user_job job;
    const char *wrong = read_claims(app, claims);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    int status = check_removals(app);
    if (status == APP_OK)
        status = change_user(app, &change, &job);
    if (status != APP_OK)
        return status;
    return app_say(app, operate_user_json(app->ctx, job.user), "user %s changed", job.user->username);
}

struct notice_job {
    const void *ctx;
    const char *user_id;
    Rec__Message *message; /* NULL: nobody is to be told */
    bool happened;
};

static enum op_err write_notice(struct kv_txn *txn, void *arg)
{
    struct notice_job *job = arg;
    Rec__User *user;
    enum op_err err = users_get(txn, job->ctx, job->user_id, &user);
    job->message = err == OP_OK ? notice_password_changed(job->ctx, user, NULL, clock_now()) : NULL;
    return OP_OK; /* what comes next says what is wrong with the account */
}

static enum op_err settle_notice(struct kv_txn *txn, void *arg)
{
    const struct notice_job *job = arg;
    return notice_settle_work(txn, job->message, job->happened);
}

/* The message to the person, held back in the outbox. */
static void hold_notice(const struct app *app, struct notice_job *job)
{
    enum op_err err = app_read(app, write_notice, job);
    if (err == OP_OK && job->message != NULL)
        err = app_write(app, KV_OUTBOX, notice_hold_work, job->message);
    if (err == OP_OK)
        return;
    app_fail("nobody will be told by mail: the outbox is %s", op_err_name(err));
    job->message = NULL;
}

static void let_notice_out(const struct app *app, struct notice_job *job, bool happened)
{
    job->happened = happened;
    if (job->message != NULL && app_write(app, KV_OUTBOX, settle_notice, job) != OP_OK)
        app_fail("the message to %s leaves a little later", job->message->mail->username);
}

static int run_password(struct app *app)
{
    const char *name = app->line.arguments[0], *user_id;
    json_t *report = json_make_object(app->ctx);
    struct operate_user_change change = {0};
    struct operate_user_job job;
    int status = person_id(app, name, &user_id);
    if (status == APP_OK)
        status = get_password(app, name, report, &change.phc);
    if (status != APP_OK)
        return status;
    struct notice_job notice = {.ctx = app->ctx, .user_id = user_id};
    hold_notice(app, &notice);
    status = change_user(app, &change, &job);
    let_notice_out(app, &notice, job.has_set_password);
    if (status != APP_OK)
        return status;
    json_set_string(report, "username", name);
    json_set_string(report, "user_id", user_id);
    return say_secret(app, show_end(&job, report),
                      mem_printf(app->ctx, "password of %s changed; signed out everywhere", name));
}

static int run_disable(struct app *app)
{
    const struct operate_user_change change = {.disable = true};
    struct operate_user_job job;
    int status = change_user(app, &change, &job);
    if (status != APP_OK)
        return status;
    return app_say(app, show_end(&job, operate_user_json(app->ctx, job.user)),
                   "user %s disabled; signed out everywhere", job.user->username);
}

static int run_enable(struct app *app)
{
    const struct operate_user_change change = {.enable = true};
    struct operate_user_job job;
    int status = change_user(app, &change, &job);
    if (status != APP_OK)
        return status;
    return app_say(app, operate_user_json(app->ctx, job.user), "user %s enabled", job.user->username);
}

/* --- remove --- */

static int run_remove(struct app *app)
{
    const char *name = app->line.arguments[0];
    struct operate_user_job job = {.ctx = app->ctx};
    struct operate_flow flow;
    int status = person_id(app, name, &job.user_id);
    if (status != APP_OK)
        return status;
    operate_user_remove(&job, &flow);
    enum op_err err = operate_flow_wait(app->kv, &flow);
    if (err != OP_OK)
        return fail_user(app, err, name);
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "username", name);
    json_set_string(object, "user_id", job.user_id);
    return app_say(app, show_end(&job, object), "user %s removed", name);
}

/* --- the table --- */

#define CLAIM_OPTIONS_HELP                                                                                            \
    {"claim", "NAME=VALUE", true, "a claim; true, false, {...}, [...] and all after := are JSON, else text", NULL},    \
    {"name", "TEXT", false, "the claim name: the full name", NULL},                                                   \
    {"given-name", "TEXT", false, "the claim given_name", NULL},                                                      \
    {"family-name", "TEXT", false, "the claim family_name", NULL},                                                    \
    {"email", "ADDRESS", false, "the claim email, not verified unless --email-verified", NULL},                       \
    {"email-verified", NULL, false, "the claim email_verified is true", NULL}

static const struct cli_option ADD_OPTIONS[] = {
    CLAIM_OPTIONS_HELP,
    {"generate", NULL, false, "make a random password and show it once", NULL},
    {"no-password", NULL, false, "set no password yet: nobody can sign in with one", NULL},
};
static const struct cli_option CHANGE_OPTIONS[] = {
    CLAIM_OPTIONS_HELP,
    {"remove-claim", "NAME", true, "take a claim away", NULL},
    {"username", "NAME", false, "another username; the sub stays", NULL},
};
static const struct cli_option PASSWORD_OPTIONS[] = {
    {"generate", NULL, false, "make a random password and show it once", NULL},
};

static const struct kv_store ADD_STORES[] = {{KV_USERS, true}, {KV_CREDENTIALS, true}};
static const struct kv_store LIST_STORES[] = {{KV_USERS, false}};
static const struct kv_store SHOW_STORES[] = {{KV_USERS, false}, {KV_CREDENTIALS, false}, {KV_SESSIONS, false}};
static const struct kv_store CHANGE_STORES[] = {{KV_USERS, true}};
static const struct kv_store DISABLE_STORES[] = {{KV_USERS, true}, {KV_SESSIONS, true}, {KV_TOKENS, true}};
static const struct kv_store ALL_STORES[] = {
    {KV_USERS, true}, {KV_CREDENTIALS, true}, {KV_SESSIONS, true}, {KV_TOKENS, true}};
static const struct kv_store PASSWORD_STORES[] = {
    {KV_USERS, true}, {KV_CREDENTIALS, true}, {KV_SESSIONS, true}, {KV_TOKENS, true}, {KV_OUTBOX, true}};

#define ONE_NAME CLI_ARGUMENTS("NAME", 1, 1)

const struct cli_command USER_COMMANDS[] = {
    {"user", "add", ONE_NAME, CLI_OPTIONS(ADD_OPTIONS), CLI_STORES(ADD_STORES), .run = run_add,
     .help = "Add an account; its password is typed twice, or is the first line of standard input."},
    {"user", "list", CLI_ARGUMENTS("", 0, 0), CLI_STORES(LIST_STORES), .run = run_list, .help = "List all accounts."},
    {"user", "show", ONE_NAME, CLI_STORES(SHOW_STORES), .run = run_show,
     .help = "Show an account by its username or user_id, with its claims."},
    {"user", "change", ONE_NAME, CLI_OPTIONS(CHANGE_OPTIONS), CLI_STORES(CHANGE_STORES), .run = run_change,
     .help = "Change an account's claims or username."},
    {"user", "password", ONE_NAME, CLI_OPTIONS(PASSWORD_OPTIONS), CLI_STORES(PASSWORD_STORES), .run = run_password,
     .help = "Set another password, sign the account out everywhere, and tell its owner by mail."},
    {"user", "disable", ONE_NAME, CLI_STORES(DISABLE_STORES), .run = run_disable,
     .help = "Keep the account from signing in, and end its sessions and tokens for good."},
    {"user", "enable", ONE_NAME, CLI_STORES(CHANGE_STORES), .run = run_enable,
     .help = "Let a disabled account sign in again; what was ended stays ended."},
    {"user", "remove", ONE_NAME, CLI_STORES(ALL_STORES), .run = run_remove,
     .help = "Remove the account with its password, sessions, tokens and consents."},
    {0},
};
