/* The store between processes: races, kills, dead readers, bells. */
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <sys/mman.h>

#include "kv_children.h"

/* --- races --- */

enum { RACES = 2000 };

/* Takes every ticket it can get; ends by saying which. The takers begin each hundred together, each
 * at another one of it. */
static pthread_barrier_t *start_of_hundred; /* shared */

static void take_hundred(struct kv *kv, uint32_t from, uint32_t offset, uint8_t won[RACES])
{
    pthread_barrier_wait(start_of_hundred);
    for (uint32_t n = 0; n < 100; n++) {
        struct one one = {&TICKETS, from + (n + offset) % 100, kv};
        enum op_err err = kv_run_wait(kv, KV_CODES, take_work, &one);
        HOLDS(err == OP_OK || err == OP_ABSENT);
        won[one.number] = err == OP_OK;
    }
}

static void taker(const struct store_home *home, int in, int out)
{
    struct kv *kv = child_open(home, BOTH, 2);
    say(out);
    hear(in);
    uint8_t won[RACES] = {0};
    for (uint32_t from = 0; from < RACES; from += 100)
        take_hundred(kv, from, (uint32_t)getpid() % 3, won);
    HOLDS(write(out, won, sizeof won) == sizeof won);
    talloc_free(kv);
}

static enum op_err put_all_work(struct kv_txn *txn, void *arg)
{
    for (uint32_t i = 0; i < RACES; i++) {
        struct one one = {&TICKETS, i, arg};
        enum op_err err = put_work(txn, &one);
        if (err != OP_OK)
            return err;
    }
    return OP_OK;
}

static void read_all(int fd, void *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = read(fd, (char *)out + at, len - at);
        assert_true(got > 0);
        at += (size_t)got;
    }
}

static void of_many_that_take_one_gets_it(void **state)
{
    struct fixture *f = *state;
    struct kv *kv = store_home_open(&f->home, NULL, BOTH, 2);
    assert_int_equal(kv_run_wait(kv, KV_CODES, put_all_work, NULL), OP_OK);
    talloc_free(kv);
    enum { TAKERS = 3 };
    struct child children[TAKERS];
    pthread_barrierattr_t shared;
    start_of_hundred = mmap(NULL, sizeof *start_of_hundred, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(start_of_hundred != MAP_FAILED);
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(start_of_hundred, &shared, TAKERS);
    for (int i = 0; i < TAKERS; i++)
        children[i] = child_start(f, taker);
    for (int i = 0; i < TAKERS; i++)
        child_hear(&children[i]);
    for (int i = 0; i < TAKERS; i++)
        child_tell(&children[i]);
    uint8_t wins[RACES] = {0}, won[RACES];
    unsigned winners = 0;
    for (int i = 0; i < TAKERS; i++) {
        read_all(children[i].from, won, sizeof won);
        unsigned own = 0;
        for (int n = 0; n < RACES; n++) {
            wins[n] = (uint8_t)(wins[n] + won[n]);
            own += won[n];
        }
        winners += own > 0;
        assert_int_equal(child_end(&children[i]), 0);
    }
    for (int n = 0; n < RACES; n++)
        assert_int_equal(wins[n], 1);
    assert_true(winners > 1); /* they did race */
    munmap(start_of_hundred, sizeof *start_of_hundred);
}

/* --- kills --- */

/* A load writes growing numbers, each under the key of its remainder, and reports those that were
 * acknowledged. Odd ones are the victims', even ones the survivor's. */
enum { KEYS = 2000, LOAD_WIDTH = 16 };

struct load;

struct load_write {
    struct load *load;
    uint32_t number;
};

struct load {
    struct kv *kv;
    int out;
    uint32_t next;
    struct load_write writes[LOAD_WIDTH];
};

static uint32_t load_first; /* set before the fork */

static enum op_err load_work(struct kv_txn *txn, void *arg)
{
    const struct load_write *one = arg;
    uint8_t key[4], value[4];
    num_put_be32(key, one->number % KEYS);
    num_put_be32(value, one->number);
    return kv_put(txn, &NUMBERS, bytes_from(key, 4), bytes_from(value, 4), 0);
}

static void load_done(enum op_err result, void *arg)
{
    struct load_write *one = arg;
    HOLDS(result == OP_OK);
    HOLDS(write(one->load->out, &one->number, 4) == 4);
    one->number = one->load->next;
    one->load->next += 2;
    kv_run(one->load->kv, KV_TOKENS, load_work, load_done, one);
}

static void loader(const struct store_home *home, int in, int out)
{
    (void)in;
    struct load load = {.kv = child_open(home, BOTH, 2), .out = out, .next = load_first};
    for (size_t i = 0; i < LOAD_WIDTH; i++) {
        load.writes[i] = (struct load_write){&load, load.next};
        load.next += 2;
        kv_run(load.kv, KV_TOKENS, load_work, load_done, &load.writes[i]);
    }
    for (;;) {
        struct pollfd fd = {.fd = kv_event_fd(load.kv), .events = POLLIN};
        poll(&fd, 1, 1000);
        kv_dispatch(load.kv);
    }
}

/* Reads acknowledgements until there were enough or the pipe ends, ten seconds at most; returns how many. */
static unsigned read_acknowledged(const struct child *child, unsigned enough, uint32_t newest[KEYS])
{
    unsigned count = 0;
    int64_t end = clock_monotonic_us() + 10000000;
    for (int64_t left; count < enough && (left = end - clock_monotonic_us()) > 0;) {
        struct pollfd fd = {.fd = child->from, .events = POLLIN};
        uint32_t number;
        if (poll(&fd, 1, (int)(left / 1000) + 1) <= 0)
            continue;
        if (read(child->from, &number, 4) != 4)
            break;
        if (newest[number % KEYS] < number)
            newest[number % KEYS] = number;
        count++;
    }
    return count;
}

struct number {
    uint32_t key, value;
};

static enum op_err number_work(struct kv_txn *txn, void *arg)
{
    struct number *number = arg;
    uint8_t key[4];
    struct bytes value;
    void *scratch = mem_root("number");
    num_put_be32(key, number->key);
    enum op_err err = kv_get(txn, &NUMBERS, bytes_from(key, 4), scratch, &value);
    if (err == OP_OK)
        number->value = num_get_be32(value.data);
    talloc_free(scratch);
    return err;
}

static void all_are_there(const struct fixture *f, const uint32_t newest[KEYS])
{
    struct kv *kv = store_home_open(&f->home, NULL, BOTH, 2);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct number number = {.key = i};
        if (newest[i] == 0)
            continue;
        assert_int_equal(kv_run_wait(kv, KV_READ_ONLY, number_work, &number), OP_OK);
        assert_true(number.value >= newest[i]);
    }
    talloc_free(kv);
}

static void no_acknowledged_write_is_missing_after_a_kill(void **state)
{
    struct fixture *f = *state;
    uint32_t newest[KEYS] = {0};
    load_first = 2;
    struct child survivor = child_start(f, loader);
    assert_int_equal(read_acknowledged(&survivor, 100, newest), 100);
    for (uint32_t round = 0; round < 6; round++) {
        load_first = round * 10000000 + 1;
        struct child victim = child_start(f, loader);
        unsigned enough = 20 + round * 37;
        assert_int_equal(read_acknowledged(&victim, enough, newest), enough);
        child_kill(&victim);
        read_acknowledged(&victim, UINT_MAX, newest); /* what was still in the pipe */
        assert_int_equal(child_end(&victim), 128 + SIGKILL);
        assert_int_equal(read_acknowledged(&survivor, 100, newest), 100); /* the other one goes on */
        all_are_there(f, newest);
    }
    child_kill(&survivor);
    child_end(&survivor);
    all_are_there(f, newest);
}

/* --- dead readers --- */

static enum op_err read_and_stay(struct kv_txn *txn, void *arg)
{
    const int *out = arg;
    struct one one = {&TICKETS, 1, NULL};
    HOLDS(has_work(txn, &one) == OP_ABSENT);
    say(*out);
    for (int i = 0; i < 60; i++)
        sleep(1);
    return OP_OK;
}

static void lingering_reader(const struct store_home *home, int in, int out)
{
    (void)in;
    struct kv *kv = child_open(home, BOTH, 2);
    HOLDS(kv_run_wait(kv, KV_READ_ONLY, read_and_stay, &out) == OP_OK);
}

static void dead_readers_are_cleared(void **state)
{
    struct fixture *f = *state;
    struct kv_stats before, during;
    struct child reader = child_start(f, lingering_reader);
    child_hear(&reader);
    struct kv *kv = store_home_open(&f->home, NULL, BOTH, 2);
    assert_int_equal(kv_stats(kv, KV_CODES, &before), OP_OK);
    assert_int_equal(kv_clear_dead_readers(kv), 0);
    child_kill(&reader);
    child_end(&reader);
    assert_int_equal(kv_clear_dead_readers(kv), 1);
    assert_int_equal(kv_stats(kv, KV_CODES, &during), OP_OK);
    assert_int_equal(during.readers, before.readers - 1);
    talloc_free(kv);
}

/* Takes every reader's slot there is, by LMDB itself. */
static void slot_hoarder(const struct store_home *home, int in, int out)
{
    (void)in;
    char dir[160];
    MDB_env *env;
    MDB_txn *txn;
    store_home_path(home, KV_CODES, "", dir);
    HOLDS(mdb_env_create(&env) == MDB_SUCCESS);
    HOLDS(mdb_env_open(env, dir, MDB_NOTLS | MDB_RDONLY, 0) == MDB_SUCCESS);
    int count = 0;
    while (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == MDB_SUCCESS)
        count++;
    HOLDS(count > 1000);
    say(out);
    for (int i = 0; i < 60; i++)
        sleep(1);
}

static void a_full_reader_table_is_full_and_recovers(void **state)
{
    struct fixture *f = *state;
    struct kv *kv = store_home_open(&f->home, NULL, BOTH, 2);
    struct child hoarder = child_start(f, slot_hoarder);
    child_hear(&hoarder);
    struct one one = {&TICKETS, 1, kv};
    assert_int_equal(kv_run_wait(kv, KV_READ_ONLY, has_work, &one), OP_FULL);
    assert_int_equal(kv_run_wait(kv, KV_CODES, put_work, &one), OP_OK); /* writing does not depend on one */
    child_kill(&hoarder);
    child_end(&hoarder);
    assert_int_equal(kv_run_wait(kv, KV_READ_ONLY, has_work, &one), OP_OK); /* the dead are found at once */
    talloc_free(kv);
}

/* --- bells --- */

enum { RINGS = 200 };

static enum op_err ring_work(struct kv_txn *txn, void *arg)
{
    kv_ring(txn);
    struct one *one = arg;
    return put_work(txn, one);
}

static void ringer(const struct store_home *home, int in, int out)
{
    (void)out;
    struct kv *kv = child_open(home, BOTH, 2);
    for (uint32_t i = 0; i < RINGS; i++) {
        struct one one = {&TICKETS, i, NULL};
        hear(in);
        HOLDS(kv_run_wait(kv, KV_CODES, ring_work, &one) == OP_OK);
    }
    talloc_free(kv);
}

static void every_ring_is_heard_by_the_other_process(void **state)
{
    struct fixture *f = *state;
    static const struct kv_store readers[] = {{KV_CODES, false}};
    struct child child = child_start(f, ringer);
    struct kv *kv = store_home_open(&f->home, NULL, readers, 1);
    unsigned heard = 0;
    assert_int_equal(kv_watch(kv, KV_CODES, count_bell, &heard), OP_OK);
    for (uint32_t i = 0; i < RINGS; i++) {
        child_tell(&child);
        int64_t end = clock_monotonic_us() + 3000000;
        while (heard == i && clock_monotonic_us() < end) {
            struct pollfd fd = {.fd = kv_event_fd(kv), .events = POLLIN};
            poll(&fd, 1, 1000);
            kv_dispatch(kv);
        }
        assert_int_equal(heard, i + 1);
        struct one one = {&TICKETS, i, kv};
        assert_int_equal(kv_run_wait(kv, KV_READ_ONLY, has_work, &one), OP_OK); /* and what it rang for can be read */
    }
    assert_int_equal(child_end(&child), 0);
    talloc_free(kv);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(of_many_that_take_one_gets_it),
        TEST(no_acknowledged_write_is_missing_after_a_kill),
        TEST(dead_readers_are_cleared),
        TEST(a_full_reader_table_is_full_and_recovers),
        TEST(every_ring_is_heard_by_the_other_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
