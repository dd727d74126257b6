#include "store_script.h"

#include "store/device_requests.h"

static Rec__DeviceRequest *make(const void *ctx, const char *user_code, int64_t expires_at)
{
    Rec__DeviceRequest *request = records_new(ctx, &rec__device_request__descriptor);
    request->client_id = mem_strdup(ctx, "client");
    request->user_code = mem_strdup(ctx, user_code);
    request->has_expires_at = true;
    request->expires_at = expires_at;
    return request;
}

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    int64_t far = kv_now(txn) + 60, over = kv_now(txn) - 1, long_over = over - DEVICE_REQUEST_REMEMBERED;
    CHECK(device_requests_insert(txn, "one", make(script->ctx, "BBBBBBBB", far)) == OP_OK);
    CHECK(device_requests_insert(txn, "two", make(script->ctx, "CCCCCCCC", far)) == OP_OK);
    CHECK(device_requests_insert(txn, "old", make(script->ctx, "DDDDDDDD", over)) == OP_OK);
    CHECK(device_requests_insert(txn, "older", make(script->ctx, "FFFFFFFF", long_over)) == OP_OK);
    CHECK(device_requests_insert(txn, "again", make(script->ctx, "BBBBBBBB", far)) == OP_EXISTS);
    CHECK(device_requests_insert(txn, "next", make(script->ctx, "DDDDDDDD", far)) == OP_OK); /* free again */
    return OP_OK;
}

static enum op_err find(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__DeviceRequest *request;
    CHECK(device_requests_get(txn, script->ctx, "one", &request) == OP_OK && strcmp(request->user_code, "BBBBBBBB") == 0);
    CHECK(device_requests_find(txn, script->ctx, "CCCCCCCC", &request) == OP_OK && strcmp(request->client_id, "client") == 0);
    CHECK(device_requests_get(txn, script->ctx, "BBBBBBBB", &request) == OP_ABSENT); /* the short code is not the long one */
    CHECK(device_requests_find(txn, script->ctx, "one", &request) == OP_ABSENT);
    CHECK(device_requests_get(txn, script->ctx, "old", &request) == OP_OK); /* remembered, to be told that it is over */
    CHECK(device_requests_get(txn, script->ctx, "older", &request) == OP_ABSENT);
    CHECK(device_requests_find(txn, script->ctx, "FFFFFFFF", &request) == OP_ABSENT);
    CHECK(device_requests_find(txn, script->ctx, "GGGGGGGG", &request) == OP_ABSENT);
    return OP_OK;
}

static enum op_err poll_and_decide(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__DeviceRequest *request, *again;
    CHECK(device_requests_get(txn, script->ctx, "one", &request) == OP_OK);
    request->has_polled_at = true;
    request->polled_at = 7;
    CHECK(device_requests_update(txn, "one", request) == OP_OK);
    CHECK(device_requests_find(txn, script->ctx, "BBBBBBBB", &request) == OP_OK && request->polled_at == 7);
    request->grant = records_new(script->ctx, &rec__grant__descriptor);
    CHECK(device_requests_decide(txn, request) == OP_OK);
    CHECK(device_requests_decide(txn, request) == OP_ABSENT); /* once */
    CHECK(device_requests_find(txn, script->ctx, "BBBBBBBB", &again) == OP_ABSENT);
    CHECK(device_requests_get(txn, script->ctx, "one", &again) == OP_OK && again->grant != NULL && again->polled_at == 7);
    return OP_OK;
}

static enum op_err take_once(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__DeviceRequest *request = NULL;
    CHECK(device_requests_take(txn, script->ctx, "one", &request) == OP_OK && request->grant != NULL);
    CHECK(device_requests_take(txn, script->ctx, "one", &request) == OP_ABSENT);
    CHECK(device_requests_get(txn, script->ctx, "one", &request) == OP_ABSENT);
    return OP_OK;
}

static enum op_err newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__DeviceRequest *request = make(script->ctx, "GGGGGGGG", kv_now(txn) + 60);
    request->has_needs = true;
    request->needs = RECORDS_FORMAT + 1;
    CHECK(device_requests_insert(txn, "new", request) == OP_OK);
    CHECK(device_requests_find(txn, script->ctx, "GGGGGGGG", &request) == OP_DENIED);
    CHECK(device_requests_take(txn, script->ctx, "new", &request) == OP_DENIED); /* still there for the newer one */
    CHECK(device_requests_get(txn, script->ctx, "new", &request) == OP_DENIED);
    return OP_OK;
}

static void a_request_is_decided_and_taken_once(void **state)
{
    (void)state;
    RUN(KV_ASYNC, insert, find, poll_and_decide, take_once, newer);
}

/* --- typing codes --- */

struct typing {
    void *ctx;
    const char *user_code, *subject;
    unsigned wait;
    Rec__DeviceRequest *request;
};

static enum op_err put_two(struct kv_txn *txn, void *arg)
{
    struct typing *typing = arg;
    Rec__DeviceRequest *newer_one = make(typing->ctx, "CCCCCCCC", kv_now(txn) + 60);
    newer_one->has_needs = true;
    newer_one->needs = RECORDS_FORMAT + 1;
    enum op_err err = device_requests_insert(txn, "one", make(typing->ctx, "BBBBBBBB", kv_now(txn) + 60));
    return err != OP_OK ? err : device_requests_insert(txn, "new", newer_one);
}

static enum op_err type_it(struct kv_txn *txn, void *arg)
{
    static const struct guard_limit limit = {"device/user_code", 3, 600};
    struct typing *typing = arg;
    return device_requests_try(txn, typing->ctx, &limit, typing->subject, typing->user_code, &typing->wait, &typing->request);
}

static void wrong_codes_are_counted_and_right_ones_are_not(void **state)
{
    (void)state;
    static const struct { const char *what, *subject, *user_code; bool waits, found; } rows[] = {
        {"right", "192.0.2.1", "BBBBBBBB", false, true},
        {"right again", "192.0.2.1", "BBBBBBBB", false, true},
        {"and again", "192.0.2.1", "BBBBBBBB", false, true},
        {"and a fourth time", "192.0.2.1", "BBBBBBBB", false, true},
        {"wrong", "192.0.2.1", "DDDDDDDD", false, false},
        {"one that only a newer version may read is as wrong", "192.0.2.1", "CCCCCCCC", false, false},
        {"two wrong ones do not keep from the right one", "192.0.2.1", "BBBBBBBB", false, true},
        {"wrong, the third", "192.0.2.1", "DDDDDDDD", false, false},
        {"then even the right one is not looked up", "192.0.2.1", "BBBBBBBB", true, false},
        {"but others may go on", "192.0.2.2", "BBBBBBBB", false, true},
    };
    static const struct kv_store stores[] = {{KV_GUARD, true}, {KV_ASYNC, true}};
    struct typing typing = {.ctx = mem_root("typing")};
    struct store_home home;
    store_home_make(&home, stores, 2, 64 << 20);
    struct kv *kv = store_home_open(&home, typing.ctx, stores, 2);
    assert_int_equal(kv_run_wait(kv, KV_ASYNC, put_two, &typing), OP_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        typing.subject = rows[i].subject;
        typing.user_code = rows[i].user_code;
        assert_int_equal(kv_run_wait(kv, KV_GUARD, type_it, &typing), OP_OK);
        if ((typing.wait > 0) != rows[i].waits || (typing.request != NULL) != rows[i].found)
            fail_msg("%s: wait %u, %s", rows[i].what, typing.wait, typing.request == NULL ? "not found" : "found");
    }
    talloc_free(kv);
    store_home_remove(&home);
    talloc_free(typing.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_decided_and_taken_once),
        cmocka_unit_test(wrong_codes_are_counted_and_right_ones_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
