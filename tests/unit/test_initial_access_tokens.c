#include "store_script.h"

#include "store/initial_access_tokens.h"

static Rec__InitialAccessToken *token_of(const void *ctx, uint32_t uses, int64_t expires_at)
{
    Rec__InitialAccessToken *record = records_new(ctx, &rec__initial_access_token__descriptor);
    record->has_uses_left = uses > 0;
    record->uses_left = uses;
    record->has_expires_at = expires_at > 0;
    record->expires_at = expires_at;
    return record;
}

static enum op_err insert_some(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    void *ctx = mem_root("test");
    CHECK(initial_access_tokens_insert(txn, "two", token_of(ctx, 2, 0)) == OP_OK);
    CHECK(initial_access_tokens_insert(txn, "two", token_of(ctx, 9, 0)) == OP_EXISTS);
    CHECK(initial_access_tokens_insert(txn, "many", token_of(ctx, 0, kv_now(txn) + 60)) == OP_OK);
    CHECK(initial_access_tokens_insert(txn, "gone", token_of(ctx, 0, kv_now(txn) - 1)) == OP_OK);
    talloc_free(ctx);
    return OP_OK;
}

static enum op_err use_them(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    void *ctx = mem_root("test");
    Rec__InitialAccessToken *record, **list;
    size_t count = 0;
    CHECK(initial_access_tokens_get(txn, ctx, "two", &record) == OP_OK && record->uses_left == 2);
    CHECK(initial_access_tokens_use(txn, "two") == OP_OK);
    CHECK(initial_access_tokens_get(txn, ctx, "two", &record) == OP_OK && record->uses_left == 1 && record->used == 1);
    CHECK(initial_access_tokens_use(txn, "two") == OP_OK);
    CHECK(initial_access_tokens_use(txn, "two") == OP_ABSENT);
    for (unsigned i = 0; i < 5; i++)
        CHECK(initial_access_tokens_use(txn, "many") == OP_OK);
    CHECK(initial_access_tokens_get(txn, ctx, "many", &record) == OP_OK && record->used == 5 && !record->has_uses_left);
    CHECK(initial_access_tokens_use(txn, "gone") == OP_ABSENT && initial_access_tokens_use(txn, "none") == OP_ABSENT);
    CHECK(initial_access_tokens_list(txn, ctx, bytes_of(NULL), 10, &list, &count) == OP_OK && count == 1);
    CHECK(initial_access_tokens_delete(txn, list[0]->token_hash.data) == OP_OK);
    CHECK(initial_access_tokens_delete(txn, list[0]->token_hash.data) == OP_ABSENT);
    CHECK(initial_access_tokens_use(txn, "many") == OP_ABSENT);
    talloc_free(ctx);
    return OP_OK;
}

static void uses_end_and_times_pass(void **state)
{
    (void)state;
    RUN(KV_CLIENTS, insert_some, use_them);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(uses_end_and_times_pass)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
