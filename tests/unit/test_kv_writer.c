/* Group commit, bounded queues, bells, in one process. */
#include <assert.h>

#include "kv_fixture.h"

static void one_failure_does_not_spoil_its_neighbours(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 200 };
    struct many many[COUNT];
    unsigned done = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        many[i] = (struct many){.decides = i % 3 == 0 ? OP_MISMATCH : OP_OK, .result = OP_BROKEN, .done = &done};
        snprintf(many[i].key, sizeof many[i].key, "%u", i);
        kv_run(f->kv, KV_CODES, many_work, many_done, &many[i]);
    }
    assert_int_equal(done, 0); /* never before kv_dispatch */
    loop_until(f->kv, &done, COUNT);
    assert_int_equal(done, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(many[i].result, many[i].decides);
        assert_true(pthread_equal(many[i].reported_on, pthread_self()));
        assert_false(pthread_equal(many[i].worked_on, pthread_self()));
        PLAY(f, KV_READ_ONLY, &TICKETS, {GET, many[i].key, "x", i % 3 == 0 ? OP_ABSENT : OP_OK});
    }
    struct kv_stats stats;
    assert_int_equal(kv_stats(f->kv, KV_CODES, &stats), OP_OK);
    assert_int_equal(stats.works, COUNT - (COUNT + 2) / 3);
    assert_true(stats.commits >= 1 && stats.commits < COUNT); /* they shared commits */
    assert_true(stats.batch_sizes.count == stats.commits && stats.batch_sizes.sum == stats.works);
    assert_true(stats.commit_us.count == stats.commits && stats.failed_commits == 0 && stats.busy_errors == 0);
}

static void a_full_queue_is_busy(void **state)
{
    struct fixture *f = *state;
    reopen(f, 3, 2000);
    struct hold hold;
    hold_writer(&hold, f->kv);
    unsigned done = 0;
    struct many many[5];
    for (int i = 0; i < 5; i++) {
        many[i] = (struct many){.key = {(char)('a' + i)}, .result = OP_BROKEN, .done = &done};
        kv_run(f->kv, KV_CODES, many_work, many_done, &many[i]);
    }
    struct kv_stats stats;
    assert_int_equal(kv_stats(f->kv, KV_CODES, &stats), OP_OK);
    assert_int_equal(stats.queue_length, 3);
    assert_int_equal(stats.queue_max, 3);
    assert_int_equal(stats.busy_errors, 2);
    assert_int_equal(done, 0);
    loop_until(f->kv, &done, 2);
    assert_int_equal(done, 2); /* those that did not fit are told at once */
    assert_true(many[3].result == OP_BUSY && many[4].result == OP_BUSY);
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "1", OP_OK}); /* another environment does not wait */
    let_go(&hold);
    loop_until(f->kv, &done, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(many[i].result, i < 3 ? OP_OK : OP_BUSY);
        PLAY(f, KV_READ_ONLY, &TICKETS, {GET, many[i].key, "x", i < 3 ? OP_OK : OP_ABSENT});
    }
}

static void what_waits_too_long_is_busy(void **state)
{
    struct fixture *f = *state;
    reopen(f, 0, 150);
    struct hold hold;
    hold_writer(&hold, f->kv);
    unsigned done = 0;
    struct many one = {.key = "one", .result = OP_BROKEN, .done = &done};
    struct many two = {.key = "two", .result = OP_BROKEN, .done = &done};
    int64_t start = clock_monotonic_us();
    kv_run(f->kv, KV_CODES, many_work, many_done, &one);
    usleep(50000);
    kv_run(f->kv, KV_CODES, many_work, many_done, &two);
    loop_until(f->kv, &done, 1);
    int64_t waited = clock_monotonic_us() - start;
    assert_int_equal(done, 1);
    assert_int_equal(one.result, OP_BUSY);
    assert_true(waited >= 150000 && waited < 1000000);
    loop_until(f->kv, &done, 2);
    assert_int_equal(two.result, OP_BUSY);
    struct many three = {.key = "three", .done = &done};
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, many_work, &three), OP_BUSY);
    let_go(&hold);
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, many_work, &three), OP_OK);
    PLAY(f, KV_READ_ONLY, &TICKETS, {GET, "one", NULL, OP_ABSENT}, {GET, "two", NULL, OP_ABSENT},
         {GET, "three", "x", OP_OK});
}

static void freeing_runs_and_reports_what_waits(void **state)
{
    struct fixture *f = *state;
    unsigned done = 0;
    struct many many[50];
    for (int i = 0; i < 50; i++) {
        many[i] = (struct many){.result = OP_BROKEN, .done = &done};
        snprintf(many[i].key, sizeof many[i].key, "%d", i);
        kv_run(f->kv, KV_CODES, many_work, many_done, &many[i]);
    }
    talloc_free(f->kv);
    assert_int_equal(done, 50);
    f->kv = store_home_open(&f->home, f, STORES, 3);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(many[i].result, OP_OK);
        PLAY(f, KV_READ_ONLY, &TICKETS, {GET, many[i].key, "x", OP_OK});
    }
}

struct chain {
    struct kv *kv;
    unsigned left, done;
};

static enum op_err chain_work(struct kv_txn *txn, void *arg)
{
    struct chain *chain = arg;
    char name[16];
    snprintf(name, sizeof name, "%u", chain->left);
    return kv_insert(txn, &TICKETS, key(name), key("x"), 0);
}

static void chain_done(enum op_err result, void *arg)
{
    struct chain *chain = arg;
    chain->done += result == OP_OK;
    if (--chain->left > 0)
        kv_run(chain->kv, KV_CODES, chain_work, chain_done, chain);
}

static enum op_err look_work(struct kv_txn *txn, void *arg)
{
    struct chain *chain = arg;
    assert(kv_now(txn) > 1700000000);
    chain->left++;
    return OP_EXPIRED; /* any result of its own */
}

static void look_done(enum op_err result, void *arg)
{
    struct chain *chain = arg;
    chain->done += result == OP_EXPIRED;
    if (chain->done < 3)
        kv_run(chain->kv, KV_READ_ONLY, look_work, look_done, chain);
}

static void reads_are_done_at_once(void **state)
{
    struct fixture *f = *state;
    struct chain chain = {.kv = f->kv};
    kv_run(f->kv, KV_READ_ONLY, look_work, look_done, &chain);
    assert_true(chain.left == 3 && chain.done == 3); /* done may read again */
}

static void done_may_run_the_next(void **state)
{
    struct fixture *f = *state;
    struct chain chain = {.kv = f->kv, .left = 20};
    kv_run(f->kv, KV_CODES, chain_work, chain_done, &chain);
    loop_until(f->kv, &chain.done, 20);
    assert_int_equal(chain.done, 20);
}

/* --- bells --- */

struct ring {
    bool refuses;
};

static enum op_err ring_work(struct kv_txn *txn, void *arg)
{
    const struct ring *ring = arg;
    kv_put(txn, &COLOURS, key("bell"), key("1"), 0);
    kv_ring(txn);
    return ring->refuses ? OP_DENIED : OP_OK;
}

static void count_bell(void *arg)
{
    ++*(unsigned *)arg;
}

static void drain_loop(struct kv *kv)
{
    for (int i = 0; i < 5; i++) {
        struct pollfd fd = {.fd = kv_event_fd(kv), .events = POLLIN};
        poll(&fd, 1, 20);
        kv_dispatch(kv);
    }
}

static void a_bell_rings_after_a_commit_that_asked_for_it(void **state)
{
    struct fixture *f = *state;
    unsigned tokens = 0, tokens_too = 0, codes = 0;
    struct ring rings = {false}, refuses = {true};
    assert_int_equal(kv_watch(f->kv, KV_TOKENS, count_bell, &tokens), OP_OK);
    assert_int_equal(kv_watch(f->kv, KV_TOKENS, count_bell, &tokens_too), OP_OK);
    assert_int_equal(kv_watch(f->kv, KV_CODES, count_bell, &codes), OP_OK);
    assert_int_equal(kv_watch(f->kv, KV_USERS, count_bell, &codes), OP_ABSENT);
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "silent", "1", OP_OK});
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, ring_work, &refuses), OP_DENIED);
    drain_loop(f->kv);
    assert_true(tokens == 0 && tokens_too == 0);
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, ring_work, &rings), OP_OK);
    loop_until(f->kv, &tokens, 1);
    drain_loop(f->kv);
    assert_true(tokens == 1 && tokens_too == 1 && codes == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_failure_does_not_spoil_its_neighbours),
        TEST(a_full_queue_is_busy),
        TEST(what_waits_too_long_is_busy),
        TEST(freeing_runs_and_reports_what_waits),
        TEST(reads_are_done_at_once),
        TEST(done_may_run_the_next),
        TEST(a_bell_rings_after_a_commit_that_asked_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
