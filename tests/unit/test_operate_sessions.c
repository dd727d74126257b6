#include "store_script.h"

#include "operator/operate_sessions.h"
#include "store/sessions.h"

enum { SESSIONS = 300, FAR = 3600 }; /* more than are ended at once */

/* Every third is bob's; one of alice's needs a newer version. */
static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    for (int i = 0; i < SESSIONS * 3 / 2; i++) {
        Rec__Session *session = records_new(script->ctx, &rec__session__descriptor);
        session->sid = mem_printf(session, "s%03d", i);
        session->user_id = mem_strdup(session, i % 3 == 2 ? "bob" : "alice");
        session->has_idle_expires_at = session->has_expires_at = true;
        session->idle_expires_at = session->expires_at = kv_now(txn) + FAR;
        session->has_needs = i == 1;
        session->needs = RECORDS_FORMAT + 1;
        CHECK(sessions_insert(txn, session) == OP_OK);
    }
    return OP_OK;
}

static size_t count_all(struct kv_txn *txn, const void *ctx, const char *user_id, size_t limit)
{
    struct listing part = {NULL, NULL};
    size_t count = 0, parts = 0;
    do {
        if (operate_sessions_list(txn, ctx, user_id, part.next, limit, &part) != OP_OK || ++parts > SESSIONS * 2)
            return 0;
        count += json_array_size(part.items);
    } while (part.next != NULL);
    return count;
}

static enum op_err list(struct kv_txn *txn, void *arg)
{
    static const size_t limits[] = {1, 99, 100, 101, SESSIONS, SESSIONS * 2};
    struct script *script = arg;
    json_t *shown;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        CHECK(count_all(txn, script->ctx, NULL, limits[i]) == SESSIONS * 3 / 2);
        CHECK(count_all(txn, script->ctx, "alice", limits[i]) == SESSIONS);
        CHECK(count_all(txn, script->ctx, "bob", limits[i]) == SESSIONS / 2);
        CHECK(count_all(txn, script->ctx, "bo", limits[i]) == 0);
    }
    CHECK(operate_sessions_show(txn, script->ctx, "s000", &shown) == OP_OK);
    CHECK(strcmp(json_string_value(json_object_get(shown, "user_id")), "alice") == 0);
    CHECK(json_object_get(shown, "cookie_hash") == NULL);
    CHECK(operate_sessions_show(txn, script->ctx, "s001", &shown) == OP_DENIED);
    CHECK(operate_sessions_show(txn, script->ctx, "zzz", &shown) == OP_ABSENT);
    return OP_OK;
}

static enum op_err end(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    size_t count;
    CHECK(operate_sessions_end(txn, "s000") == OP_OK && operate_sessions_end(txn, "s000") == OP_ABSENT);
    CHECK(operate_sessions_end(txn, "s001") == OP_OK); /* whatever it needs */
    CHECK(operate_sessions_end_of_user(txn, script->ctx, "alice", &count) == OP_OK && count == OPERATE_SESSIONS_AT_ONCE);
    CHECK(operate_sessions_end_of_user(txn, script->ctx, "alice", &count) == OP_OK);
    CHECK(count == SESSIONS - 2 - OPERATE_SESSIONS_AT_ONCE);
    CHECK(count_all(txn, script->ctx, "alice", 10) == 0 && count_all(txn, script->ctx, NULL, 10) == SESSIONS / 2);
    return OP_OK;
}

static void sessions_are_listed_and_ended(void **state)
{
    (void)state;
    RUN(KV_SESSIONS, insert, list, end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sessions_are_listed_and_ended)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
