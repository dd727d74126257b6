#include "admin_users.h"

#include <string.h>

#include "operator/operate_users.h"
#include "runtime/notice.h"
#include "runtime/server.h"
#include "runtime/settings.h"
#include "store/users.h"

enum { HASHES_WAITING_MAX = 16, CLAIMS_MAX = 64 * 1024, NAME_MAX_LEN = OPERATE_USERNAME_MAX };

static const char *const STATES[] = {"enabled", "disabled", "unreadable", NULL};
static const char *const WISHED_STATES[] = {"enabled", "disabled", NULL};

static const struct admin_member MEMBERS[] = {
    {"user_id", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "The sub of the account's tokens; never used again."},
    {"username", ADMIN_TEXT, ADMIN_NEW | ADMIN_NEEDED | ADMIN_CHANGE | ADMIN_ANSWER, NAME_MAX_LEN, NULL,
     "What is typed to sign in, whatever its case."},
    {"state", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 16, STATES,
     "disabled: cannot sign in. unreadable: was written by a newer version, and can only be deleted."},
    {"state", ADMIN_TEXT, ADMIN_CHANGE, 16, WISHED_STATES,
     "disabled: is signed out everywhere and cannot sign in; what was ended stays ended when it is enabled again."},
    {"password", ADMIN_TEXT, ADMIN_NEW | ADMIN_CHANGE, OPERATE_PASSWORD_MAX, NULL,
     "At least 8 characters; a change of it signs the account out everywhere. Without one nobody can sign in yet."},
    {"claims", ADMIN_OBJECT, ADMIN_NEW | ADMIN_CHANGE | ADMIN_ANSWER | ADMIN_ALWAYS, CLAIMS_MAX, NULL,
     "Claims by name (OpenID Connect Core 1.0 section 5.1, and others); in a change null takes one away."},
    {"has_password", ADMIN_BOOL, ADMIN_ANSWER | ADMIN_ALWAYS, 0, NULL, "Whether a password is stored."},
    {"created_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When the account was made."},
    {"updated_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When its claims or its username last changed."},
    {"since", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "Sessions and tokens from before are dead."},
    {0},
};
static const struct admin_schema SCHEMA = {"User", "An account.", MEMBERS};

static struct password_pool *passwords;

void admin_users_start(const void *ctx)
{
    passwords = password_pool_new(ctx, server_base(), 1, HASHES_WAITING_MAX, settings_password_cost());
}

struct work {
    struct operate_user_job job; /* first: what a flow hands back */
    struct admin_request *request;
    struct operate_user_change change;
    struct listing listing;
    json_t *shown;
    Rec__Message *notice; /* to the person, about another password; NULL: nobody is to be told */
    void (*then)(struct work *work);
};

static enum op_err admit(const Rec__User *user, void *arg)
{
    return admin_check_version(arg, user->version);
}

static struct work *new_work(struct admin_request *request)
{
    struct work *work = mem_new(request->http, struct work);
    work->request = request;
    work->job = (struct operate_user_job){.ctx = request->http, .user_id = admin_value(request, "user_id"),
                                          .change = &work->change, .admit = admit, .admit_arg = request};
    return work;
}

static void fail(const struct work *work, enum op_err err)
{
    if (err == OP_INVALID)
        admin_refuse(work->request, &work->job.refusal);
    else
        admin_fail(work->request, err, &work->job.refusal);
}

/* --- list, show --- */

/* What is shown of accounts beside their records. */
static enum op_err add_password(struct kv_txn *txn, const void *ctx, json_t *user)
{
    const char *user_id;
    bool has_password;
    enum op_err err = json_get_string(user, "user_id", &user_id);
    if (err == OP_OK)
        err = operate_users_has_password(txn, ctx, user_id, &has_password);
    if (err == OP_OK)
        json_set_bool(user, "has_password", has_password);
    return err;
}

static enum op_err list(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const struct admin_request *request = work->request;
    const struct operate_users_filter filter = {admin_value(request, "username"),
                                                admin_value(request, "username_prefix")};
    enum op_err err =
        operate_users_list(txn, request->http, &filter, request->after, request->limit, &work->listing);
    for (size_t i = 0; err == OP_OK && i < json_array_size(work->listing.items); i++)
        err = add_password(txn, request->http, json_array_get(work->listing.items, i));
    return err;
}

static void listed(enum op_err result, void *arg)
{
    struct work *work = arg;
    if (result != OP_OK)
        admin_fail(work->request, result, NULL);
    else
        admin_reply_list(work->request, &work->listing);
}

static void handle_list(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, list, listed, new_work(request));
}

static enum op_err show(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const void *ctx = work->request->http;
    enum op_err err = users_get(txn, ctx, work->job.user_id, &work->job.user);
    if (err == OP_OK) {
        work->shown = operate_user_json(ctx, work->job.user);
        err = add_password(txn, ctx, work->shown);
    }
    return err;
}

static void shown(enum op_err result, void *arg)
{
    struct work *work = arg;
    if (result != OP_OK)
        admin_fail(work->request, result, NULL);
    else
        admin_reply_one(work->request, work->shown, work->job.user->version);
}

static void handle_show(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, show, shown, new_work(request));
}

/* --- the change that a body asks for --- */

static void read_change(struct work *work)
{
    const json_t *body = work->request->body;
    const char *text;
    if (json_get_string(body, "username", &text) == OP_OK)
        work->change.username = text;
    if (json_get_string(body, "state", &text) == OP_OK) {
        work->change.disable = strcmp(text, "disabled") == 0;
        work->change.enable = !work->change.disable;
        work->request->command = work->change.disable ? "user_disable" : "user_enable";
    }
    work->change.claims = json_object_get(body, "claims");
}

static void hashed(enum op_err result, const char *new_phc, void *arg)
{
    struct work *work = arg;
    if (result != OP_OK) {
        admin_fail(work->request, OP_BROKEN, NULL);
        return;
    }
    work->change.phc = mem_secret(mem_strdup(work->request->http, new_phc));
    work->then(work);
}

/* Hashes the password of the body, if there is one, on its thread. */
static void hash_then(struct work *work, void (*then)(struct work *work))
{
    const char *password, *wrong;
    work->then = then;
    if (json_get_string(work->request->body, "password", &password) != OP_OK) {
        then(work);
        return;
    }
    wrong = operate_password_problem(password);
    if (wrong != NULL)
        admin_refuse(work->request, &(struct refusal){"password", wrong});
    else if (password_pool_run(passwords, &(struct password_job){.new_password = password}, hashed, work) != OP_OK)
        admin_fail(work->request, OP_BUSY, NULL);
}

/* --- add --- */

static void added(enum op_err result, void *arg)
{
    struct work *work = arg;
    if (result != OP_OK) {
        fail(work, result);
        return;
    }
    json_t *user = operate_user_json(work->request->http, work->job.user);
    json_set_bool(user, "has_password", work->change.phc != NULL);
    admin_reply_new(work->request, work->job.user_id, user, work->job.user->version);
}

static void add(struct work *work)
{
    struct operate_flow flow;
    operate_user_add(&work->job, &flow);
    operate_flow_run(server_kv(), work->request->http, &flow, added);
}

static void handle_add(struct admin_request *request)
{
    struct work *work = new_work(request);
    read_change(work);
    hash_then(work, add);
}

/* --- change --- */

static void changed(enum op_err result, void *arg)
{
    struct work *work = arg;
    notice_settle(server_kv(), work->notice, work->job.has_set_password);
    if (result != OP_OK)
        fail(work, result);
    else
        admin_wait_until(work->request, work->job.since, handle_show);
}

static void held(bool is_held, void *arg)
{
    (void)is_held; /* nobody is kept from the change */
    struct work *work = arg;
    struct operate_flow flow;
    operate_user_change(&work->job, &flow);
    operate_flow_run(server_kv(), work->request->http, &flow, changed);
}

static enum op_err write_notice(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    Rec__User *user;
    enum op_err err = users_get(txn, work->request->http, work->job.user_id, &user);
    work->notice = err == OP_OK ? notice_password_changed(work->request->http, user, NULL, kv_now(txn)) : NULL;
    return OP_OK; /* what comes next says what is wrong with the account */
}

static void has_notice(enum op_err result, void *arg)
{
    (void)result;
    struct work *work = arg;
    const struct http_request *req = work->request->http;
    notice_hold(server_kv(), work->notice, req->request_id, req->trace, held, work);
}

static void change(struct work *work)
{
    if (work->change.phc == NULL)
        held(false, work);
    else
        kv_run(server_kv(), KV_READ_ONLY, write_notice, has_notice, work);
}

static void handle_change(struct admin_request *request)
{
    struct work *work = new_work(request);
    read_change(work);
    hash_then(work, change);
}

/* --- remove --- */

static void ended(enum op_err result, void *arg)
{
    struct work *work = arg;
    if (result != OP_OK)
        fail(work, result);
    else
        admin_reply_nothing(work->request);
}

static void handle_remove(struct admin_request *request)
{
    struct work *work = new_work(request);
    struct operate_flow flow;
    operate_user_remove(&work->job, &flow);
    operate_flow_run(server_kv(), request->http, &flow, ended);
}

/* --- the table --- */

static const struct admin_filter FILTERS[] = {
    {"username", NAME_MAX_LEN, "Only the account of this name, whatever its case."},
    {"username_prefix", NAME_MAX_LEN, "Only accounts whose name begins so, whatever its case. A part of the list may then "
     "have few items, or none, though `next` leads on."},
    {0},
};

const struct admin_operation ADMIN_USERS[] = {
    {HTTP_GET, "/users", "user_list", "user list", "users", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_LIST, false, FILTERS,
     handle_list, "Lists accounts, in the order of their user_id."},
    {HTTP_POST, "/users", "user_add", "user add", "users", &SCHEMA, ADMIN_BODY_NEW, ADMIN_GIVES_NEW, true, NULL,
     handle_add, "Adds an account."},
    {HTTP_GET, "/users/{user_id}", "user_show", "user show", "users", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_ONE, true,
     NULL, handle_show, "Shows an account."},
    {HTTP_PATCH, "/users/{user_id}", "user_change", "user change, user password, user disable, user enable", "users",
     &SCHEMA, ADMIN_BODY_CHANGE, ADMIN_GIVES_ONE, true, NULL, handle_change,
     "Changes an account: claims, username, password, state."},
    {HTTP_DELETE, "/users/{user_id}", "user_remove", "user remove", "users", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_NOTHING,
     true, NULL, handle_remove, "Removes an account with its password, sessions, tokens and consents."},
    {0},
};
