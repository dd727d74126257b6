#include "store_script.h"

#include "store/pushed_requests.h"

static Rec__PushedRequest *make(const void *ctx, int64_t expires_at)
{
    Rec__PushedRequest *record = records_new(ctx, &rec__pushed_request__descriptor);
    record->client_id = mem_strdup(ctx, "client");
    record->parameters = mem_strdup(ctx, "client_id=client&scope=openid");
    record->has_expires_at = true;
    record->expires_at = expires_at;
    return record;
}

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t now = kv_now(txn);
    CHECK(pushed_requests_insert(txn, "urn:one", make(script->ctx, now + 60)) == OP_OK);
    CHECK(pushed_requests_insert(txn, "urn:one", make(script->ctx, now + 60)) == OP_EXISTS);
    CHECK(pushed_requests_insert(txn, "urn:old", make(script->ctx, now - 1)) == OP_OK);
    return OP_OK;
}

static enum op_err read_often_and_take_once(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t until = kv_now(txn) + 60;
    Rec__PushedRequest *record;
    CHECK(pushed_requests_get(txn, script->ctx, "urn:one", &record) == OP_OK);
    CHECK(pushed_requests_get(txn, script->ctx, "urn:one", &record) == OP_OK);
    CHECK(strcmp(record->client_id, "client") == 0 && strcmp(record->parameters, "client_id=client&scope=openid") == 0);
    CHECK(pushed_requests_get(txn, script->ctx, "urn:two", &record) == OP_ABSENT);
    CHECK(pushed_requests_get(txn, script->ctx, "urn:old", &record) == OP_ABSENT);
    CHECK(pushed_requests_take(txn, "urn:one", until) == OP_OK);
    CHECK(pushed_requests_take(txn, "urn:one", until) == OP_EXISTS);
    CHECK(pushed_requests_get(txn, script->ctx, "urn:one", &record) == OP_ABSENT);
    return OP_OK;
}

/* The person began in time: the request may have gone meanwhile, its being taken is remembered all the same. */
static enum op_err expired_while_signing_in(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    CHECK(pushed_requests_take(txn, "urn:old", kv_now(txn) + 60) == OP_OK);
    CHECK(pushed_requests_take(txn, "urn:old", kv_now(txn) + 60) == OP_EXISTS);
    CHECK(pushed_requests_take(txn, "urn:gone", kv_now(txn) - 1) == OP_OK);
    CHECK(pushed_requests_take(txn, "urn:gone", kv_now(txn) + 60) == OP_OK); /* forgotten when its time was over */
    return OP_OK;
}

static void a_request_is_read_often_and_taken_once(void **state)
{
    (void)state;
    RUN(KV_CODES, insert, read_often_and_take_once, expired_while_signing_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_request_is_read_often_and_taken_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
