#include "store_script.h"

#include "data/digest.h"
#include "store/sessions.h"
#include "store/tables.h"

enum { FAR = 3600, MANY = 1000 };

static void set_cookie(const void *ctx, Rec__Session *session, const char *cookie)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(cookie), hash);
    session->has_cookie_hash = true;
    session->cookie_hash = script_bytes(ctx, hash, sizeof hash);
}

static Rec__Session *make(const void *ctx, const char *sid, const char *user_id, const char *cookie, int64_t idle, int64_t end)
{
    Rec__Session *session = records_new(ctx, &rec__session__descriptor);
    session->sid = mem_strdup(ctx, sid);
    session->user_id = mem_strdup(ctx, user_id);
    set_cookie(ctx, session, cookie);
    session->has_idle_expires_at = session->has_expires_at = true;
    session->idle_expires_at = idle;
    session->expires_at = end;
    return session;
}

static enum op_err insert_three(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + FAR;
    CHECK(sessions_insert(txn, make(script->ctx, "s1", "alice", "c1", far, far)) == OP_OK);
    CHECK(sessions_insert(txn, make(script->ctx, "s2", "alice", "c2", far, far)) == OP_OK);
    CHECK(sessions_insert(txn, make(script->ctx, "s3", "alicent", "c3", far, far)) == OP_OK);
    CHECK(sessions_insert(txn, make(script->ctx, "s1", "bob", "c4", far, far)) == OP_EXISTS);
    return OP_OK;
}

static enum op_err read_back(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Session *session, **list;
    size_t count;
    CHECK(sessions_get(txn, script->ctx, "s1", &session) == OP_OK && strcmp(session->user_id, "alice") == 0);
    CHECK(sessions_find(txn, script->ctx, "c2", &session) == OP_OK && strcmp(session->sid, "s2") == 0);
    CHECK(sessions_find(txn, script->ctx, "c4", &session) == OP_ABSENT);
    CHECK(sessions_list_of_user(txn, script->ctx, "alice", NULL, 10, &list, &count) == OP_OK && count == 2);
    CHECK(sessions_list_of_user(txn, script->ctx, "bob", NULL, 10, &list, &count) == OP_OK && count == 0);
    CHECK(sessions_list(txn, script->ctx, "s1", 10, &list, &count) == OP_OK && count == 2);
    CHECK(strcmp(list[0]->sid, "s2") == 0);
    return OP_OK;
}

static enum op_err renew(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Session *session;
    CHECK(sessions_get(txn, script->ctx, "s1", &session) == OP_OK);
    set_cookie(script->ctx, session, "c1-new");
    CHECK(sessions_update(txn, session) == OP_OK);
    CHECK(sessions_find(txn, script->ctx, "c1", &session) == OP_ABSENT);
    CHECK(sessions_find(txn, script->ctx, "c1-new", &session) == OP_OK && strcmp(session->sid, "s1") == 0);
    return OP_OK;
}

static enum op_err end(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Session *session, **list;
    size_t count;
    CHECK(sessions_get(txn, script->ctx, "s1", &session) == OP_OK);
    CHECK(sessions_end(txn, "s1") == OP_OK && sessions_end(txn, "s1") == OP_ABSENT);
    CHECK(sessions_find(txn, script->ctx, "c1-new", &session) == OP_ABSENT);
    CHECK(sessions_list_of_user(txn, script->ctx, "alice", NULL, 10, &list, &count) == OP_OK && count == 1);
    CHECK(sessions_update(txn, session) == OP_ABSENT); /* it stays ended */
    return OP_OK;
}

static void sessions_are_kept_and_ended(void **state)
{
    (void)state;
    RUN(KV_SESSIONS, insert_three, read_back, renew, end);
}

static enum op_err expire(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t now = kv_now(txn);
    Rec__Session *session = make(script->ctx, "s9", "zoe", "c9", now + FAR, now + FAR), **list;
    size_t count;
    CHECK(sessions_insert(txn, session) == OP_OK);
    session->idle_expires_at = now - 1; /* the earlier of the two ends counts */
    CHECK(sessions_update(txn, session) == OP_OK);
    CHECK(sessions_get(txn, script->ctx, "s9", &session) == OP_ABSENT);
    CHECK(sessions_find(txn, script->ctx, "c9", &session) == OP_ABSENT);
    CHECK(sessions_list_of_user(txn, script->ctx, "zoe", NULL, 10, &list, &count) == OP_OK && count == 0);
    CHECK(sessions_insert(txn, make(script->ctx, "s10", "zoe", "c10", now + FAR, now - 1)) == OP_OK);
    CHECK(sessions_find(txn, script->ctx, "c10", &session) == OP_ABSENT);
    return OP_OK;
}

static enum op_err insert_many(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + FAR;
    for (int i = 0; i <= MANY; i++) {
        const char *sid = mem_printf(script->ctx, "s%04d", i);
        CHECK(sessions_insert(txn, make(script->ctx, sid, "alice", mem_printf(script->ctx, "c%d", i), far, far)) == OP_OK);
    }
    CHECK(sessions_insert(txn, make(script->ctx, "bobs", "bob", "bobs", far, far)) == OP_OK);
    return OP_OK;
}

static enum op_err end_as_user(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Session *session;
    char *last = mem_printf(script->ctx, "s%04d", MANY), *long_one = mem_printf(script->ctx, "%01000d", 1);
    CHECK(sessions_end_of_user(txn, "alice", last) == OP_OK);
    CHECK(sessions_get(txn, script->ctx, last, &session) == OP_ABSENT);
    CHECK(sessions_end_of_user(txn, "alice", last) == OP_ABSENT);
    CHECK(sessions_end_of_user(txn, "alice", "bobs") == OP_ABSENT);
    CHECK(sessions_end_of_user(txn, "alice", "") == OP_ABSENT && sessions_end_of_user(txn, "alice", long_one) == OP_ABSENT);
    CHECK(sessions_get(txn, script->ctx, "bobs", &session) == OP_OK && sessions_get(txn, script->ctx, "s0000", &session) == OP_OK);
    return OP_OK;
}

static void a_user_ends_any_of_the_own_sessions_and_no_other(void **state)
{
    (void)state;
    RUN(KV_SESSIONS, insert_many, end_as_user);
}

static enum op_err nothing_is_left(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct bytes value;
    kv_sweep(txn, KV_SESSIONS, 100);
    CHECK(kv_get(txn, &TABLE_SESSION_COOKIES, digest_sha256_of(script->ctx, "c9"), script->ctx, &value) == OP_ABSENT);
    CHECK(kv_get(txn, &TABLE_USER_SESSIONS, bytes_from("zoe\0s9", 6), script->ctx, &value) == OP_ABSENT);
    return OP_OK;
}

static void an_expired_session_is_absent_everywhere(void **state)
{
    (void)state;
    RUN(KV_SESSIONS, expire, nothing_is_left);
}

static enum op_err insert_newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + FAR;
    Rec__Session *session = make(script->ctx, "new", "alice", "c", far, far);
    session->has_needs = true;
    session->needs = RECORDS_FORMAT + 1;
    CHECK(sessions_insert(txn, session) == OP_OK);
    return OP_OK;
}

static enum op_err newer_can_only_be_ended(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + FAR;
    Rec__Session *session, **list;
    size_t count;
    CHECK(sessions_get(txn, script->ctx, "new", &session) == OP_DENIED && sessions_find(txn, script->ctx, "c", &session) == OP_DENIED);
    CHECK(sessions_update(txn, make(script->ctx, "new", "alice", "mine", far, far)) == OP_DENIED);
    CHECK(sessions_list_of_user(txn, script->ctx, "alice", NULL, 10, &list, &count) == OP_OK && count == 1);
    CHECK(strcmp(list[0]->sid, "new") == 0 && list[0]->needs > RECORDS_FORMAT);
    CHECK(sessions_end_of_user(txn, "bob", "new") == OP_ABSENT);
    CHECK(sessions_end_of_user(txn, "alice", "new") == OP_OK);
    CHECK(sessions_find(txn, script->ctx, "c", &session) == OP_ABSENT);
    CHECK(sessions_list_of_user(txn, script->ctx, "alice", NULL, 10, &list, &count) == OP_OK && count == 0);
    return OP_OK;
}

static void what_a_newer_version_wrote_can_only_be_ended(void **state)
{
    (void)state;
    RUN(KV_SESSIONS, insert_newer, newer_can_only_be_ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_kept_and_ended),
        cmocka_unit_test(a_user_ends_any_of_the_own_sessions_and_no_other),
        cmocka_unit_test(an_expired_session_is_absent_everywhere),
        cmocka_unit_test(what_a_newer_version_wrote_can_only_be_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
