#include "store_script.h"

#include "store/codes.h"

static const uint8_t FAMILY[16] = "family number 1";

static Rec__Code *make(const void *ctx, int64_t expires_at)
{
    Rec__Code *code = records_new(ctx, &rec__code__descriptor);
    code->grant = records_new(ctx, &rec__grant__descriptor);
    code->grant->client_id = mem_strdup(ctx, "client");
    code->has_expires_at = true;
    code->expires_at = expires_at;
    return code;
}

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + 60;
    CHECK(codes_insert(txn, "code", make(script->ctx, far)) == OP_OK);
    CHECK(codes_insert(txn, "code", make(script->ctx, far)) == OP_EXISTS);
    CHECK(codes_insert(txn, "old", make(script->ctx, kv_now(txn) - 1)) == OP_OK);
    return OP_OK;
}

static enum op_err take_once(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + 3600;
    struct bytes family = bytes_from(FAMILY, sizeof FAMILY);
    Rec__Code *code;
    Rec__SpentCode *spent;
    CHECK(codes_get(txn, script->ctx, "code", &code) == OP_OK);
    CHECK(codes_get_spent(txn, script->ctx, "code", &spent) == OP_ABSENT);
    CHECK(codes_take(txn, script->ctx, "code", family, far, &code) == OP_OK);
    CHECK(strcmp(code->grant->client_id, "client") == 0);
    CHECK(codes_get(txn, script->ctx, "code", &code) == OP_ABSENT);
    CHECK(codes_take(txn, script->ctx, "code", family, far, &code) == OP_ABSENT);
    CHECK(codes_get_spent(txn, script->ctx, "code", &spent) == OP_OK);
    CHECK(bytes_equal(bytes_from(spent->family_id.data, spent->family_id.len), family) && strcmp(spent->client_id, "client") == 0);
    CHECK(codes_get(txn, script->ctx, "old", &code) == OP_ABSENT);
    CHECK(codes_take(txn, script->ctx, "old", family, far, &code) == OP_ABSENT);
    CHECK(codes_get_spent(txn, script->ctx, "old", &spent) == OP_ABSENT); /* what was not taken leaves nothing */
    return OP_OK;
}

static enum op_err newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Code *code = make(script->ctx, kv_now(txn) + 60);
    Rec__SpentCode *spent;
    code->has_needs = true;
    code->needs = RECORDS_FORMAT + 1;
    CHECK(codes_insert(txn, "new", code) == OP_OK);
    CHECK(codes_take(txn, script->ctx, "new", bytes_from(FAMILY, 16), kv_now(txn) + 60, &code) == OP_DENIED);
    CHECK(codes_get(txn, script->ctx, "new", &code) == OP_DENIED); /* still there for the newer one */
    CHECK(codes_get_spent(txn, script->ctx, "new", &spent) == OP_ABSENT);
    return OP_OK;
}

static void a_code_is_taken_once(void **state)
{
    (void)state;
    RUN(KV_CODES, insert, take_once, newer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_code_is_taken_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
