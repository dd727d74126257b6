#include "admin_consents.h"

#include "operator/operate_consents.h"
#include "runtime/server.h"

static const char *const STATES[] = {"given", "withdrawn", "unreadable", NULL};

static const struct admin_member MEMBERS[] = {
    {"user_id", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "Who allowed it."},
    {"client_id", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "To which client."},
    {"state", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 16, STATES,
     "unreadable: was written by a newer version, and can only be withdrawn."},
    {"scope", ADMIN_TEXT, ADMIN_ANSWER, 4096, NULL, "What is allowed."},
    {"claims", ADMIN_TEXTS, ADMIN_ANSWER, 256, NULL, "Claims that were asked for by name, and allowed."},
    {"granted_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it was last given."},
    {"since", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "What was granted by it before is dead."},
    {0},
};
static const struct admin_schema SCHEMA = {"Consent", "What a user allowed a client.", MEMBERS};

struct work {
    struct admin_request *request;
    struct operate_consents_filter filter; /* of the path, too */
    /* set by work: */
    int64_t since; /* what was granted before is dead */
    struct listing listing;
    json_t *consent;
};

static struct work *new_work(struct admin_request *request)
{
    struct work *work = mem_new(request->http, struct work);
    work->request = request;
    work->filter = (struct operate_consents_filter){admin_value(request, "user_id"), admin_value(request, "client_id")};
    return work;
}

static enum op_err list(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const struct admin_request *request = work->request;
    return operate_consents_list(txn, request->http, &work->filter, request->after, request->limit, &work->listing);
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
    return operate_consents_show(txn, work->request->http, work->filter.user_id, work->filter.client_id,
                                 &work->consent);
}

static void shown(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, NULL))
        admin_reply_one(work->request, work->consent, 0);
}

static void handle_show(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, show, shown, new_work(request));
}

static enum op_err withdraw(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_consents_withdraw(txn, work->request->http, work->filter.user_id, work->filter.client_id,
                                     &work->since);
}

static void withdrawn(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, NULL))
        admin_wait_until(work->request, work->since, admin_reply_nothing);
}

static void handle_withdraw(struct admin_request *request)
{
    kv_run(server_kv(), KV_SESSIONS, withdraw, withdrawn, new_work(request));
}

static const struct admin_filter FILTERS[] = {
    {"user_id", 64, "Only those of this user."},
    {"client_id", 64, "Only those for this client. A part of the list may then have few items, or none, though `next` "
     "leads on."},
    {0},
};

const struct admin_operation ADMIN_CONSENTS[] = {
    {HTTP_GET, "/consents", "consent_list", "consent list", "consents", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_LIST, false,
     FILTERS, handle_list, "Lists what users allowed clients, withdrawn ones too."},
    {HTTP_GET, "/consents/{user_id}/{client_id}", "consent_show", "consent show", "consents", &SCHEMA, ADMIN_NO_BODY,
     ADMIN_GIVES_ONE, false, NULL, handle_show, "Shows what a user allowed a client."},
    {HTTP_DELETE, "/consents/{user_id}/{client_id}", "consent_withdraw", "consent withdraw", "consents", &SCHEMA,
     ADMIN_NO_BODY, ADMIN_GIVES_NOTHING, false, NULL, handle_withdraw,
     "Withdraws a user's consent for a client; tokens that lean on it die for good. It stays in the list, withdrawn."},
    {0},
};
