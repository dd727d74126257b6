#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <time.h>

#include "data/password.h"

static const struct password_cost USUAL = {.memory_kib = 19 * 1024, .iterations = 2, .lanes = 1};
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
    assert_int_equal(password_verify("correct horse \xc3\xa9", phc, USUAL), OP_OK);
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
        "$argon2$v=19$m=64,t=1,p=1$" SALT "$" HASH,
        "$argon2ix$v=19$m=64,t=1,p=1$" SALT "$" HASH,
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
        "$2b$12$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefgh",
        "$2b$12$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghijk",
        "$2b$12$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefgh=",
        "$2b$03$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghi",
        "$2b$32$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghi",
        "$2b$5$aabcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghi",
        "$2x$05$abcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghi",
        "$2$05$aabcdefghijklmnopqrstuvabcdefghijklmnopqrstuvabcdefghi",
        "$pbkdf2-sha256$i=0$" SALT "$" HASH,
        "$pbkdf2-sha256$i=2147483648$" SALT "$" HASH,
        "$pbkdf2-sha256$1000$" SALT "$" HASH,
        "$pbkdf2-sha256$i=1000$$" HASH,
        "$pbkdf2-sha256$i=1000$" SALT,
        "$pbkdf2-md5$i=1000$" SALT "$" HASH,
        "$6$saltsalt$" HASH,
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(password_verify("password", rows[i], CHEAP), OP_INVALID);
    assert_int_equal(password_verify("x", "$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH, CHEAP), OP_MISMATCH);
}

/* bcrypt's of Openwall's crypt_blowfish (wrapper.c) and of Python's bcrypt; PBKDF2's of RFC 6070 and
 * Python's hashlib; argon2's of argon2-cffi. */
static void hashes_of_other_schemes_verify(void **state)
{
    (void)state;
    static const struct {
        const char *password, *phc;
    } rows[] = {
        {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
        {"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"},
        {"correct horse battery", "$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa"},
        {"correct horse battery", "$2b$04$WAoPk5JQoueuSiHOUXfHXu8JS/QQ6dEscC2qN.V.LaKt0Q5dydv/e"},
        {"correct horse battery", "$2y$04$fS1k8NrS2kEM9KmUZkNI8.oUyVFpRgtt4NBP4yP2agmuEBK7zkcPa"},
        {"h\xc3\xa4\xc3\x9f\xe2\x82\xac pass", "$2b$04$VPPpQ.0./U2f8qOzzgH7suEd0J3qJz0pkWyKNiMsVUeKYhYee/x0u"},
        {"passwordPASSWORDpassword",
         "$pbkdf2-sha1$i=4096$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$PS7sT+QchJuAyNg2YsDkSospGpZM8vBwOA"},
        {"correct horse battery",
         "$pbkdf2-sha256$i=1000$ofTeW+t9790bY6yVEkJI6Q$J9GCKT5dOdeQiEoUm4lDqZJYVqcU5n+UceTW5l+YgNg"},
        {"correct horse battery", "$pbkdf2-sha512$i=1000$AAECAwQFBgcICQoLDA0ODw$ToxFUi5y3fprZRW/V6CupR2uIDYfuy5rlsF9Z4E6"
                                  "48lE68lw5lzmucru/HdPvmBJDSLroVh1Q2xCvjqd8NI/6Q"},
        {"correct horse battery",
         "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$rB+Ck6dzT0jJfdaVhwLFTVeAoy0V19WrEz2yedJeJW4"},
        {"correct horse battery",
         "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$gV0q7e4k0WNulZmw7N0iHrn7+VLKNLQMoh+Tuf786Jk"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(password_verify(rows[i].password, rows[i].phc, CHEAP), OP_OK);
        assert_int_equal(password_verify("correct horse batterz", rows[i].phc, CHEAP), OP_MISMATCH);
        assert_int_equal(password_verify("", rows[i].phc, CHEAP), OP_MISMATCH);
        assert_true(password_is_stale(rows[i].phc, CHEAP));
    }
}

/* bcrypt looks at 72 bytes: whoever has a longer password signs in, but no other hash is made of what was typed. */
static void a_long_password_of_bcrypt(void **state)
{
    (void)state;
    static const char phc[] = "$2b$04$v.BPVyWiRu2EMPzabzTy4.BZlMkmN7YqzPQJySZ9cxHNDMVP3Ph1S";
    char password[1026] = {0};
    for (size_t i = 0; i < 80; i++)
        password[i] = (char)('0' + i % 10);
    assert_int_equal(password_verify(password, phc, CHEAP), OP_OK);
    assert_false(password_is_known_whole(password, phc));
    password[79] = 'x';
    assert_int_equal(password_verify(password, phc, CHEAP), OP_OK);
    memset(password + 72, 'y', 1024 - 72);
    assert_int_equal(password_verify(password, phc, CHEAP), OP_OK);
    password[1024] = 'y';
    assert_int_equal(password_verify(password, phc, CHEAP), OP_MISMATCH);
    password[72] = '\0';
    assert_int_equal(password_verify(password, phc, CHEAP), OP_OK);
    assert_true(password_is_known_whole(password, phc));
    password[71] = 'x';
    assert_int_equal(password_verify(password, phc, CHEAP), OP_MISMATCH);
    password[71] = '\0';
    assert_int_equal(password_verify(password, phc, CHEAP), OP_MISMATCH);
    assert_true(password_is_known_whole(password, "$argon2id$v=19$m=64,t=1,p=1$" SALT "$" HASH));
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
        {"$argon2i$v=19$m=64,t=1,p=1$" SALT "$" HASH, true},
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
        assert_int_equal(password_verify("wrong", phc, USUAL), OP_MISMATCH);
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
    assert_int_equal(password_hash(ctx, "right", USUAL, &phc), OP_OK);
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
        cmocka_unit_test(hashes_of_other_schemes_verify),
        cmocka_unit_test(a_long_password_of_bcrypt),
        cmocka_unit_test(a_bad_cost_is_refused),
        cmocka_unit_test(another_cost_is_stale),
        cmocka_unit_test(an_unknown_account_costs_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
