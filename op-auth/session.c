#include "session.h"

#include <string.h>

#include "auth.h"
#include "data/digest.h"
#include "data/form.h"
#include "runtime/settings.h"
#include "store/sessions.h"

enum { USER_AGENT_MAX = 256 };

static ProtobufCBinaryData hash_of(const void *ctx, const char *cookie)
{
    struct bytes hash = digest_sha256_of(ctx, cookie);
    return (ProtobufCBinaryData){.len = hash.len, .data = (uint8_t *)hash.data};
}

/* Where and how somebody signed in, for the account page. */
static void note_place(Rec__Session *session, const struct http_request *req)
{
    const char *agent = http_field(req, "user-agent");
    session->user_agent = mem_strndup(req, agent == NULL ? "" : agent, USER_AGENT_MAX);
    if (!form_is_utf8(bytes_of(session->user_agent)))
        session->user_agent = NULL;
    session->address = mem_strdup(req, req->client_address);
}

static void note_sign_in(Rec__Session *session, const struct session_start *start, int64_t now)
{
    char *pwd = mem_strdup(start->req, "pwd"); /* RFC 8176 §2 */
    session->amr = records_strings(start->req, &pwd, 1);
    session->n_amr = 1;
    session->acr = mem_strdup(start->req, settings.password_acr);
    session->cookie_hash = hash_of(start->req, start->new_cookie);
    session->has_cookie_hash = session->has_auth_time = session->has_created_at = session->has_last_used = true;
    session->has_idle_expires_at = session->has_expires_at = true;
    session->auth_time = now;
    if (session->created_at < start->user->since)
        session->created_at = start->user->since;
    session->last_used = now;
    session->idle_expires_at = now + settings.session_idle_lifetime;
    session->expires_at = now + settings.session_lifetime;
    note_place(session, start->req);
}

static enum op_err insert(struct kv_txn *txn, struct session_start *start)
{
    Rec__Session *session = records_new(start->req, &rec__session__descriptor);
    session->sid = mem_strdup(start->req, start->new_sid);
    session->user_id = mem_strdup(start->req, start->user->user_id);
    session->created_at = kv_now(txn);
    note_sign_in(session, start, kv_now(txn));
    start->sid = session->sid;
    return sessions_insert(txn, session);
}

static enum op_err end(struct kv_txn *txn, const char *sid)
{
    enum op_err err = sessions_end(txn, sid);
    return err == OP_ABSENT ? OP_OK : err;
}

enum op_err session_begin(struct kv_txn *txn, struct session_start *start)
{
    Rec__Session *old = NULL;
    enum op_err err = start->old_cookie == NULL ? OP_ABSENT : sessions_find(txn, start->req, start->old_cookie, &old);
    if (err == OP_ABSENT || err == OP_DENIED)
        return insert(txn, start);
    if (err != OP_OK)
        return err;
    if (old->user_id != NULL && strcmp(old->user_id, start->user->user_id) == 0) {
        note_sign_in(old, start, kv_now(txn));
        start->sid = old->sid;
        return sessions_update(txn, old);
    }
    err = end(txn, old->sid);
    return err == OP_OK ? insert(txn, start) : err;
}

enum op_err session_renew(struct kv_txn *txn, const void *ctx, Rec__Session *session, const char *new_cookie,
                          int64_t created_at, int64_t authenticated_at)
{
    session->has_cookie_hash = session->has_created_at = session->has_auth_time = true;
    session->cookie_hash = hash_of(ctx, new_cookie);
    session->created_at = created_at;
    if (authenticated_at > 0)
        session->auth_time = authenticated_at;
    return sessions_update(txn, session);
}
