#include "admin_registration_tokens.h"

#include "base/rand.h"
#include "operator/operate_registration_tokens.h"
#include "runtime/server.h"
#include "runtime/settings.h"

static const struct admin_member MEMBERS[] = {
    {"id", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "Its name, which lets nobody register."},
    {"initial_access_token", ADMIN_TEXT, ADMIN_ANSWER, 64, NULL, "The token: shown only in the answer that made it."},
    {"registration_endpoint", ADMIN_TEXT, ADMIN_ANSWER, 2048, NULL, "Where it is used; in that answer, too."},
    {"state", ADMIN_TEXT, ADMIN_ANSWER, 16, NULL, "unreadable: was written by a newer version, and can only be revoked."},
    {"note", ADMIN_TEXT, ADMIN_NEW | ADMIN_ANSWER, OPERATE_TOKEN_NOTE_MAX, NULL, "Whose it is."},
    {"uses", ADMIN_NUMBER, ADMIN_NEW, OPERATE_TOKEN_USES_MAX, NULL,
     "How many clients it may register; by default 1. 0: any number."},
    {"expires_in", ADMIN_NUMBER, ADMIN_NEW, OPERATE_TOKEN_LIFETIME_MAX, NULL,
     "Seconds for which it may be used; by default 7 days. 0: for ever."},
    {"uses_left", ADMIN_NUMBER, ADMIN_ANSWER, OPERATE_TOKEN_USES_MAX, NULL, "Absent: any number."},
    {"used", ADMIN_NUMBER, ADMIN_ANSWER, INT64_MAX, NULL, "How many it has registered."},
    {"created_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "When it was made."},
    {"expires_at", ADMIN_TIME, ADMIN_ANSWER, 0, NULL, "Until when it may be used; absent: for ever."},
    {0},
};
static const struct admin_schema SCHEMA = {
    "RegistrationToken", "An initial access token (RFC 7591), with which clients register themselves.", MEMBERS};

struct work {
    struct admin_request *request;
    const char *id, *token;
    struct operate_registration_token wanted;
    /* set by work: */
    struct listing listing;
    json_t *shown;
};

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
    return operate_registration_tokens_list(txn, request->http, request->after, request->limit, &work->listing);
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

static enum op_err add(struct kv_txn *txn, void *arg)
{
    struct work *work = arg;
    return operate_registration_tokens_add(txn, work->request->http, work->token, &work->wanted, &work->shown);
}

static void added(enum op_err result, void *arg)
{
    const struct work *work = arg;
    const char *id;
    if (admin_has_failed(work->request, result, NULL))
        return;
    const void *ctx = work->request->http;
    if (json_get_string(work->shown, "id", &id) != OP_OK)
        id = "";
    json_set_string(work->shown, "initial_access_token", work->token);
    json_set_string(work->shown, "registration_endpoint", mem_printf(ctx, "%s/register", settings.issuer));
    admin_reply_new(work->request, id, work->shown, 0);
}

/* What the body leaves out stays as it was set. */
static void read_number(const json_t *body, const char *name, int64_t *number)
{
    int64_t given;
    if (json_get_int(body, name, &given) == OP_OK)
        *number = given;
}

static void handle_add(struct admin_request *request)
{
    struct work *work = new_work(request);
    struct refusal refusal;
    const char *note;
    work->wanted = (struct operate_registration_token){NULL, OPERATE_TOKEN_USES, OPERATE_TOKEN_LIFETIME};
    read_number(request->body, "uses", &work->wanted.uses);
    read_number(request->body, "expires_in", &work->wanted.expires_in);
    if (json_get_string(request->body, "note", &note) == OP_OK)
        work->wanted.note = note;
    work->token = mem_secret(rand_token(request->http, OPERATE_TOKEN_BYTES));
    if (!operate_registration_token_check(&work->wanted, &refusal))
        admin_refuse(request, &refusal);
    else
        kv_run(server_kv(), KV_CLIENTS, add, added, work);
}

static enum op_err revoke(struct kv_txn *txn, void *arg)
{
    const struct work *work = arg;
    return operate_registration_tokens_revoke(txn, work->request->http, work->id);
}

static void revoked(enum op_err result, void *arg)
{
    const struct work *work = arg;
    if (!admin_has_failed(work->request, result, NULL))
        admin_reply_nothing(work->request);
}

static void handle_revoke(struct admin_request *request)
{
    kv_run(server_kv(), KV_CLIENTS, revoke, revoked, new_work(request));
}

#define NOUN "registration-tokens"

const struct admin_operation ADMIN_REGISTRATION_TOKENS[] = {
    {HTTP_GET, "/" NOUN, "registration_token_list", "registration-token list", NOUN, &SCHEMA, ADMIN_NO_BODY,
     ADMIN_GIVES_LIST, false, NULL, handle_list, "Lists the initial access tokens that can still be used."},
    {HTTP_POST, "/" NOUN, "registration_token_add", "registration-token add", NOUN, &SCHEMA, ADMIN_BODY_NEW,
     ADMIN_GIVES_NEW, false, NULL, handle_add, "Makes an initial access token; it is shown this once."},
    {HTTP_DELETE, "/" NOUN "/{id}", "registration_token_revoke", "registration-token revoke", NOUN, &SCHEMA,
     ADMIN_NO_BODY, ADMIN_GIVES_NOTHING, false, NULL, handle_revoke,
     "Revokes an initial access token; clients that it registered stay."},
    {0},
};
