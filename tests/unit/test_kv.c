/* The store in one process: tables, results, expiry, group commit, bells. What takes several processes is in
 * test_kv_processes.c. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/environment.h"
#include "store/tables.h"
#include "store_home.h"

static const struct kv_table COLOURS = {KV_TOKENS, 101, "colours"}, SHAPES = {KV_TOKENS, 102, "shapes"};
static const struct kv_table TICKETS = {KV_CODES, 103, "tickets"};
static const struct kv_store STORES[] = {{KV_TOKENS, true}, {KV_CODES, true}, {KV_CLIENTS, false}};

struct fixture {
    struct store_home home;
    void *ctx;
    struct kv *kv;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    f->ctx = f;
    store_home_make(&f->home, STORES, 3, 4 << 20);
    f->kv = store_home_open(&f->home, f, STORES, 3);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct store_home home = f->home;
    talloc_free(f);
    store_home_remove(&home);
    return 0;
}

static struct bytes key(const char *s)
{
    return bytes_of(s);
}

/* A script of calls in one work, each with the result that is expected. */
enum verb { GET, PUT, INSERT, TAKE, DELETE, REPLACE };
struct step {
    enum verb verb;
    const char *key, *value; /* value: written, or what GET and TAKE must find */
    enum op_err err;
    int64_t expires_in; /* 0: never */
    const char *expected;
};
struct script {
    const struct kv_table *table;
    const struct step *steps;
    size_t count, failed_at; /* failed_at is count when all went well */
    void *ctx;
};

static bool step_holds(struct kv_txn *txn, const struct script *script, const struct step *step)
{
    struct bytes found = bytes_of("untouched");
    int64_t expires_at = step->expires_in == 0 ? 0 : kv_now(txn) + step->expires_in;
    enum op_err err = OP_BROKEN;
    switch (step->verb) {
    case GET: err = kv_get(txn, script->table, key(step->key), script->ctx, &found); break;
    case TAKE: err = kv_take(txn, script->table, key(step->key), script->ctx, &found); break;
    case PUT: err = kv_put(txn, script->table, key(step->key), bytes_of(step->value), expires_at); break;
    case INSERT: err = kv_insert(txn, script->table, key(step->key), bytes_of(step->value), expires_at); break;
    case DELETE: err = kv_delete(txn, script->table, key(step->key)); break;
    case REPLACE:
        err = kv_replace(txn, script->table, key(step->key), bytes_of(step->expected), bytes_of(step->value), expires_at);
        break;
    }
    bool reads = step->verb == GET || step->verb == TAKE;
    const char *want = err == OP_OK && step->value != NULL ? step->value : "untouched";
    return err == step->err && (!reads || bytes_equal(found, bytes_of(want)));
}

static enum op_err run_script(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    for (script->failed_at = 0; script->failed_at < script->count; script->failed_at++)
        if (!step_holds(txn, script, &script->steps[script->failed_at]))
            break;
    return OP_OK;
}

static void play(struct fixture *f, enum kv_env env, const struct kv_table *table, const struct step *steps, size_t count)
{
    struct script script = {.table = table, .steps = steps, .count = count, .ctx = f->ctx};
    assert_int_equal(kv_run_wait(f->kv, env, run_script, &script), OP_OK);
    assert_int_equal(script.failed_at, count);
}
#define PLAY(f, env, table, ...) \
    play(f, env, table, (const struct step[]){__VA_ARGS__}, sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step))

static void the_verbs_do_what_they_say(void **state)
{
    struct fixture *f = *state;
    PLAY(f, KV_TOKENS, &COLOURS, {GET, "red", NULL, OP_ABSENT}, {TAKE, "red", NULL, OP_ABSENT},
         {DELETE, "red", NULL, OP_ABSENT}, {REPLACE, "red", "2", OP_ABSENT, 0, "1"}, {INSERT, "red", "1", OP_OK},
         {GET, "red", "1", OP_OK}, {INSERT, "red", "2", OP_EXISTS}, {GET, "red", "1", OP_OK},
         {REPLACE, "red", "3", OP_MISMATCH, 0, "2"}, {GET, "red", "1", OP_OK}, {REPLACE, "red", "3", OP_OK, 0, "1"},
         {GET, "red", "3", OP_OK}, {PUT, "red", "", OP_OK}, {GET, "red", "", OP_OK}, {TAKE, "red", "", OP_OK},
         {GET, "red", NULL, OP_ABSENT}, {TAKE, "red", NULL, OP_ABSENT}, {PUT, "blue", "4", OP_OK},
         {DELETE, "blue", NULL, OP_OK}, {DELETE, "blue", NULL, OP_ABSENT}, {PUT, "green", "5", OP_OK});
    PLAY(f, KV_TOKENS, &SHAPES, {GET, "green", NULL, OP_ABSENT});
    PLAY(f, KV_READ_ONLY, &COLOURS, {GET, "green", "5", OP_OK});
}

/* Runs the loop until *count is at least wanted, or two seconds have passed. */
static void loop_until(struct kv *kv, const unsigned *count, unsigned wanted)
{
    int64_t end = clock_monotonic_us() + 2000000;
    while (*count < wanted && clock_monotonic_us() < end) {
        struct pollfd fd = {.fd = kv_event_fd(kv), .events = POLLIN};
        poll(&fd, 1, 100);
        kv_dispatch(kv);
    }
}

struct many {
    char key[16];
    enum op_err decides, result;
    unsigned *done;
    pthread_t worked_on, reported_on;
};

static enum op_err many_work(struct kv_txn *txn, void *arg)
{
    struct many *one = arg;
    one->worked_on = pthread_self();
    kv_put(txn, &TICKETS, key(one->key), key("x"), 0);
    return one->decides;
}

static void many_done(enum op_err result, void *arg)
{
    struct many *one = arg;
    one->result = result;
    one->reported_on = pthread_self();
    ++*one->done;
}

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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_failure_does_not_spoil_its_neighbours, setup, teardown),
        cmocka_unit_test_setup_teardown(the_verbs_do_what_they_say, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
