/* A full map refuses what needs room, keeps what it has, and serves again. */
#include "kv_fixture.h"

struct alarms {
    unsigned full, broken, well;
    char line[512];
};

static void on_alarm(enum kv_env env, enum op_err what, const char *line, void *arg)
{
    (void)env;
    struct alarms *alarms = arg;
    alarms->full += what == OP_FULL;
    alarms->broken += what == OP_BROKEN;
    alarms->well += what == OP_OK;
    snprintf(alarms->line, sizeof alarms->line, "%s", line);
}

struct fill {
    unsigned number;
    int64_t seconds; /* 0: never */
    enum op_err result;
    unsigned *done;
};

static enum op_err fill_work(struct kv_txn *txn, void *arg)
{
    const struct fill *fill = arg;
    uint8_t value[1500];
    memset(value, 'v', sizeof value);
    char name[16];
    snprintf(name, sizeof name, "%08u", fill->number * 2654435761u); /* all over the tree */
    return kv_insert(txn, &TICKETS, key(name), bytes_from(value, sizeof value),
                     fill->seconds == 0 ? 0 : kv_now(txn) + fill->seconds);
}

static enum op_err unfill_work(struct kv_txn *txn, void *arg)
{
    const struct fill *fill = arg;
    char name[16];
    snprintf(name, sizeof name, "%08u", fill->number * 2654435761u);
    return kv_delete(txn, &TICKETS, key(name));
}

static void fill_done(enum op_err result, void *arg)
{
    struct fill *fill = arg;
    fill->result = result;
    ++*fill->done;
}

/* Inserts one by one until it is full; returns how many it took. */
static unsigned fill_up(struct fixture *f, int64_t seconds)
{
    struct fill fill = {.seconds = seconds};
    enum op_err err = OP_OK;
    for (fill.number = 0; err == OP_OK && fill.number < 100000; fill.number++)
        err = kv_run_wait(f->kv, KV_CODES, fill_work, &fill);
    assert_int_equal(err, OP_FULL);
    return fill.number - 1;
}

static void a_full_map_refuses_and_recovers(void **state)
{
    struct fixture *f = *state;
    struct alarms alarms = {0};
    f->home.config.alarm = on_alarm;
    f->home.config.alarm_arg = &alarms;
    reopen(f, 0, 0);
    unsigned count = fill_up(f, 0);
    assert_true(count > 1000);
    struct fill fill = {.number = count + 1};
    for (int i = 0; i < 20; i++)
        assert_int_equal(kv_run_wait(f->kv, KV_CODES, fill_work, &fill), OP_FULL);
    kv_dispatch(f->kv);
    assert_int_equal(alarms.full, 1); /* once, however often */
    assert_non_null(strstr(alarms.line, "/codes/data.mdb"));
    struct kv_stats stats;
    assert_int_equal(kv_stats(f->kv, KV_CODES, &stats), OP_OK);
    assert_true(stats.full_errors >= 21 && stats.is_full && !stats.is_broken && !stats.is_tampered);
    assert_true(stats.used_bytes > stats.map_bytes / 2 && stats.used_bytes <= stats.map_bytes);

    struct step change[] = {{PUT, "00000000", "small", OP_OK}, {GET, "00000000", "small", OP_OK}};
    play(f, KV_CODES, &TICKETS, change, 2); /* what is there may be changed */
    for (fill.number = 1; fill.number < count; fill.number++) /* and all be deleted */
        assert_int_equal(kv_run_wait(f->kv, KV_CODES, unfill_work, &fill), OP_OK);
    for (fill.number = 1; fill.number < count; fill.number++)
        assert_int_equal(kv_run_wait(f->kv, KV_CODES, fill_work, &fill), OP_OK);
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "1", OP_OK});
    assert_int_equal(alarms.broken, 0);
}

static enum op_err grow_work(struct kv_txn *txn, void *arg)
{
    const struct fill *fill = arg;
    uint8_t value[2020] = {0}; /* two to a page no more */
    char name[16];
    snprintf(name, sizeof name, "%08u", fill->number * 2654435761u);
    return kv_put(txn, &TICKETS, key(name), bytes_from(value, sizeof value), 0);
}

/* What changes entries has room of its own, and does not use up what deleting takes. */
static void a_full_map_lets_entries_be_changed(void **state)
{
    struct fixture *f = *state;
    unsigned count = fill_up(f, 0), grown = 0;
    struct fill fill = {.number = count + 1};
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, fill_work, &fill), OP_FULL);
    for (fill.number = 1; fill.number < count; fill.number++)
        grown += kv_run_wait(f->kv, KV_CODES, grow_work, &fill) == OP_OK;
    assert_true(grown >= 16 && grown < count);
    for (fill.number = 0; fill.number < count; fill.number++)
        assert_int_equal(kv_run_wait(f->kv, KV_CODES, unfill_work, &fill), OP_OK);
    assert_int_equal(fill_up(f, 0), count);
}

static void a_full_map_makes_room_by_expiry(void **state)
{
    struct fixture *f = *state;
    struct alarms alarms = {0};
    f->home.config.alarm = on_alarm;
    f->home.config.alarm_arg = &alarms;
    reopen(f, 0, 0);
    unsigned count = fill_up(f, 3);
    kv_dispatch(f->kv);
    assert_true(alarms.full == 1 && alarms.well == 0);
    usleep(4100000);
    struct fill fill = {.number = count + 1, .seconds = 1000};
    unsigned good = 0;
    for (int i = 0; i < 400; i++, fill.number++) /* the first makes room for all */
        good += kv_run_wait(f->kv, KV_CODES, fill_work, &fill) == OP_OK;
    assert_int_equal(good, 400);
    usleep(400000);
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, fill_work, &fill), OP_OK);
    kv_dispatch(f->kv);
    assert_true(alarms.well == 1 && alarms.broken == 0);
}

struct present {
    const char *name;
    bool is;
};

static enum op_err present_work(struct kv_txn *txn, void *arg)
{
    struct present *present = arg;
    void *scratch = mem_root("present");
    struct bytes value;
    enum op_err err = kv_get(txn, &TICKETS, key(present->name), scratch, &value);
    present->is = err == OP_OK;
    talloc_free(scratch);
    return err == OP_ABSENT ? OP_OK : err;
}

/* Queues COUNT works behind a held one, so that they run together, and waits for all. */
static unsigned run_together(struct fixture *f, kv_work *work, struct fill *fills, unsigned count)
{
    struct hold hold;
    unsigned done = 0, good = 0;
    reopen(f, 0, 60000);
    hold_writer(&hold, f->kv);
    for (unsigned i = 0; i < count; i++) {
        fills[i] = (struct fill){.number = i, .done = &done};
        kv_run(f->kv, KV_CODES, work, fill_done, &fills[i]);
    }
    let_go(&hold);
    for (int rounds = 0; done < count && rounds < 30; rounds++)
        loop_until(f->kv, &done, count);
    assert_int_equal(done, count);
    for (unsigned i = 0; i < count; i++) { /* every one that was told OK is there, no other */
        char name[16];
        snprintf(name, sizeof name, "%08u", i * 2654435761u);
        assert_true(fills[i].result == OP_OK || fills[i].result == OP_FULL);
        struct present present = {.name = name};
        assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, present_work, &present), OP_OK);
        assert_int_equal(present.is, fills[i].result == OP_OK);
        good += fills[i].result == OP_OK;
    }
    return good;
}

static void a_crowd_fills_the_map(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 3000 };
    struct fill *fills = mem_array(f->ctx, struct fill, COUNT);
    unsigned good = run_together(f, fill_work, fills, COUNT);
    struct kv_stats stats;
    assert_int_equal(kv_stats(f->kv, KV_CODES, &stats), OP_OK);
    assert_true(good > 1000 && good < COUNT);
    assert_int_equal(stats.works, good + 1);
}

static enum op_err fill_large_work(struct kv_txn *txn, void *arg)
{
    static const uint8_t value[300000];
    const struct fill *fill = arg;
    char name[16];
    snprintf(name, sizeof name, "%08u", fill->number * 2654435761u);
    return kv_insert(txn, &TICKETS, key(name), bytes_from(value, sizeof value), 0);
}

/* Large values: the last pages are not used up even by works that run together. */
static void a_crowd_of_large_works_leaves_the_reserve(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 40 };
    struct fill *fills = mem_array(f->ctx, struct fill, COUNT);
    unsigned good = run_together(f, fill_large_work, fills, COUNT);
    assert_true(good >= 10 && good <= 13); /* of 4 MiB */
    for (unsigned i = 0; i < COUNT; i++) {
        enum op_err removed = fills[i].result == OP_OK ? OP_OK : OP_ABSENT;
        assert_int_equal(kv_run_wait(f->kv, KV_CODES, unfill_work, &fills[i]), removed);
    }
    for (unsigned i = 0; i < good - 1; i++) /* and it serves again */
        assert_int_equal(kv_run_wait(f->kv, KV_CODES, fill_large_work, &fills[i]), OP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_map_refuses_and_recovers),
        TEST(a_full_map_lets_entries_be_changed),
        TEST(a_full_map_makes_room_by_expiry),
        TEST(a_crowd_fills_the_map),
        TEST(a_crowd_of_large_works_leaves_the_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
