#include "admin_keys.h"

#include "operator/operate_keys.h"
#include "runtime/server.h"

static const struct admin_member MEMBERS[] = {
    {"kid", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "Its name, that of kid in tokens."},
    {"alg", ADMIN_TEXT, ADMIN_ANSWER, 16, NULL, "What it signs by."},
    {"state", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 16, NULL,
     "next: is published and signs nothing yet. current: signs. retired: signed once."},
    {"created_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it was made."},
    {"current_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it began to sign."},
    {"retired_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it ended to."},
    {"unpublish_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it leaves the JWK Set."},
    {"delete_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it is forgotten."},
    {"jwk", ADMIN_OBJECT, ADMIN_ANSWER, 0, NULL, "Its public half; not in lists."},
    {0},
};
static const struct admin_schema SCHEMA = {"Key", "A signing key: its public half, and where it stands.", MEMBERS};

struct work {
    struct admin_request *request;
    const char *kid;
    struct listing listing;
    json_t *key;
};

static struct work *new_work(struct admin_request *request)
{
    struct work *work = mem_new(request->http, struct work);
    work->request = request;
    work->kid = admin_value(request, "kid");
    return work;
}

static enum op_err list(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    const struct admin_request *request = work->request;
    return operate_keys_list(txn, request->http, request->after, request->limit, &work->listing);
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

static enum op_err show(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_keys_show(txn, work->request->http, work->kid, &work->key);
}

static void shown(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (result != OP_OK)
        admin_fail(work->request, result, NULL);
    else
        admin_reply_one(work->request, work->key, 0);
}

static void handle_show(struct admin_request *request)
{
    kv_run(server_kv(), KV_READ_ONLY, show, shown, new_work(request));
}

const struct admin_operation ADMIN_KEYS[] = {
    {HTTP_GET, "/keys", "key_list", "key list", "keys", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_LIST, false, NULL, handle_list,
     "Lists the signing keys and where they stand. They are rotated on the machine (opctl key rotate)."},
    {HTTP_GET, "/keys/{kid}", "key_show", "key show", "keys", &SCHEMA, ADMIN_NO_BODY, ADMIN_GIVES_ONE, false, NULL,
     handle_show, "Shows a signing key with its public JWK."},
    {0},
};
