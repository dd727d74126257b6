#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/num.h"
#include "data/digest.h"
#include "store/environment.h"
#include "store/guard.h"
#include "store_home.h"

static const struct kv_store STORES[] = {{KV_GUARD, true}};

struct fixture {
    struct store_home home;
    struct kv *kv;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    store_home_make(&f->home, STORES, 1, 64 << 20);
    f->kv = store_home_open(&f->home, f, STORES, 1);
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

/* One call of guard in a transaction of its own. */
struct call {
    enum { USE, WAIT, COUNT, TRY, RESET, TAKE_BACK } verb;
    const struct guard_limit *limit;
    const char *issuer, *subject;
    int64_t seconds; /* USE: how long it is remembered */
    unsigned wait;
};

static enum op_err call_work(struct kv_txn *txn, void *arg)
{
    struct call *call = arg;
    switch (call->verb) {
    case USE: return guard_use_jti(txn, call->issuer, call->subject, kv_now(txn) + call->seconds);
    case WAIT: return guard_wait(txn, call->limit, call->subject, &call->wait);
    case COUNT: return guard_count(txn, call->limit, call->subject);
    case TRY: return guard_try(txn, call->limit, call->subject, &call->wait);
    case RESET: return guard_reset(txn, call->limit, call->subject);
    case TAKE_BACK: return guard_take_back(txn, call->limit, call->subject);
    }
    return OP_BROKEN;
}

static enum op_err run(struct fixture *f, struct call call, unsigned *ret_wait)
{
    enum kv_env env = call.verb == WAIT ? KV_READ_ONLY : KV_GUARD;
    enum op_err err = kv_run_wait(f->kv, env, call_work, &call);
    if (ret_wait != NULL)
        *ret_wait = call.wait;
    return err;
}

static unsigned wait_for(struct fixture *f, const struct guard_limit *limit, const char *subject)
{
    unsigned wait = 12345;
    assert_int_equal(run(f, (struct call){.verb = WAIT, .limit = limit, .subject = subject}, &wait), OP_OK);
    return wait;
}

static unsigned try(struct fixture *f, const struct guard_limit *limit, const char *subject)
{
    unsigned wait = 12345;
    assert_int_equal(run(f, (struct call){.verb = TRY, .limit = limit, .subject = subject}, &wait), OP_OK);
    return wait;
}

static void count(struct fixture *f, const struct guard_limit *limit, const char *subject)
{
    assert_int_equal(run(f, (struct call){.verb = COUNT, .limit = limit, .subject = subject}, NULL), OP_OK);
}

static void reset(struct fixture *f, const struct guard_limit *limit, const char *subject)
{
    assert_int_equal(run(f, (struct call){.verb = RESET, .limit = limit, .subject = subject}, NULL), OP_OK);
}

static void a_jti_is_used_once(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *issuer, *jti;
        int64_t seconds;
        enum op_err err;
    } rows[] = {
        {"a", "1", 60, OP_OK},      {"a", "1", 60, OP_EXISTS}, {"a", "2", 60, OP_OK},  {"b", "1", 60, OP_OK},
        {"b", "1", 9999, OP_EXISTS}, {"a1", "", 60, OP_OK},     {"", "a1", 60, OP_OK},  {"a", "1\x01", 60, OP_OK},
        {"c", "1", -1, OP_OK},      {"c", "1", 60, OP_OK}, /* forgotten: the assertion itself has expired */
        {"c", "1", 60, OP_EXISTS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call call = {.verb = USE, .issuer = rows[i].issuer, .subject = rows[i].jti, .seconds = rows[i].seconds};
        assert_int_equal(run(f, call, NULL), rows[i].err);
    }
}

static const struct guard_limit FIVE = {"password/account", 5, 300}, SLOW = {"password/address", 5, 3000};

static void as_many_as_the_limit_then_a_wait(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(wait_for(f, &FIVE, "anna"), 0);
        assert_int_equal(try(f, &FIVE, "anna"), 0);
    }
    unsigned wait = wait_for(f, &FIVE, "anna");
    assert_true(wait >= 58 && wait <= 60); /* a fifth of the window */
    assert_true(try(f, &FIVE, "anna") >= 58);
    for (int i = 0; i < 20; i++)
        count(f, &FIVE, "anna"); /* a slot does not get fuller than full */
    assert_true(wait_for(f, &FIVE, "anna") <= 60);
    assert_int_equal(wait_for(f, &FIVE, "berta"), 0);
    assert_int_equal(wait_for(f, &SLOW, "anna"), 0); /* another kind */
    reset(f, &FIVE, "anna");
    assert_int_equal(wait_for(f, &FIVE, "anna"), 0);
    reset(f, &FIVE, "nobody");
}

static void what_was_right_is_taken_back(void **state)
{
    struct fixture *f = *state;
    struct call back = {.verb = TAKE_BACK, .limit = &FIVE, .subject = "carla"};
    assert_int_equal(run(f, back, NULL), OP_OK); /* nothing was counted */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(try(f, &FIVE, "carla"), 0);
        assert_int_equal(run(f, back, NULL), OP_OK);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(try(f, &FIVE, "carla"), 0);
    assert_true(wait_for(f, &FIVE, "carla") > 0);
    assert_int_equal(run(f, back, NULL), OP_OK);
    assert_int_equal(try(f, &FIVE, "carla"), 0); /* one, and only one */
    assert_true(wait_for(f, &FIVE, "carla") > 0);
}

static void a_slot_drains(void **state)
{
    struct fixture *f = *state;
    static const struct guard_limit quick = {"quick", 4, 4};
    for (int i = 0; i < 4; i++)
        assert_int_equal(try(f, &quick, "anna"), 0);
    assert_true(try(f, &quick, "anna") > 0);
    usleep(2200000);
    assert_int_equal(try(f, &quick, "anna"), 0); /* two or three have drained */
    assert_int_equal(try(f, &quick, "anna"), 0);
    try(f, &quick, "anna");
    assert_true(try(f, &quick, "anna") > 0);
}

/* Two subjects of one kind in one slot, found as an attacker would. */
static void find_neighbours(struct fixture *f, char a[16], char b[16])
{
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(a, 16, "user%u", i);
        if (wait_for(f, &FIVE, a) != 0)
            break; /* some earlier one's slot */
        for (int n = 0; n < 5; n++)
            count(f, &FIVE, a);
    }
    assert_true(wait_for(f, &FIVE, a) != 0);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(b, 16, "user%u", i);
        if (strcmp(a, b) == 0)
            break;
        reset(f, &FIVE, b);
        if (wait_for(f, &FIVE, a) == 0)
            return;
    }
    fail_msg("no neighbours");
}

static void a_neighbour_in_the_slot_cannot_reset_it(void **state)
{
    struct fixture *f = *state;
    char victim[16], attacker[16];
    find_neighbours(f, attacker, victim); /* victim's own reset cleared the slot: it had counted alone */
    for (int i = 0; i < 5; i++)
        count(f, &FIVE, victim);
    assert_true(wait_for(f, &FIVE, attacker) > 0);
    reset(f, &FIVE, attacker);
    assert_true(wait_for(f, &FIVE, victim) > 0);
    count(f, &FIVE, attacker); /* not even after a try of its own */
    reset(f, &FIVE, attacker);
    assert_true(wait_for(f, &FIVE, victim) > 0);
}

static void other_guards_have_other_neighbours(void **state)
{
    struct fixture *f = *state;
    char a[16], b[16];
    find_neighbours(f, a, b);
    void *other = NULL;
    assert_int_equal(setup(&other), 0);
    for (int i = 0; i < 5; i++)
        count(other, &FIVE, a);
    assert_true(wait_for(other, &FIVE, a) > 0);
    assert_int_equal(wait_for(other, &FIVE, b), 0);
    teardown(&other);
}

/* A slot as anybody could compute it if it hung on the names alone. */
static uint32_t slot_by_name(const struct guard_limit *limit, const char *subject)
{
    char joined[64];
    uint8_t digest[DIGEST_SHA256_LEN];
    int len = snprintf(joined, sizeof joined, "%s%c%s", limit->kind, '\0', subject);
    digest_sha256(bytes_from(joined, (size_t)len), digest);
    return num_get_be32(digest) % (1 << 17);
}

static void a_name_cannot_be_made_to_share_a_slot(void **state)
{
    struct fixture *f = *state;
    char attacker[16] = "";
    uint32_t wanted = slot_by_name(&FIVE, "victim"), found = wanted + 1;
    for (unsigned i = 0; i < 5000000 && found != wanted; i++) {
        snprintf(attacker, sizeof attacker, "u%u", i);
        found = slot_by_name(&FIVE, attacker);
    }
    assert_int_equal(found, wanted);
    for (int i = 0; i < 5; i++)
        count(f, &FIVE, attacker);
    assert_true(wait_for(f, &FIVE, attacker) > 0);
    assert_int_equal(wait_for(f, &FIVE, "victim"), 0);
}

/* In a process of its own: fills one subject's slot. */
static pid_t fill_elsewhere(const struct store_home *home, const char *subject)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    alarm(60);
    struct fixture own = {.home = *home};
    const char *why = "";
    if (kv_open(NULL, &home->config, STORES, 1, &own.kv, &why) != OP_OK)
        _exit(1);
    for (int i = 0; i < 5; i++) {
        struct call call = {.verb = COUNT, .limit = &FIVE, .subject = subject};
        if (kv_run_wait(own.kv, KV_GUARD, call_work, &call) != OP_OK)
            _exit(1);
    }
    talloc_free(own.kv);
    _exit(0);
}

/* Both find a new environment, and who opens it when they are gone finds what they counted. */
static void processes_agree_on_the_slots(void **state)
{
    (void)state;
    struct fixture f = {0};
    store_home_make(&f.home, STORES, 1, 64 << 20);
    pid_t children[] = {fill_elsewhere(&f.home, "anna"), fill_elsewhere(&f.home, "berta")};
    for (size_t i = 0; i < 2; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    void *ctx = mem_root("test");
    f.kv = store_home_open(&f.home, ctx, STORES, 1);
    assert_true(wait_for(&f, &FIVE, "anna") > 0);
    assert_true(wait_for(&f, &FIVE, "berta") > 0);
    assert_int_equal(wait_for(&f, &FIVE, "carla"), 0);
    talloc_free(ctx);
    store_home_remove(&f.home);
}

static void guessing_does_not_fill_the_map(void **state)
{
    struct fixture *f = *state;
    struct kv_stats stats;
    for (unsigned i = 0; i < 3000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        count(f, &FIVE, name);
    }
    assert_int_equal(kv_stats(f->kv, KV_GUARD, &stats), OP_OK);
    assert_true(stats.used_bytes / 3000 < 128); /* so 131072 slots stay far below the map's 64 MiB */
}

struct made {
    bool insert;
    int64_t at;
    enum op_err err;
};

static enum op_err made_work(struct kv_txn *txn, void *arg)
{
    struct made *made = arg;
    if (made->insert) {
        void *scratch = mem_root("made");
        Rec__Environment *record = records_new(scratch, &rec__environment__descriptor);
        record->has_created_at = true;
        record->created_at = 1700000000;
        enum op_err err = environment_insert(txn, KV_GUARD, record);
        talloc_free(scratch);
        if (err != OP_OK)
            return err;
    }
    made->err = guard_made_at(txn, &made->at);
    return OP_OK;
}

static void the_guard_knows_when_it_was_made(void **state)
{
    struct fixture *f = *state;
    struct made made = {.at = -1};
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, made_work, &made), OP_OK);
    assert_true(made.err == OP_ABSENT && made.at == -1);
    made.insert = true;
    assert_int_equal(kv_run_wait(f->kv, KV_GUARD, made_work, &made), OP_OK);
    assert_true(made.err == OP_OK && made.at == 1700000000);
}

static void one_customer_is_one_address(void **state)
{
    (void)state;
    static const struct { const char *address, *subject; } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8:1:2:3:4:5:6", "20010db800010002"},
        {"2001:db8:1:2::", "20010db800010002"},
        {"2001:db8:1:3::", "20010db800010003"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"", ""},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(guard_address(ctx, rows[i].address), rows[i].subject);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_jti_is_used_once, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_as_the_limit_then_a_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_right_is_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_drains, setup, teardown),
        cmocka_unit_test_setup_teardown(a_neighbour_in_the_slot_cannot_reset_it, setup, teardown),
        cmocka_unit_test_setup_teardown(other_guards_have_other_neighbours, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_cannot_be_made_to_share_a_slot, setup, teardown),
        cmocka_unit_test(processes_agree_on_the_slots),
        cmocka_unit_test_setup_teardown(guessing_does_not_fill_the_map, setup, teardown),
        cmocka_unit_test(one_customer_is_one_address),
        cmocka_unit_test_setup_teardown(the_guard_knows_when_it_was_made, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
