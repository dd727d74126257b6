#include "store_script.h"

#include "store/families.h"

enum { FAR = 30 * 86400 };

static const uint8_t ONE[FAMILY_ID_LEN] = "family number 1", TWO[FAMILY_ID_LEN] = "family number 2",
                     GONE[FAMILY_ID_LEN] = "never was there";

static struct bytes id(const uint8_t *family_id)
{
    return bytes_from(family_id, FAMILY_ID_LEN);
}

static Rec__Family *make(const void *ctx, const uint8_t *family_id, const char *user_id, int64_t idle, int64_t end)
{
    Rec__Family *family = records_new(ctx, &rec__family__descriptor);
    family->has_family_id = true;
    family->family_id = script_bytes(ctx, family_id, FAMILY_ID_LEN);
    family->grant = records_new(ctx, &rec__grant__descriptor);
    family->grant->user_id = mem_strdup(ctx, user_id);
    family->has_idle_expires_at = family->has_expires_at = true;
    family->idle_expires_at = idle;
    family->expires_at = end;
    return family;
}

static enum op_err insert_two(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + FAR;
    CHECK(families_insert(txn, make(script->ctx, ONE, "alice", far, far)) == OP_OK);
    CHECK(families_insert(txn, make(script->ctx, TWO, "bob", far, far)) == OP_OK);
    CHECK(families_insert(txn, make(script->ctx, ONE, "bob", far, far)) == OP_EXISTS);
    return OP_OK;
}

static enum op_err read_back(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Family *family, **list;
    size_t count;
    CHECK(families_get(txn, script->ctx, id(ONE), &family) == OP_OK && strcmp(family->grant->user_id, "alice") == 0);
    CHECK(families_get(txn, script->ctx, id(GONE), &family) == OP_ABSENT);
    CHECK(families_list_of_user(txn, script->ctx, "bob", bytes_of(NULL), 10, &list, &count) == OP_OK && count == 1);
    CHECK(memcmp(list[0]->family_id.data, TWO, FAMILY_ID_LEN) == 0);
    CHECK(families_list(txn, script->ctx, bytes_of(NULL), 10, &list, &count) == OP_OK && count == 2);
    CHECK(families_list(txn, script->ctx, id(ONE), 10, &list, &count) == OP_OK && count == 1);
    return OP_OK;
}

static enum op_err kill(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Family *family;
    CHECK(families_kill(txn, id(ONE), "revoked") == OP_OK);
    CHECK(families_kill(txn, id(ONE), "code_replayed") == OP_OK);
    CHECK(families_get(txn, script->ctx, id(ONE), &family) == OP_OK);
    CHECK(family->dead && family->dead_at == kv_now(txn) && strcmp(family->dead_reason, "revoked") == 0);
    CHECK(strcmp(family->grant->user_id, "alice") == 0);
    CHECK(families_get(txn, script->ctx, id(TWO), &family) == OP_OK && !family->dead);
    return OP_OK;
}

static enum op_err kill_before_creation(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Family *family;
    int64_t far = kv_now(txn) + FAR;
    CHECK(families_kill(txn, id(GONE), "code_replayed") == OP_OK);
    CHECK(families_insert(txn, make(script->ctx, GONE, "alice", far, far)) == OP_EXISTS);
    CHECK(families_get(txn, script->ctx, id(GONE), &family) == OP_OK && family->dead && family->grant == NULL);
    return OP_OK;
}

static void families_live_and_die(void **state)
{
    (void)state;
    RUN(KV_TOKENS, insert_two, read_back, kill, kill_before_creation);
}

static enum op_err marks_outlive_tokens(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t now = kv_now(txn);
    Rec__Family *family, **list;
    size_t count;
    CHECK(families_insert(txn, make(script->ctx, ONE, "alice", now - 5, now + FAR)) == OP_OK);
    CHECK(families_kill(txn, id(ONE), "revoked") == OP_OK);
    kv_sweep(txn, KV_TOKENS, 100);
    CHECK(families_get(txn, script->ctx, id(ONE), &family) == OP_OK && family->dead); /* idle is over, the mark is not */
    CHECK(families_list_of_user(txn, script->ctx, "alice", bytes_of(NULL), 10, &list, &count) == OP_OK && count == 1);
    return OP_OK;
}

static void a_dead_mark_outlives_the_familys_own_end(void **state)
{
    (void)state;
    RUN(KV_TOKENS, marks_outlive_tokens);
}

static enum op_err newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + FAR;
    Rec__Family *family = make(script->ctx, ONE, "alice", far, far), **list;
    size_t count;
    family->has_needs = true;
    family->needs = RECORDS_FORMAT + 1;
    CHECK(families_insert(txn, family) == OP_OK);
    CHECK(families_get(txn, script->ctx, id(ONE), &family) == OP_DENIED);
    CHECK(families_update(txn, make(script->ctx, ONE, "alice", far, far)) == OP_DENIED);
    CHECK(families_update(txn, make(script->ctx, TWO, "alice", far, far)) == OP_ABSENT);
    CHECK(families_list_of_user(txn, script->ctx, "alice", bytes_of(NULL), 10, &list, &count) == OP_OK && count == 1);
    CHECK(list[0]->family_id.len == FAMILY_ID_LEN && list[0]->grant == NULL && list[0]->needs > RECORDS_FORMAT);
    CHECK(families_kill(txn, id(ONE), "revoked") == OP_OK);
    CHECK(families_get(txn, script->ctx, id(ONE), &family) == OP_OK && family->dead && family->grant == NULL);
    CHECK(family->needs > RECORDS_FORMAT && strcmp(family->dead_reason, "revoked") == 0); /* that is all */
    CHECK(families_update(txn, make(script->ctx, ONE, "alice", far, far)) == OP_DENIED); /* what it needs stayed with it */
    CHECK(families_get_any(txn, script->ctx, id(TWO), &family) == OP_ABSENT);
    CHECK(families_get_any(txn, script->ctx, id(ONE), &family) == OP_OK && family->dead);
    return OP_OK;
}

static void what_a_newer_version_wrote_can_only_be_revoked(void **state)
{
    (void)state;
    RUN(KV_TOKENS, newer);
}

static enum op_err own_lifetime(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + FAR;
    Rec__Family *own = make(script->ctx, ONE, "alice", far, far), *plain = make(script->ctx, TWO, "alice", far, far), *got;
    own->has_idle_lifetime = true;
    own->idle_lifetime = 60;
    CHECK(families_insert(txn, own) == OP_OK && families_insert(txn, plain) == OP_OK);
    CHECK(families_get(txn, script->ctx, id(ONE), &got) == OP_OK && got->needs == RECORDS_FORMAT_LIFETIMES);
    CHECK(families_update(txn, got) == OP_OK && families_kill(txn, id(ONE), "revoked") == OP_OK);
    CHECK(families_get(txn, script->ctx, id(ONE), &got) == OP_OK && got->needs == RECORDS_FORMAT_LIFETIMES);
    CHECK(families_get(txn, script->ctx, id(TWO), &got) == OP_OK && !got->has_needs);
    CHECK(families_update(txn, got) == OP_OK && families_kill(txn, id(TWO), "revoked") == OP_OK);
    CHECK(families_get(txn, script->ctx, id(TWO), &got) == OP_OK && !got->has_needs);
    return OP_OK;
}

static void only_one_with_an_idle_lifetime_of_its_own_needs_more(void **state)
{
    (void)state;
    RUN(KV_TOKENS, own_lifetime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_live_and_die),
        cmocka_unit_test(a_dead_mark_outlives_the_familys_own_end),
        cmocka_unit_test(what_a_newer_version_wrote_can_only_be_revoked),
        cmocka_unit_test(only_one_with_an_idle_lifetime_of_its_own_needs_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
