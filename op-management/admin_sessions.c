#include "admin_sessions.h"

#include "operator/operate_sessions.h"
#include "operator/operate_users.h"
#include "runtime/server.h"
#include "store/users.h"

static const struct admin_member MEMBERS[] = {
    {"sid", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "Its name, that of sid in ID tokens."},
    {"user_id", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "Who is signed in."},
    {"state", ADMIN_TEXT, ADMIN_ANSWER, 16, NULL, "unreadable: was written by a newer version, and can only be ended."},
    {"auth_time", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When the user last proved to be there."},
    {"last_used", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it was last of use, roughly."},
    {"created_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it began."},
    {"idle_expires_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it ends if it is of no use until then."},
    {"expires_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it ends at the latest."},
    {"address", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "Where the browser was."},
    {"user_agent", ADMIN_TEXT, ADMIN_ANSWER, 1024, NULL, "What the browser says of itself."},
    {"acr", ADMIN_TEXT, ADMIN_ANSWER, 256, NULL, "How strongly the user proved to be there."},
    {"amr", ADMIN_TEXTS, ADMIN_ANSWER, 16, NULL, "By what (RFC 8176)."},
    {"client_ids", ADMIN_TEXTS, ADMIN_ANSWER, 1024, NULL, "The clients that it reached."},
    {0},
};
static const struct admin_schema SCHEMA = {"Session", "A sign-on session: one browser, one user.", MEMBERS};

struct work {
    struct operate_user_job job; /* first: what a flow hands back */
    struct admin_request *request;
    const char *user_id, *sid;
    bool user_must_be; /* the path names the user */
    /* set by work: */
    struct listing listing;
    json_t *session;
};

static struct work *new_work(struct admin_request *request)
{
    struct work *work = mem_new(request->http, struct work);
    work->request = request;
    work->user_id = admin_value(request, "user_id");
    work->sid = admin_value(request, "sid");
    return work;
}

/* --- list --- */

/* OP_OK also for an account that cannot be read: it has sessions all the same. */
static enum op_err find_user(struct kv_txn *txn, const struct work *work)
{
    Rec__User *user;
    enum op_err err = users_get(txn, work->request->http, work->user_id, &user);
    return err == OP_DENIED || err == OP_BROKEN ? OP_OK : err;
}

static enum op_err list(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const struct admin_request *request = work->request;
    enum op_err err = work->user_must_be ? find_user(txn, work) : OP_OK;
    return err != OP_OK ? err
                        : operate_sessions_list(txn, request->http, work->user_id, request->after, request->limit,
                                                &work->listing);
}

static void listed(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (result != OP_OK)
        admin_fail(work->request, result, NULL);
    else
        admin_reply_list(work->request, &work->listing);
}

static void handle_list(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, list, listed, new_work(request));
}

static void handle_list_of_user(struct admin_request *request)
{
    struct work *work = new_work(request);
    work->user_must_be = true;
    kv_run(server_kv(), KV_READ_ONLY, list, listed, work);
}

/* --- show, end --- */

static enum op_err show(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_sessions_show(txn, work->request->http, work->sid, &work->session);
}

static void shown(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (result != OP_OK)
        admin_fail(work->request, result, NULL);
    else
        admin_reply_one(work->request, work->session, 0);
}

static void handle_show(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, show, shown, new_work(request));
}

static enum op_err end(struct kv_txn *txn, void *arg)
{
    const struct work *work = arg;
    return operate_sessions_end(txn, work->sid);
}

static void ended(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (result != OP_OK)
        admin_fail(work->request, result, NULL);
    else
        admin_wait_until(work->request, work->job.since, admin_reply_nothing);
}

static void handle_end(struct admin_request *request)
{
    kv_run(server_kv(), KV_SESSIONS, end, ended, new_work(request));
}

static void handle_end_of_user(struct admin_request *request)
{
    struct work *work = new_work(request);
    struct operate_flow flow;
    work->job.ctx = request->http;
    work->job.user_id = work->user_id;
    operate_user_sign_out(&work->job, &flow);
    operate_flow_run(server_kv(), request->http, &flow, ended);
}

/* --- the table --- */

static const struct admin_filter FILTERS[] = {{"user_id", 64, "Only the sessions of this user."}, {0}};

const struct admin_operation ADMIN_SESSIONS[] = {
    {HTTP_GET, "/sessions", "session_list", "session list", "sessions", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_LIST, false,
     FILTERS, handle_list, "Lists sign-on sessions, in the order of their sid."},
    {HTTP_GET, "/sessions/{sid}", "session_show", "session show", "sessions", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_ONE,
     false, NULL, handle_show, "Shows a session."},
    {HTTP_DELETE, "/sessions/{sid}", "session_end", "session end", "sessions", &SCHEMA, ADMIN_NO_BODY,
     ADMIN_GIVES_NOTHING, false, NULL, handle_end, "Ends a session; tokens without offline_access end with it."},
    {HTTP_GET, "/users/{user_id}/sessions", "session_list_of_user", "session list", "sessions", &SCHEMA, ADMIN_NO_BODY,
     ADMIN_GIVES_LIST, false, NULL, handle_list_of_user, "Lists a user's sessions."},
    {HTTP_DELETE, "/users/{user_id}/sessions", "session_end_of_user", "session end", "sessions", &SCHEMA, ADMIN_NO_BODY,
     ADMIN_GIVES_NOTHING, false, NULL, handle_end_of_user,
     "Signs a user out everywhere: ends all sessions, and all tokens with them."},
    {0},
};
