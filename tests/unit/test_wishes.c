#include "store_script.h"

#include "store/wishes.h"

static const char URL[] = "https://client.example/jwks.json";

static struct bytes claim(const char *name)
{
    return bytes_of(name);
}

/* One moment for all scripts, wherever a second ends between them. */
static int64_t now_ms(struct kv_txn *txn)
{
    static int64_t moment;
    if (moment == 0)
        moment = kv_now(txn) * 1000;
    return moment;
}

static enum op_err leave(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Wish *wish;
    int64_t now = now_ms(txn);
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_ABSENT);
    CHECK(wishes_leave(txn, URL, 0, "first") == OP_OK);
    CHECK(wishes_leave(txn, URL, 0, "second") == OP_OK); /* is served by what the first one has begun */
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_OK && wish->since_ms == 0 && strcmp(wish->url, URL) == 0);
    CHECK(strcmp(wish->traceparent, "first") == 0);
    CHECK(wishes_leave(txn, URL, now - 5, "third") == OP_OK);
    CHECK(wishes_leave(txn, URL, now - 9, "fourth") == OP_OK); /* who asks for less does not take back what another wants */
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_OK && wish->since_ms == now - 5);
    CHECK(strcmp(wish->traceparent, "third") == 0);
    return OP_OK;
}

static enum op_err one_claims(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Wish *wish;
    int64_t now = now_ms(txn);
    CHECK(wishes_claim(txn, "https://other.example/", claim("a"), now, now + 1000) == OP_ABSENT);
    CHECK(wishes_claim(txn, URL, claim("a"), now, now + 1000) == OP_OK);
    CHECK(wishes_claim(txn, URL, claim("b"), now, now + 1000) == OP_EXISTS);
    CHECK(wishes_claim(txn, URL, claim("a"), now, now + 2000) == OP_OK);
    CHECK(wishes_leave(txn, URL, 0, NULL) == OP_OK); /* keeps the claim */
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_OK && wishes_is_claimed(wish, now));
    CHECK(wishes_claim(txn, URL, claim("b"), now + 1999, now + 3000) == OP_EXISTS);
    CHECK(wishes_claim(txn, URL, claim("b"), now + 2000, now + 3000) == OP_OK); /* the first has died */
    return OP_OK;
}

static enum op_err the_claimer_ends(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Wish *wish;
    int64_t now = now_ms(txn);
    CHECK(wishes_end(txn, URL, claim("a"), now) == OP_OK);
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_OK); /* it is b's */
    CHECK(wishes_end(txn, URL, claim(""), now) == OP_OK);
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_OK);
    CHECK(wishes_end(txn, URL, claim("b"), now - 6) == OP_OK); /* began before what is asked for */
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_OK && !wishes_is_claimed(wish, now));
    CHECK(wishes_claim(txn, URL, claim("a"), now, now + 1000) == OP_OK);
    CHECK(wishes_end(txn, URL, claim("a"), now - 5) == OP_OK);
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_ABSENT);
    CHECK(wishes_end(txn, URL, claim("a"), now) == OP_OK); /* there is none any more */
    CHECK(wishes_leave(txn, URL, 0, NULL) == OP_OK);
    CHECK(wishes_end(txn, URL, claim(""), now) == OP_OK); /* nobody's */
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_ABSENT);
    return OP_OK;
}

/* What was written before the clock was set back must not hold for as long as it was set back. */
static enum op_err a_clock_set_back(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Wish *wish;
    int64_t now = now_ms(txn), hour = 3600 * 1000;
    CHECK(wishes_leave(txn, URL, now + hour, NULL) == OP_OK);
    CHECK(wishes_claim(txn, URL, claim("a"), now, now + hour) == OP_OK);
    CHECK(wishes_claim(txn, URL, claim("b"), now, now + 1000) == OP_OK);
    CHECK(wishes_end(txn, URL, claim("b"), now) == OP_OK);
    CHECK(wishes_get(txn, script->ctx, URL, &wish) == OP_ABSENT);
    return OP_OK;
}

static void a_wish_is_claimed_by_one_until_it_is_fulfilled(void **state)
{
    (void)state;
    RUN(KV_GUARD, leave, one_claims, the_claimer_ends, a_clock_set_back);
}

enum { MANY = 50 };

static enum op_err many(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    for (int i = 0; i < MANY; i++)
        CHECK(wishes_leave(txn, mem_printf(script->ctx, "https://client%d.example/", i), 0, NULL) == OP_OK);
    return OP_OK;
}

static enum op_err listed(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct bytes key = bytes_of(NULL);
    size_t seen = 0, count;
    Rec__Wish **wishes;
    do {
        CHECK(wishes_list(txn, script->ctx, &key, 7, &wishes, &count) == OP_OK && count <= 7);
        seen += count;
        CHECK(seen <= MANY);
    } while (key.len > 0);
    CHECK(seen == MANY);
    return OP_OK;
}

static void all_wishes_are_listed(void **state)
{
    (void)state;
    RUN(KV_GUARD, many, listed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_is_claimed_by_one_until_it_is_fulfilled),
        cmocka_unit_test(all_wishes_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
