#include "store_script.h"

#include "store/remote.h"

static const char URL[] = "https://client.example/jwks.json";

static Rec__Document *make(struct script *script, const char *url, const char *body, int64_t expires_at)
{
    Rec__Document *document = records_new(script->ctx, &rec__document__descriptor);
    document->url = mem_strdup(script->ctx, url);
    document->has_body = true;
    document->body = script_bytes(script->ctx, body, strlen(body));
    document->has_expires_at = true;
    document->expires_at = expires_at;
    return document;
}

static enum op_err put_and_get(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Document *got;
    int64_t far = kv_now(txn) + 60;
    CHECK(remote_get(txn, script->ctx, URL, &got) == OP_ABSENT);
    CHECK(remote_put(txn, make(script, URL, "one", far)) == OP_OK);
    CHECK(remote_put(txn, make(script, URL, "two", far)) == OP_OK);
    CHECK(remote_get(txn, script->ctx, URL, &got) == OP_OK && got->body.len == 3 && memcmp(got->body.data, "two", 3) == 0);
    CHECK(remote_get(txn, script->ctx, "https://client.example/", &got) == OP_ABSENT);
    CHECK(remote_put(txn, make(script, URL, "old", kv_now(txn) - 1)) == OP_OK);
    CHECK(remote_get(txn, script->ctx, URL, &got) == OP_ABSENT);
    return OP_OK;
}

static enum op_err a_newer_one_stays(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Document *newer = make(script, URL, "newer", kv_now(txn) + 60), *got;
    newer->has_needs = true;
    newer->needs = RECORDS_FORMAT + 1;
    CHECK(remote_put(txn, newer) == OP_OK);
    CHECK(remote_put(txn, make(script, URL, "one", kv_now(txn) + 60)) == OP_DENIED);
    CHECK(remote_get(txn, script->ctx, URL, &got) == OP_DENIED);
    return OP_OK;
}

static void documents_by_url(void **state)
{
    (void)state;
    RUN(KV_REMOTE, put_and_get, a_newer_one_stays);
}

static void what_a_document_is_worth(void **state)
{
    (void)state;
    enum { NOW = 1000000 };
    static const struct {
        const char *what;
        bool has_body;
        int64_t fetched, fresh_until, retry_at; /* seconds from now */
        int64_t since;                          /* the same; -NOW: none */
        enum remote_worth worth;
        bool usable;
    } rows[] = {
        {"a fresh one", true, -10, 50, 0, -NOW, REMOTE_FRESH, true},
        {"no longer fresh", true, -60, 0, 0, -NOW, REMOTE_WANTED, true},
        {"fresh, but from before", true, -10, 50, 0, -5, REMOTE_WANTED, false},
        {"fresh and from after", true, -5, 50, 0, -5, REMOTE_FRESH, true},
        {"from the future: the clock was set back", true, 1, 50, 0, -NOW, REMOTE_WANTED, false},
        {"stale, and it failed", true, -60, -1, 30, -NOW, REMOTE_FAILING, true},
        {"fresh, though asking again failed", true, -60, 50, 30, -NOW, REMOTE_FRESH, true},
        {"asked again in vain", true, -60, 50, 30, -5, REMOTE_FAILING, false},
        {"never there", false, 0, 0, 30, -NOW, REMOTE_FAILING, false},
        {"never there, time to try again", false, 0, 0, 0, -NOW, REMOTE_WANTED, false},
        {"a failure from the future", false, 0, 0, REMOTE_FAILURE_MAX + 1, -NOW, REMOTE_WANTED, false},
        {"a long failure", false, 0, 0, REMOTE_FAILURE_MAX, -NOW, REMOTE_FAILING, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rec__Document document = REC__DOCUMENT__INIT;
        document.has_body = rows[i].has_body;
        document.fetched_ms = (NOW + rows[i].fetched) * 1000;
        document.fresh_until = NOW + rows[i].fresh_until;
        document.retry_at = NOW + rows[i].retry_at;
        int64_t since = (NOW + rows[i].since) * 1000;
        if (remote_judge(&document, since, NOW * 1000LL) != rows[i].worth ||
            remote_is_usable(&document, since, NOW * 1000LL) != rows[i].usable)
            fail_msg("%s", rows[i].what);
    }
    assert_int_equal(remote_judge(NULL, 0, NOW), REMOTE_WANTED);
    assert_false(remote_is_usable(NULL, 0, NOW));
}

enum { MANY = 40, EVICTED = 16 };

static size_t count_documents(struct kv_txn *txn, struct script *script)
{
    size_t count = 0;
    Rec__Document *got;
    for (int i = 0; i < MANY; i++)
        count += remote_get(txn, script->ctx, mem_printf(script->ctx, "https://%d.example/", i), &got) == OP_OK;
    return count;
}

static enum op_err fill(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    for (int i = 0; i < MANY; i++) {
        char *url = mem_printf(script->ctx, "https://%d.example/", i);
        CHECK(remote_put(txn, make(script, url, "body", kv_now(txn) + 60)) == OP_OK);
    }
    CHECK(count_documents(txn, script) == MANY);
    return OP_OK;
}

static enum op_err evict(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    CHECK(remote_evict(txn, EVICTED) == OP_OK);
    CHECK(count_documents(txn, script) == MANY - EVICTED);
    CHECK(remote_evict(txn, MANY) == OP_OK);
    CHECK(count_documents(txn, script) == 0);
    CHECK(remote_evict(txn, EVICTED) == OP_OK);
    return OP_OK;
}

static void room_is_made(void **state)
{
    (void)state;
    RUN(KV_REMOTE, fill, evict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_by_url),
        cmocka_unit_test(what_a_document_is_worth),
        cmocka_unit_test(room_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
