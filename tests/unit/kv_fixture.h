#pragma once
/* What the tests of the store in one process share: three environments of their own, scripts of calls,
 * a loop, a writer that can be held. For cmocka tests. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store_home.h"

static const struct kv_table COLOURS __attribute__((unused)) = {KV_TOKENS, 101, "colours"};
static const struct kv_table SHAPES __attribute__((unused)) = {KV_TOKENS, 102, "shapes"};
static const struct kv_table TICKETS __attribute__((unused)) = {KV_CODES, 103, "tickets"};
static const struct kv_store STORES[] = {{KV_TOKENS, true}, {KV_CODES, true}, {KV_CLIENTS, false}};

struct fixture {
    struct store_home home;
    void *ctx;
    struct kv *kv;
};

static inline int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    f->ctx = f;
    store_home_make(&f->home, STORES, 3, 4 << 20);
    f->kv = store_home_open(&f->home, f, STORES, 3);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    struct store_home home = f->home;
    talloc_free(f);
    store_home_remove(&home);
    return 0;
}

static inline struct bytes key(const char *s)
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

static inline bool step_holds(struct kv_txn *txn, const struct script *script, const struct step *step)
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
        err = kv_replace(txn, script->table, key(step->key), key(step->expected), key(step->value), expires_at);
        break;
    }
    bool reads = step->verb == GET || step->verb == TAKE;
    const char *want = err == OP_OK && step->value != NULL ? step->value : "untouched";
    return err == step->err && (!reads || bytes_equal(found, bytes_of(want)));
}

static inline enum op_err run_script(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    for (script->failed_at = 0; script->failed_at < script->count; script->failed_at++)
        if (!step_holds(txn, script, &script->steps[script->failed_at]))
            break;
    return OP_OK;
}

static inline void play(struct fixture *f, enum kv_env env, const struct kv_table *table, const struct step *steps,
                 size_t count)
{
    struct script script = {.table = table, .steps = steps, .count = count, .ctx = f->ctx};
    assert_int_equal(kv_run_wait(f->kv, env, run_script, &script), OP_OK);
    assert_int_equal(script.failed_at, count);
}
#define PLAY(f, env, table, ...)                               \
    do {                                                       \
        const struct step steps_[] = {__VA_ARGS__};            \
        play(f, env, table, steps_, sizeof steps_ / sizeof *steps_); \
    } while (0)

/* Runs the loop until *count is at least wanted, or two seconds have passed. */
static inline void loop_until(struct kv *kv, const unsigned *count, unsigned wanted)
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

static inline enum op_err many_work(struct kv_txn *txn, void *arg)
{
    struct many *one = arg;
    one->worked_on = pthread_self();
    kv_put(txn, &TICKETS, key(one->key), key("x"), 0);
    return one->decides;
}

static inline void many_done(enum op_err result, void *arg)
{
    struct many *one = arg;
    one->result = result;
    one->reported_on = pthread_self();
    ++*one->done;
}

/* A work that stays inside until it is let go. */
struct hold {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool inside, let_go;
};

static inline enum op_err hold_work(struct kv_txn *txn, void *arg)
{
    (void)txn;
    struct hold *hold = arg;
    pthread_mutex_lock(&hold->lock);
    hold->inside = true;
    pthread_cond_broadcast(&hold->moved);
    while (!hold->let_go)
        pthread_cond_wait(&hold->moved, &hold->lock);
    pthread_mutex_unlock(&hold->lock);
    return OP_OK;
}

static inline void hold_writer(struct hold *hold, struct kv *kv)
{
    *hold = (struct hold){.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    kv_run(kv, KV_CODES, hold_work, NULL, hold);
    pthread_mutex_lock(&hold->lock);
    while (!hold->inside)
        pthread_cond_wait(&hold->moved, &hold->lock);
    pthread_mutex_unlock(&hold->lock);
}

static inline void let_go(struct hold *hold)
{
    pthread_mutex_lock(&hold->lock);
    hold->let_go = true;
    pthread_cond_broadcast(&hold->moved);
    pthread_mutex_unlock(&hold->lock);
}

static inline void reopen(struct fixture *f, unsigned queue_max, unsigned wait_ms)
{
    talloc_free(f->kv);
    f->home.config.queue_max = queue_max;
    f->home.config.wait_ms = wait_ms;
    f->kv = store_home_open(&f->home, f, STORES, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
