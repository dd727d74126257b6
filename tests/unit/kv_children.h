#pragma once
/* What the tests of the store between processes share. Every process opens the environments for itself
 * after the fork, as servers do. For cmocka tests. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/num.h"
#include "store_home.h"

static const struct kv_table TICKETS = {KV_CODES, 103, "tickets"}, NUMBERS = {KV_TOKENS, 104, "numbers"};
static const struct kv_store BOTH[] = {{KV_CODES, true}, {KV_TOKENS, true}};

struct fixture {
    struct store_home home;
};

static inline int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    store_home_make(&f->home, BOTH, 2, 4 << 20);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    store_home_remove(&f->home);
    talloc_free(f);
    return 0;
}

/* In a child there is no cmocka: what does not hold ends it. */
#define HOLDS(condition)                                                             \
    do {                                                                             \
        if (!(condition)) {                                                          \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                                \
        }                                                                            \
    } while (0)

struct child {
    pid_t pid;
    int from, to; /* pipes */
};

typedef void child_main(const struct store_home *home, int in, int out);

static inline struct child child_start(const struct fixture *f, child_main *run)
{
    int up[2], down[2];
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    assert_int_equal(pipe2(down, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(up[0]);
        close(down[1]);
        alarm(60);
        run(&f->home, down[0], up[1]);
        _exit(0);
    }
    close(up[1]);
    close(down[0]);
    return (struct child){.pid = pid, .from = up[0], .to = down[1]};
}

static inline void child_tell(const struct child *child)
{
    assert_int_equal(write(child->to, "x", 1), 1);
}

static inline void child_hear(const struct child *child)
{
    char byte;
    assert_int_equal(read(child->from, &byte, 1), 1);
}

static inline void child_kill(const struct child *child)
{
    kill(child->pid, SIGKILL);
}

/* Returns the exit status, or 128 and the signal. */
static inline int child_end(const struct child *child)
{
    int status;
    close(child->to);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    close(child->from);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void say(int out)
{
    HOLDS(write(out, "x", 1) == 1);
}

static inline void hear(int in)
{
    char byte;
    HOLDS(read(in, &byte, 1) >= 0);
}

static inline struct kv *child_open(const struct store_home *home, const struct kv_store *stores, size_t count)
{
    struct kv *kv = NULL;
    const char *why = "";
    if (kv_open(NULL, &home->config, stores, count, &kv, &why) != OP_OK) {
        fprintf(stderr, "%s\n", why);
        _exit(1);
    }
    return kv;
}

static inline void number_key(uint32_t number, uint8_t out[4])
{
    num_put_be32(out, number);
}

struct one {
    const struct kv_table *table;
    uint32_t number;
    void *ctx;
};

static inline enum op_err put_work(struct kv_txn *txn, void *arg)
{
    const struct one *one = arg;
    uint8_t key[4];
    number_key(one->number, key);
    return kv_insert(txn, one->table, bytes_from(key, 4), bytes_of("value"), 0);
}

static inline enum op_err take_work(struct kv_txn *txn, void *arg)
{
    const struct one *one = arg;
    uint8_t key[4];
    struct bytes value;
    number_key(one->number, key);
    return kv_take(txn, one->table, bytes_from(key, 4), one->ctx, &value);
}

static inline enum op_err has_work(struct kv_txn *txn, void *arg)
{
    const struct one *one = arg;
    uint8_t key[4];
    struct bytes value;
    number_key(one->number, key);
    return kv_get(txn, one->table, bytes_from(key, 4), one->ctx, &value);
}

static inline void run_child(const struct fixture *f, child_main *run)
{
    struct child child = child_start(f, run);
    assert_int_equal(child_end(&child), 0);
}

static inline void count_bell(void *arg)
{
    ++*(unsigned *)arg;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
