#include "admin_families.h"

#include "operator/operate_families.h"
#include "operator/operate_flow.h"
#include "protocol/client_metadata.h"
#include "runtime/server.h"

static const char *const STATES[] = {"alive", "expired", "dead", "unreadable", NULL};

static const struct admin_member MEMBERS[] = {
    {"family", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "Its name."},
    {"state", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 16, STATES,
     "Where it stands by itself: it is of no use either when its session, user, client or consent has ended."},
    {"dead_reason", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "Why it is dead."},
    {"dead_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "Since when."},
    {"user_id", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "Whose it is."},
    {"client_id", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "The client that has its tokens."},
    {"sid", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "The session it was given in."},
    {"scope", ADMIN_TEXT, ADMIN_ANSWER, 4096, NULL, "What was granted."},
    {"audiences", ADMIN_TEXTS, ADMIN_ANSWER, 64, NULL, "aud of its access tokens."},
    {"auth_time", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When the user had proved to be there."},
    {"granted_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it was granted."},
    {"offline", ADMIN_BOOL, ADMIN_ANSWER | ADMIN_ALWAYS, 0, NULL, "It outlives its session (offline_access)."},
    {"created_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When its first tokens were given."},
    {"last_used", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When a refresh token of it was last used, roughly."},
    {"idle_lifetime", ADMIN_NUMBER, ADMIN_ANSWER, CLIENT_LIFETIME_MAX, NULL,
     "Seconds that it lives unused, where its client had a refresh_token_idle_lifetime when it was granted."},
    {"idle_expires_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it ends if none is used until then."},
    {"expires_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it ends at the latest."},
    {"generation", ADMIN_NUMBER, ADMIN_ANSWER, INT64_MAX, NULL, "How many times its refresh token was replaced."},
    {0},
};
static const struct admin_schema SCHEMA = {
    "Family", "A family of refresh tokens, and all that was made from them: one sign-in at one client.", MEMBERS};

struct work {
    struct admin_request *request;
    struct operate_families_filter filter;
    const char *family;
    /* set by work: */
    struct listing listing;
    json_t *shown;   /* the one, or those that one step has revoked */
    const char *after, *next;
    size_t revoked;
};

static struct work *new_work(struct admin_request *request)
{
    struct work *work = mem_new(request->http, struct work);
    work->request = request;
    work->filter = (struct operate_families_filter){admin_value(request, "user_id"), admin_value(request, "client_id")};
    work->family = admin_value(request, "family");
    return work;
}

/* --- list, show --- */

static enum op_err list(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const struct admin_request *request = work->request;
    return operate_families_list(txn, request->http, &work->filter, request->after, request->limit, &work->listing);
}

static void listed(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, NULL))
        admin_reply_list(work->request, &work->listing);
}

static void handle_list(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, list, listed, new_work(request));
}

static enum op_err show(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_families_show(txn, work->request->http, work->family, &work->shown);
}

static void shown(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, NULL))
        admin_reply_one(work->request, work->shown, 0);
}

static void handle_show(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, show, shown, new_work(request));
}

/* --- revoke --- */

static enum op_err revoke(struct kv_txn *txn, void *arg)
{
    const struct work *work = arg;
    return operate_families_revoke(txn, work->request->http, work->family);
}

static void revoked(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, NULL))
        admin_reply_nothing(work->request);
}

static void handle_revoke(struct admin_request *request)
{
    kv_run(server_kv(), KV_TOKENS, revoke, revoked, new_work(request));
}

static enum op_err revoke_some(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_families_revoke_all(txn, work->request->http, &work->filter, "revoked", work->after, &work->shown,
                                       &work->next);
}

static bool go_on(void *arg)
{
    struct work *work = arg;
    work->revoked += json_array_size(work->shown);
    work->after = work->next;
    return work->next != NULL;
}

static void revoked_all(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (admin_has_failed(work->request, result, NULL))
        return;
    json_t *report = json_make_object(work->request->http);
    json_set_int(report, "revoked", (int64_t)work->revoked);
    admin_reply_one(work->request, report, 0);
}

static void handle_revoke_all(struct admin_request *request)
{
    struct work *work = new_work(request);
    struct operate_flow flow = {.arg = work, .again = go_on};
    if (work->filter.user_id == NULL && work->filter.client_id == NULL) {
        admin_refuse(request, &(struct refusal){NULL, "user_id or client_id says whose families are revoked"});
        return;
    }
    operate_flow_add(&flow, KV_TOKENS, revoke_some);
    operate_flow_run(server_kv(), request->http, &flow, revoked_all);
}

/* --- the table --- */

static const struct admin_filter FILTERS[] = {
    {"user_id", 64, "Only those of this user."},
    {"client_id", 64, "Only those of this client. A part of the list may then have few items, or none, though `next` "
     "leads on."},
    {0},
};
static const struct admin_filter WHOSE[] = {
    {"user_id", 64, "Those of this user; this or client_id must be there."},
    {"client_id", 64, "Those of this client."},
    {0},
};

const struct admin_operation ADMIN_FAMILIES[] = {
    {HTTP_GET, "/families", "family_list", "family list", "families", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_LIST, false,
     FILTERS, handle_list, "Lists families of refresh tokens, dead ones too, in the order of their names."},
    {HTTP_DELETE, "/families", "family_revoke_all", "family revoke", "families", NULL, ADMIN_NO_BODY,
     ADMIN_GIVES_DOCUMENT, false, WHOSE, handle_revoke_all,
     "Revokes all of a user, of a client, or of a user at a client; says how many."},
    {HTTP_GET, "/families/{family}", "family_show", "family show", "families", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_ONE,
     false, NULL, handle_show, "Shows a family."},
    {HTTP_DELETE, "/families/{family}", "family_revoke", "family revoke", "families", &SCHEMA, ADMIN_NO_BODY,
     ADMIN_GIVES_NOTHING, false, NULL, handle_revoke,
     "Revokes a family: its refresh and access tokens are refused from the next request on. One that is not there is "
     "marked dead: an access token may name it."},
    {0},
};
