#include "user.h"

#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "data/form.h"
#include "data/password.h"
#include "person.h"
#include "print.h"
#include "runtime/notice.h"
#include "runtime/settings.h"
#include "store/consents.h"
#include "store/credentials.h"
#include "store/sessions.h"
#include "store/users.h"
#include "terminal.h"
#include "user_claims.h"

enum {
    USER_ID_BYTES = 16,
    GENERATED_PASSWORD_BYTES = 15,
    USERNAME_MAX_LEN = 128,
    CONSENTS_AT_MOST = 4096,
    LIST_AT_ONCE = 256,
};

struct user_job {
    struct app *app;
    const char *name;
    Rec__User *user;
    const char *why; /* a refusal in words, when the work said OP_OK without doing it */
    int64_t since;
    bool disable, has_password;
    size_t session_count;
};

static int fail_user(const struct app *app, enum op_err err, const char *name)
{
    if (err == OP_ABSENT)
        return app_fail("there is no user %s (opctl user list shows all)", name);
    return app_fail_store(err, mem_printf(app->ctx, "user %s", name));
}

/* --- what is shown --- */

static json_t *user_brief(const void *ctx, const Rec__User *user)
{
    json_t *object = json_make_object(ctx), *claims = user_claims_json(ctx, user);
    bool unreadable = user->needs > RECORDS_FORMAT;
    json_set_string(object, "username", user->username);
    json_set_string(object, "user_id", user->user_id);
    json_set_string(object, "state", unreadable ? "unreadable" : user->disabled ? "disabled" : "enabled");
    json_set(object, "name", json_object_get(claims, "name"));
    json_set(object, "email", json_object_get(claims, "email"));
    return object;
}

static json_t *user_full(const void *ctx, const Rec__User *user)
{
    json_t *object = user_brief(ctx, user);
    json_object_del(object, "name");
    json_object_del(object, "email");
    json_set_time(object, "created_at", user->created_at);
    json_set_time(object, "updated_at", user->updated_at);
    json_set_time(object, "since", user->since);
    json_set(object, "claims", user_claims_json(ctx, user));
    return object;
}

/* --- claims and names from the line --- */

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
static const char *apply_claims(const struct app *app, Rec__User *user)
{
    const void *ctx = app->ctx;
    const char *why;
    for (size_t i = 0; i < sizeof CLAIM_OPTIONS / sizeof *CLAIM_OPTIONS; i++) {
        const char *value = cli_value(&app->line, CLAIM_OPTIONS[i]);
        if (value != NULL && !form_is_utf8(bytes_of(value)))
            return mem_printf(ctx, "--%s is not UTF-8 text", CLAIM_OPTIONS[i]);
        if (value != NULL)
            user_claim_put(ctx, user, claim_of_option(ctx, CLAIM_OPTIONS[i]), json_own(ctx, json_string(value)));
    }
    if (cli_has(&app->line, "email-verified"))
        user_claim_put(ctx, user, "email_verified", json_true());
    else if (cli_has(&app->line, "email"))
        user_claim_put(ctx, user, "email_verified", json_false());
    size_t count;
    char **claims = cli_values(ctx, &app->line, "claim", &count);
    for (size_t i = 0; i < count; i++)
        if (user_claim_set(ctx, user, claims[i], &why) != OP_OK)
            return why;
    claims = cli_values(ctx, &app->line, "remove-claim", &count);
    for (size_t i = 0; i < count; i++)
        if (user_claim_remove(user, claims[i]) != OP_OK)
            return mem_printf(ctx, "the user has no claim %s", claims[i]);
    return NULL;
}

static const char *username_problem(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > USERNAME_MAX_LEN)
        return "a username is 1 to 128 bytes";
    if (!form_is_utf8(bytes_of(name)))
        return "a username is UTF-8 text";
    if (!form_is_plain(bytes_of(name)))
        return "a username has no control characters, nor others that nobody sees";
    return name[0] == ' ' || name[len - 1] == ' ' ? "a username neither begins nor ends with a space" : NULL;
}

/* --- passwords --- */

struct password_job {
    const void *ctx;
    const char *user_id, *phc;
};

static enum op_err put_password(struct kv_txn *txn, void *arg)
{
    const struct password_job *job = arg;
    Rec__Password *record = records_new(job->ctx, &rec__password__descriptor);
    record->user_id = mem_strdup(record, job->user_id);
    record->phc = mem_strdup(record, job->phc);
    record->has_changed_at = true;
    record->changed_at = kv_now(txn);
    return credentials_put_password(txn, record);
}

/* The hash of a password typed, piped in or generated; a generated one goes into report, once. */
static int get_password(const struct app *app, const char *username, json_t *report, char **ret_phc)
{
    char *password, *prompt = mem_printf(app->ctx, "New password of %s: ", username);
    const char *why;
    if (cli_has(&app->line, "generate")) {
        password = rand_token(app->ctx, GENERATED_PASSWORD_BYTES);
        json_set_string(report, "password", password);
    } else if (terminal_new_password(app->ctx, prompt, &password, &why) != OP_OK) {
        return app_fail("%s", why);
    }
    enum op_err err = password_hash(app->ctx, password, settings_password_cost(), ret_phc);
    mem_wipe(password, strlen(password));
    return err == OP_OK ? APP_OK : app_fail("the password cannot be hashed: %s", op_err_name(err));
}

static int store_password(const struct app *app, const char *user_id, const char *username, const char *phc)
{
    struct password_job job = {.ctx = app->ctx, .user_id = user_id, .phc = phc};
    enum op_err err = app_write(app, KV_CREDENTIALS, put_password, &job);
    return err == OP_OK ? APP_OK : app_fail_store(err, mem_printf(app->ctx, "the password of %s", username));
}

/* --- add --- */

static enum op_err check_name_free(struct kv_txn *txn, void *arg)
{
    const struct user_job *job = arg;
    char *user_id;
    enum op_err err = users_find_id(txn, job->app->ctx, job->name, &user_id);
    return err == OP_OK ? OP_EXISTS : err == OP_ABSENT ? OP_OK : err;
}

static enum op_err insert_user(struct kv_txn *txn, void *arg)
{
    struct user_job *job = arg;
    job->user->created_at = job->user->updated_at = kv_now(txn);
    return users_insert(txn, job->user);
}

static Rec__User *new_user(const void *ctx, const char *name)
{
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    user->user_id = rand_token(ctx, USER_ID_BYTES);
    user->username = mem_strdup(ctx, name);
    user->has_created_at = user->has_updated_at = true;
    return user;
}

static int say_secret(const struct app *app, json_t *object, const char *sentence)
{
    const char *password;
    if (app->json || json_get_string(object, "password", &password) != OP_OK)
        return app_say(app, object, "%s", sentence);
    return app_say(app, object, "%s\npassword: %s (shown only now)", sentence, password);
}

static int run_add(struct app *app)
{
    struct user_job job = {.app = app, .name = app->line.arguments[0]};
    const char *wrong = username_problem(job.name);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    job.user = new_user(app->ctx, job.name);
    wrong = apply_claims(app, job.user);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    enum op_err err = app_read(app, check_name_free, &job);
    if (err != OP_OK)
        return fail_user(app, err, job.name);
    char *phc = NULL;
    json_t *generated = json_make_object(app->ctx);
    int status = cli_has(&app->line, "no-password") ? APP_OK : get_password(app, job.name, generated, &phc);
    if (status != APP_OK)
        return status;
    err = app_write(app, KV_USERS, insert_user, &job);
    if (err != OP_OK)
        return fail_user(app, err, job.name);
    if (phc != NULL)
        status = store_password(app, job.user->user_id, job.name, phc);
    json_t *object = user_full(app->ctx, job.user);
    json_object_update(object, generated);
    const char *sentence = mem_printf(app->ctx, "user %s added (sub %s)%s", job.name, job.user->user_id,
                                      phc == NULL ? ", without a password" : "");
    return status != APP_OK ? status : say_secret(app, object, sentence);
}

/* --- password --- */

static enum op_err find_user(struct kv_txn *txn, void *arg)
{
    struct user_job *job = arg;
    return person_find(txn, job->app->ctx, job->name, &job->user);
}

/* The message to the person, held back in the outbox; NULL when there is none to send or no room. */
static Rec__Message *hold_notice(struct app *app, const char *name)
{
    struct user_job job = {.app = app, .name = name};
    if (app_read(app, find_user, &job) != OP_OK)
        return NULL; /* what comes next says so */
    Rec__Message *message = notice_password_changed(app->ctx, job.user, NULL, clock_now());
    enum op_err err = message == NULL ? OP_OK : app_write(app, KV_OUTBOX, notice_hold_work, message);
    if (err != OP_OK)
        app_fail("nobody will be told by mail: the outbox is %s", op_err_name(err));
    return err == OP_OK ? message : NULL;
}

static enum op_err settle_notice(struct kv_txn *txn, void *arg)
{
    return notice_settle_work(txn, arg, true);
}

static void let_notice_out(const struct app *app, Rec__Message *message)
{
    if (message != NULL && app_write(app, KV_OUTBOX, settle_notice, message) != OP_OK)
        app_fail("the message to %s leaves a little later", message->mail->username);
}

static int run_password(struct app *app)
{
    const char *name = app->line.arguments[0], *user_id;
    char *phc;
    json_t *report = json_make_object(app->ctx);
    int status = person_id(app, name, &user_id);
    if (status == APP_OK)
        status = get_password(app, name, report, &phc);
    if (status != APP_OK)
        return status;
    Rec__Message *notice = hold_notice(app, name);
    /* What takes power away goes first, so a crash leaves everyone signed out; and once more after the new
     * password, for whoever signed in with the old one in between. */
    enum op_err err = person_move_since(app, user_id, app_since());
    if (err != OP_OK)
        return fail_user(app, err, name);
    status = store_password(app, user_id, name, phc);
    if (status != APP_OK)
        return status;
    let_notice_out(app, notice);
    int64_t since = app_since();
    err = person_move_since(app, user_id, since);
    if (err != OP_OK)
        return fail_user(app, err, name);
    json_set_string(report, "username", name);
    json_set_string(report, "user_id", user_id);
    status = person_end_everything(app, user_id, "signed_out", report);
    app_wait_until(since);
    const char *sentence = mem_printf(app->ctx, "password of %s changed; signed out everywhere", name);
    return status != APP_OK ? status : say_secret(app, report, sentence);
}

/* --- list and show --- */

struct list_job {
    const void *ctx;
    const char *after;
    Rec__User **users;
    size_t count;
};

static enum op_err list_users(struct kv_txn *txn, void *arg)
{
    struct list_job *job = arg;
    return users_list(txn, job->ctx, job->after, LIST_AT_ONCE, &job->users, &job->count);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {"username", "user_id", "state", "name", "email", NULL};
    json_t *array = json_make_array(app->ctx);
    struct list_job job = {.ctx = app->ctx};
    do {
        enum op_err err = app_read(app, list_users, &job);
        if (err != OP_OK)
            return app_fail_store(err, "the list of users");
        for (size_t i = 0; i < job.count; i++)
            json_array_append(array, user_brief(app->ctx, job.users[i]));
        if (job.count > 0)
            job.after = job.users[job.count - 1]->user_id;
    } while (job.count == LIST_AT_ONCE);
    return app_list(app, array, columns);
}

static enum op_err show_user(struct kv_txn *txn, void *arg)
{
    struct user_job *job = arg;
    Rec__Password *password;
    Rec__Session **sessions;
    enum op_err err = person_find(txn, job->app->ctx, job->name, &job->user);
    if (err != OP_OK)
        return err;
    err = credentials_get_password(txn, job->app->ctx, job->user->user_id, &password);
    job->has_password = err == OP_OK || err == OP_DENIED;
    return sessions_list_of_user(txn, job->app->ctx, job->user->user_id, NULL, LIST_AT_ONCE, &sessions, &job->session_count);
}

static int run_show(struct app *app)
{
    struct user_job job = {.app = app, .name = app->line.arguments[0]};
    enum op_err err = app_read(app, show_user, &job);
    if (err != OP_OK)
        return fail_user(app, err, job.name);
    json_t *object = user_full(app->ctx, job.user);
    json_set_bool(object, "has_password", job.has_password);
    json_set_int(object, "sessions", (int64_t)job.session_count);
    return app_show(app, object);
}

/* --- change, disable, enable --- */

static enum op_err change_user(struct kv_txn *txn, void *arg)
{
    struct user_job *job = arg;
    const char *username = cli_value(&job->app->line, "username");
    enum op_err err = person_find(txn, job->app->ctx, job->name, &job->user);
    if (err != OP_OK)
        return err;
    job->why = apply_claims(job->app, job->user);
    if (job->why != NULL)
        return OP_OK;
    if (username != NULL)
        job->user->username = mem_strdup(job->app->ctx, username);
    job->user->has_updated_at = true;
    job->user->updated_at = kv_now(txn);
    err = users_update(txn, job->user);
    if (err == OP_EXISTS)
        job->why = mem_printf(job->app->ctx, "there is a user %s already", username);
    return err;
}

static int run_change(struct app *app)
{
    struct user_job job = {.app = app, .name = app->line.arguments[0]};
    const char *username = cli_value(&app->line, "username");
    const char *wrong = username == NULL ? NULL : username_problem(username);
    if (wrong != NULL)
        return app_usage(app, "%s", wrong);
    enum op_err err = app_write(app, KV_USERS, change_user, &job);
    if (job.why != NULL)
        return err == OP_EXISTS ? app_fail("%s", job.why) : app_usage(app, "%s", job.why);
    if (err != OP_OK)
        return fail_user(app, err, job.name);
    return app_say(app, user_full(app->ctx, job.user), "user %s changed", job.user->username);
}

static enum op_err set_disabled(struct kv_txn *txn, void *arg)
{
    struct user_job *job = arg;
    enum op_err err = person_find(txn, job->app->ctx, job->name, &job->user);
    if (err != OP_OK)
        return err;
    job->user->has_disabled = true;
    job->user->disabled = job->disable;
    if (job->disable) {
        job->user->has_since = true;
        job->user->since = job->since;
    }
    return users_update(txn, job->user);
}

static int run_disable(struct app *app)
{
    struct user_job job = {.app = app, .name = app->line.arguments[0], .disable = true, .since = app_since()};
    enum op_err err = app_write(app, KV_USERS, set_disabled, &job);
    if (err != OP_OK)
        return fail_user(app, err, job.name);
    json_t *object = user_full(app->ctx, job.user);
    int status = person_end_everything(app, job.user->user_id, "signed_out", object);
    app_wait_until(job.since);
    if (status != APP_OK)
        return status;
    return app_say(app, object, "user %s disabled; signed out everywhere", job.user->username);
}

static int run_enable(struct app *app)
{
    struct user_job job = {.app = app, .name = app->line.arguments[0]};
    enum op_err err = app_write(app, KV_USERS, set_disabled, &job);
    if (err != OP_OK)
        return fail_user(app, err, job.name);
    return app_say(app, user_full(app->ctx, job.user), "user %s enabled", job.user->username);
}

/* --- remove --- */

struct remove_job {
    const void *ctx;
    const char *user_id;
};

static enum op_err delete_password(struct kv_txn *txn, void *arg)
{
    const struct remove_job *job = arg;
    enum op_err err = credentials_delete_password(txn, job->user_id);
    return err == OP_ABSENT ? OP_OK : err;
}

static enum op_err delete_consents(struct kv_txn *txn, void *arg)
{
    const struct remove_job *job = arg;
    Rec__Consent **consents;
    size_t count;
    enum op_err err = consents_list_of_user(txn, job->ctx, job->user_id, NULL, CONSENTS_AT_MOST, &consents, &count);
    for (size_t i = 0; err == OP_OK && i < count; i++)
        err = consents_delete(txn, job->user_id, consents[i]->client_id);
    return err;
}

static enum op_err delete_user(struct kv_txn *txn, void *arg)
{
    const struct remove_job *job = arg;
    return users_delete(txn, job->user_id);
}

/* Disabled first, while it can still be found by name; the record itself last, so that a removal that was cut
 * short is simply done again. A record of a newer version cannot be disabled, only deleted. */
static int run_remove(struct app *app)
{
    struct user_job job = {.app = app, .name = app->line.arguments[0], .disable = true, .since = app_since()};
    struct remove_job remove = {.ctx = app->ctx};
    int status = person_id(app, job.name, &remove.user_id);
    if (status != APP_OK)
        return status;
    enum op_err err = app_write(app, KV_USERS, set_disabled, &job);
    if (err != OP_OK && err != OP_DENIED && err != OP_BROKEN)
        return fail_user(app, err, job.name);
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "username", job.name);
    json_set_string(object, "user_id", remove.user_id);
    err = app_write(app, KV_CREDENTIALS, delete_password, &remove);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(app->ctx, "the password of %s", job.name));
    status = person_end_everything(app, remove.user_id, "revoked", object);
    if (status != APP_OK)
        return status;
    err = app_write(app, KV_SESSIONS, delete_consents, &remove);
    if (err == OP_OK)
        err = app_write(app, KV_USERS, delete_user, &remove);
    if (err != OP_OK)
        return fail_user(app, err, job.name);
    return app_say(app, object, "user %s removed", job.name);
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
