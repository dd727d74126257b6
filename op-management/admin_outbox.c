#include "admin_outbox.h"

#include <string.h>

#include "operator/operate_outbox.h"
#include "runtime/server.h"

enum { TEXT_MAX = 1024 };

static const char *const STATES[] = {"waiting", "leaving", "dead", "unreadable", NULL};

static const struct admin_member MEMBERS[] = {
    {"id", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 32, NULL, "Its name; of a mail the first part of its Message-ID."},
    {"state", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 16, STATES,
     "leaving: is being delivered. dead: a dead letter, which is not tried any more. unreadable: was written by a newer "
     "version, which alone delivers or drops it."},
    {"kind", ADMIN_TEXT, ADMIN_ANSWER, 16, NULL, "mail."},
    {"event", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "What it tells: password_changed."},
    {"to", ADMIN_TEXT, ADMIN_ANSWER, TEXT_MAX, NULL, "The address that it is for."},
    {"username", ADMIN_TEXT, ADMIN_ANSWER, TEXT_MAX, NULL, "The account that it is about."},
    {"name", ADMIN_TEXT, ADMIN_ANSWER, TEXT_MAX, NULL, "The person's name."},
    {"happened_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it happened."},
    {"created_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it was written."},
    {"tries", ADMIN_NUMBER, ADMIN_ANSWER, INT32_MAX, NULL, "How often it was tried."},
    {"due_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it is tried next."},
    {"died_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "Since when it is a dead letter."},
    {"failure", ADMIN_TEXT, ADMIN_ANSWER, TEXT_MAX, NULL, "Why the last try failed, in the mail server's words."},
    {0},
};
static const struct admin_schema SCHEMA = {"Message", "Something that waits to leave the house.", MEMBERS};

static const struct admin_filter FILTERS[] = {{"state", 16, "dead: dead letters only."}, {0}};

struct work {
    struct admin_request *request;
    const char *id;
    bool only_dead;
    /* set by work: */
    struct listing listing;
    json_t *shown;
};

static const struct refusal LEAVING = {NULL, "The message is being delivered right now."};

static struct work *new_work(struct admin_request *request)
{
    struct work *work = mem_new(request->http, struct work);
    work->request = request;
    work->id = admin_value(request, "id");
    return work;
}

static enum op_err list(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const struct admin_request *request = work->request;
    return operate_outbox_list(txn, request->http, work->only_dead, request->after, request->limit, &work->listing);
}

static void listed(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, &LEAVING))
        admin_reply_list(work->request, &work->listing);
}

static void handle_list(struct admin_request *request)
{
    struct work *work = new_work(request);
    const char *state = admin_value(request, "state");
    work->only_dead = state != NULL;
    if (state != NULL && strcmp(state, "dead") != 0)
        admin_refuse(request, &(struct refusal){"state", "is not dead"});
    else
        kv_run(server_kv(), KV_READ_ONLY, list, listed, work);
}

static void shown(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, &LEAVING))
        admin_reply_one(work->request, work->shown, 0);
}

static enum op_err show(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_outbox_show(txn, work->request->http, work->id, &work->shown);
}

static void handle_show(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, show, shown, new_work(request));
}

static enum op_err retry(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_outbox_retry(txn, work->request->http, work->id, &work->shown);
}

static void handle_retry(struct admin_request *request)
{
    kv_run(server_kv(), KV_OUTBOX, retry, shown, new_work(request));
}

static enum op_err drop(struct kv_txn *txn, void *arg)
{
    const struct work *work = arg;
    return operate_outbox_drop(txn, work->request->http, work->id);
}

static void dropped(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, &LEAVING))
        admin_reply_nothing(work->request);
}

static void handle_drop(struct admin_request *request)
{
    kv_run(server_kv(), KV_OUTBOX, drop, dropped, new_work(request));
}

#define NOUN "outbox"
#define ONE "/" NOUN "/{id}"

const struct admin_operation ADMIN_OUTBOX[] = {
    {HTTP_GET, "/" NOUN, "outbox_list", "outbox list", NOUN, &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_LIST, false, FILTERS,
     handle_list, "Lists the messages that wait to leave the house, and dead letters, the oldest first."},
    {HTTP_GET, ONE, "outbox_show", "outbox show", NOUN, &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_ONE, false, NULL,
     handle_show, "Shows a message: for whom it is, what it tells, and why it was not delivered."},
    {HTTP_POST, ONE "/retry", "outbox_retry", "outbox retry", NOUN, &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_ONE, false, NULL,
     handle_retry, "Delivers a message now, a dead letter too, with as many tries as a new one has."},
    {HTTP_DELETE, ONE, "outbox_drop", "outbox drop", NOUN, &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_NOTHING, false, NULL,
     handle_drop, "Drops a message undelivered."},
    {0},
};
