#include "store/sessions.h"

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

static void *from_key(const void *ctx, struct bytes key)
{
    Rec__Session *session = records_new(ctx, &rec__session__descriptor);
    session->has_needs = true;
    session->needs = RECORDS_FORMAT + 1;
    session->sid = mem_strndup(session, (const char *)key.data, key.len);
    return session;
}

static const struct repository SESSIONS = {&TABLE_SESSIONS, &rec__session__descriptor, from_key};

static struct bytes cookie_key(const Rec__Session *session)
{
    return bytes_from(session->cookie_hash.data, session->cookie_hash.len);
}

static int64_t expiry_of(const Rec__Session *session)
{
    return session->idle_expires_at < session->expires_at ? session->idle_expires_at : session->expires_at;
}

static enum op_err index_add(struct kv_txn *txn, const Rec__Session *session)
{
    void *scratch = mem_root("sessions_index_add");
    struct bytes sid = bytes_of(session->sid), user_key = repository_owned_key(scratch, session->user_id, sid);
    enum op_err err = kv_put(txn, &TABLE_SESSION_COOKIES, cookie_key(session), sid, expiry_of(session));
    if (err == OP_OK)
        err = kv_put(txn, &TABLE_USER_SESSIONS, user_key, bytes_of(NULL), expiry_of(session));
    talloc_free(scratch);
    return err;
}

static void index_remove(struct kv_txn *txn, const Rec__Session *session)
{
    void *scratch = mem_root("sessions_index_remove");
    if (session->cookie_hash.len != 0)
        kv_delete(txn, &TABLE_SESSION_COOKIES, cookie_key(session));
    if (session->user_id != NULL)
        kv_delete(txn, &TABLE_USER_SESSIONS, repository_owned_key(scratch, session->user_id, bytes_of(session->sid)));
    talloc_free(scratch);
}

enum op_err sessions_get(struct kv_txn *txn, const void *ctx, const char *sid, Rec__Session **ret)
{
    return repository_get(txn, &SESSIONS, bytes_of(sid), ctx, ret);
}

enum op_err sessions_find(struct kv_txn *txn, const void *ctx, const char *cookie, Rec__Session **ret)
{
    struct bytes sid;
    enum op_err err = kv_get(txn, &TABLE_SESSION_COOKIES, digest_sha256_of(ctx, cookie), ctx, &sid);
    return err != OP_OK ? err : repository_get(txn, &SESSIONS, sid, ctx, ret);
}

enum op_err sessions_insert(struct kv_txn *txn, const Rec__Session *session)
{
    enum op_err err = repository_insert(txn, &SESSIONS, bytes_of(session->sid), session, expiry_of(session));
    return err != OP_OK ? err : index_add(txn, session);
}

enum op_err sessions_update(struct kv_txn *txn, const Rec__Session *session)
{
    void *scratch = mem_root("sessions_update");
    Rec__Session *stored;
    enum op_err err = sessions_get(txn, scratch, session->sid, &stored);
    if (err != OP_OK)
        goto out;
    index_remove(txn, stored);
    err = repository_put(txn, &SESSIONS, bytes_of(session->sid), session, expiry_of(session));
    if (err == OP_OK)
        err = index_add(txn, session);
out:
    talloc_free(scratch);
    return err;
}

enum op_err sessions_end(struct kv_txn *txn, const char *sid)
{
    void *scratch = mem_root("sessions_end");
    Rec__Session *stored;
    enum op_err err = repository_get_any(txn, &SESSIONS, bytes_of(sid), scratch, &stored);
    if (err == OP_OK)
        index_remove(txn, stored);
    if (err == OP_OK || err == OP_BROKEN)
        err = kv_delete(txn, &TABLE_SESSIONS, bytes_of(sid));
    talloc_free(scratch);
    return err;
}

enum op_err sessions_end_of_user(struct kv_txn *txn, const char *user_id, const char *sid)
{
    void *scratch = mem_root("sessions_end_of_user");
    struct bytes nothing, user_key = repository_owned_key(scratch, user_id, bytes_of(sid));
    enum op_err err = kv_get(txn, &TABLE_USER_SESSIONS, user_key, scratch, &nothing);
    talloc_free(scratch);
    return err == OP_OK ? sessions_end(txn, sid) : err;
}

enum op_err sessions_list_of_user(struct kv_txn *txn, const void *ctx, const char *user_id, size_t limit,
                                  Rec__Session ***ret, size_t *ret_count)
{
    return repository_list_owned(txn, &SESSIONS, &TABLE_USER_SESSIONS, user_id, limit, ctx, ret, ret_count);
}

enum op_err sessions_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit, Rec__Session ***ret,
                          size_t *ret_count)
{
    return repository_list(txn, &SESSIONS, bytes_of(NULL), bytes_of(after), limit, ctx, ret, ret_count);
}
