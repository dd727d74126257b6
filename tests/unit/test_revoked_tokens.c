#include "store_script.h"

#include "store/revoked_tokens.h"

static enum op_err revoke_two(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t now = kv_now(txn);
    bool revoked = true;
    CHECK(revoked_tokens_has(txn, "one", &revoked) == OP_OK && !revoked);
    CHECK(revoked_tokens_add(txn, "one", now + 60) == OP_OK);
    CHECK(revoked_tokens_add(txn, "one", now + 60) == OP_OK);
    CHECK(revoked_tokens_add(txn, "about to expire", now) == OP_OK);
    CHECK(revoked_tokens_add(txn, "long gone", now - 86400) == OP_OK);
    return OP_OK;
}

static enum op_err read_back(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    static const struct {
        const char *jti;
        bool revoked;
    } rows[] = {{"one", true}, {"two", false}, {"on", false}, {"", false}, {"about to expire", true}, {"long gone", false}};
    kv_sweep(txn, KV_TOKENS, 100);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool revoked = !rows[i].revoked;
        CHECK(revoked_tokens_has(txn, rows[i].jti, &revoked) == OP_OK && revoked == rows[i].revoked);
    }
    return OP_OK;
}

static void a_mark_outlives_its_token(void **state)
{
    (void)state;
    RUN(KV_TOKENS, revoke_two, read_back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_mark_outlives_its_token)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
