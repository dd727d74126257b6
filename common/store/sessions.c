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

static int64_t expiry_of(const Rec__Session *session)
{
    return session->idle_expires_at < session->expires_at ? session->idle_expires_at : session->expires_at;
}

static void derive_cookie(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines)
{
    const Rec__Session *session = record;
    if (session->cookie_hash.len != 0)
        repository_add_line(lines, bytes_from(session->cookie_hash.data, session->cookie_hash.len), key, expires_at);
}

static void derive_user(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines)
{
    const Rec__Session *session = record;
    if (session->user_id != NULL)
        repository_add_line(lines, repository_owned_key(lines->ctx, session->user_id, key), bytes_of(NULL), expires_at);
}

static const struct repository_index INDEXES[] = {
    {&TABLE_SESSION_COOKIES, derive_cookie, repository_target_value},
    {&TABLE_USER_SESSIONS, derive_user, repository_target_owned},
};
const struct repository REPOSITORY_SESSIONS = {
    &TABLE_SESSIONS, &rec__session__descriptor, from_key, REPOSITORY_INDEXES(INDEXES)};

enum op_err sessions_get(struct kv_txn *txn, const void *ctx, const char *sid, Rec__Session **ret)
{
    return repository_get(txn, &REPOSITORY_SESSIONS, bytes_of(sid), ctx, ret);
}

enum op_err sessions_find(struct kv_txn *txn, const void *ctx, const char *cookie, Rec__Session **ret)
{
    struct bytes sid;
    enum op_err err = kv_get(txn, &TABLE_SESSION_COOKIES, digest_sha256_of(ctx, cookie), ctx, &sid);
    return err != OP_OK ? err : repository_get(txn, &REPOSITORY_SESSIONS, sid, ctx, ret);
}

enum op_err sessions_insert(struct kv_txn *txn, const Rec__Session *session)
{
    return repository_insert(txn, &REPOSITORY_SESSIONS, bytes_of(session->sid), session, expiry_of(session));
}

enum op_err sessions_update(struct kv_txn *txn, const Rec__Session *session)
{
    void *scratch = mem_root("sessions_update");
    Rec__Session *stored;
    enum op_err err = sessions_get(txn, scratch, session->sid, &stored);
    if (err == OP_OK)
        err = repository_put(txn, &REPOSITORY_SESSIONS, bytes_of(session->sid), session, expiry_of(session));
    talloc_free(scratch);
    return err;
}

enum op_err sessions_end(struct kv_txn *txn, const char *sid)
{
    return repository_delete(txn, &REPOSITORY_SESSIONS, bytes_of(sid));
}

enum op_err sessions_end_of_user(struct kv_txn *txn, const char *user_id, const char *sid)
{
    void *scratch = mem_root("sessions_end_of_user");
    struct bytes nothing, user_key = repository_owned_key(scratch, user_id, bytes_of(sid));
    enum op_err err = kv_get(txn, &TABLE_USER_SESSIONS, user_key, scratch, &nothing);
    talloc_free(scratch);
    return err == OP_OK ? sessions_end(txn, sid) : err;
}

enum op_err sessions_list_of_user(struct kv_txn *txn, const void *ctx, const char *user_id, const char *after,
                                  size_t limit, Rec__Session ***ret, size_t *ret_count)
{
    return repository_list_owned(txn, &REPOSITORY_SESSIONS, &TABLE_USER_SESSIONS, user_id, bytes_of(after), limit, ctx,
                                 ret, ret_count);
}

enum op_err sessions_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit, Rec__Session ***ret,
                          size_t *ret_count)
{
    return repository_list(txn, &REPOSITORY_SESSIONS, bytes_of(NULL), bytes_of(after), limit, ctx, ret, ret_count);
}
