#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <time.h>

#include "data/password.h"

static const struct password_cost CHEAP = {.memory_kib = 64, .iterations = 1, .lanes = 1};

/* The first is of argon2's own tests (src/test.c); the others were made by argon2id_hash_encoded. */
static void hashes_of_others_verify(void **state)
{
    (void)state;
    static const struct {
        const char *password, *phc;
    } rows[] = {
        {"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
        {"password", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$55PWTvddWPUD1GMbKxSff4ASfF85k9ibHJt4HlHQtBM"},
        {"password", "$argon2id$v=19$m=256,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$PktHOdUehWq28Um+wbRvxfK/vwYGGR71"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(password_verify(rows[i].password, rows[i].phc, CHEAP), OP_OK);
        assert_int_equal(password_verify("passwore", rows[i].phc, CHEAP), OP_MISMATCH);
    }
}

static void a_hash_is_verified(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *phc, *again;
    assert_int_equal(password_hash(ctx, "correct horse \xc3\xa9", CHEAP, &phc), OP_OK);
    assert_int_equal(password_hash(ctx, "correct horse \xc3\xa9", CHEAP, &again), OP_OK);
    assert_string_not_equal(phc, again);
    assert_int_equal(strncmp(phc, "$argon2id$v=19$m=64,t=1,p=1$", 28), 0);
    assert_int_equal(password_verify("correct horse \xc3\xa9", phc, CHEAP), OP_OK);
    assert_int_equal(password_verify("correct horse \xc3\xa9 ", phc, CHEAP), OP_MISMATCH);
    assert_int_equal(password_verify("correct horse", phc, CHEAP), OP_MISMATCH);
    assert_int_equal(password_verify("", phc, CHEAP), OP_MISMATCH);
    assert_int_equal(password_verify("correct horse \xc3\xa9", phc, PASSWORD_COST_DEFAULT), OP_OK);
    talloc_free(ctx);
}

static void length_is_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *phc, *none = NULL, *password = mem_array(ctx, char, 1026);
    memset(password, 'x', 1024);
    assert_int_equal(password_hash(ctx, password, CHEAP, &phc), OP_OK);
    assert_int_equal(password_verify(password, phc, CHEAP), OP_OK);
    password[1024] = 'x';
    assert_int_equal(password_verify(password, phc, CHEAP), OP_MISMATCH);
    assert_int_equal(password_hash(ctx, password, CHEAP, &none), OP_TOO_LARGE);
    assert_null(none);
    talloc_free(ctx);
}

#define SALT "c29tZXNhbHRzb21lc2FsdA"
#define HASH "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

static void what_is_no_hash_of_ours_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "secret",
        "$argon2id$v=19$m=64,t=1,p=1$" SALT "$",
        "$argon2id$v=19$m=64,t=1,p=1$" SALT,
        "$argon2id$v=19$m=64,t=1,p=1$$" HASH,
        "$argon2id$v=19$m=64,t=1,p=1$c2hvcnQ$" HASH,
        "$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH "=",
        "$argon2id$v=19$m=64,t=1,p=1$" SALT "==$" HASH,
        "$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH "$",
        "$argon2id$v=19$m=64,t=1,p=1$" SALT "$ " HASH,
        "$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH HASH HASH HASH,
        "$argon2id$v=16$m=64,t=1,p=1$" SALT "$" HASH,
        "$argon2id$m=64,t=1,p=1$" SALT "$" HASH,
        "$argon2i$v=19$m=64,t=1,p=1$" SALT "$" HASH,
        "$argon2d$v=19$m=64,t=1,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=4,t=1,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=64,t=0,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=64,t=1,p=0$" SALT "$" HASH,
        "$argon2id$v=19$m=-64,t=1,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=64,t=1$" SALT "$" HASH,
        "$argon2id$v=19$m=4294967295,t=1,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=64,t=4294967295,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=1048577,t=1,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=64,t=65,p=1$" SALT "$" HASH,
        "$argon2id$v=19$m=640,t=1,p=17$" SALT "$" HASH,
        "$2b$12$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghijk",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(password_verify("password", rows[i], CHEAP), OP_INVALID);
    assert_int_equal(password_verify("x", "$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH, CHEAP), OP_MISMATCH);
}

static void a_bad_cost_is_refused(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *phc = NULL;
    static const struct password_cost rows[] = {{4, 1, 1}, {64, 0, 1}, {64, 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(password_hash(ctx, "x", rows[i], &phc), OP_INVALID);
        assert_int_equal(password_verify("x", NULL, rows[i]), OP_INVALID);
    }
    assert_null(phc);
    talloc_free(ctx);
}

static void another_cost_is_stale(void **state)
{
    (void)state;
    static const struct {
        const char *phc;
        bool stale;
    } rows[] = {
        {"$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH, false},
        {"$argon2id$v=19$m=65,t=1,p=1$" SALT "$" HASH, true},
        {"$argon2id$v=19$m=64,t=2,p=1$" SALT "$" HASH, true},
        {"$argon2id$v=19$m=64,t=1,p=2$" SALT "$" HASH, true},
        {"$argon2id$v=19$m=64,t=1,p=1$" SALT "$c2hvcnRzaG9ydA", true},
        {"$2b$12$abc", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(password_is_stale(rows[i].phc, CHEAP), rows[i].stale);
}

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The least of a few runs of CPU time: what the machine does besides does not count. */
static int64_t least_cost(const char *phc)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 7; i++) {
        int64_t start = cpu_us();
        assert_int_equal(password_verify("wrong", phc, PASSWORD_COST_DEFAULT), OP_MISMATCH);
        int64_t cost = cpu_us() - start;
        least = cost < least ? cost : least;
    }
    return least;
}

static void an_unknown_account_costs_the_same(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *phc;
    assert_int_equal(password_hash(ctx, "right", PASSWORD_COST_DEFAULT, &phc), OP_OK);
    int64_t known = least_cost(phc), unknown = least_cost(NULL);
    print_message("known %lld us, unknown %lld us\n", (long long)known, (long long)unknown);
    assert_true(unknown * 4 > known * 3 && known * 4 > unknown * 3);
    assert_int_equal(password_verify("", NULL, CHEAP), OP_MISMATCH);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_others_verify),
        cmocka_unit_test(a_hash_is_verified),
        cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(what_is_no_hash_of_ours_is_refused),
        cmocka_unit_test(a_bad_cost_is_refused),
        cmocka_unit_test(another_cost_is_stale),
        cmocka_unit_test(an_unknown_account_costs_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
