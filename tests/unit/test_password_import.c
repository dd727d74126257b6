#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/password_import.h"

#define PASSWORD "correct horse battery"
#define MEMORY_MAX (64 * 1024)
static const struct password_cost CHEAP = {.memory_kib = 64, .iterations = 1, .lanes = 1};

/* Made by passlib, Django, Python's bcrypt and argon2-cffi of PASSWORD, and what is stored of them. */
static void hashes_of_others_are_read_and_verify(void **state)
{
    (void)state;
    static const struct {
        const char *text, *stored; /* NULL: the same */
    } rows[] = {
        {"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$rB+Ck6dzT0jJfdaVhwLFTVeAoy0V19WrEz2yedJeJW4", NULL},
        {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$128dXHbpND/ejgFQ9JJYHDD7w0meEN4m07Qzyeoko2E", NULL},
        {"argon2$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTI$AltSygYWya5aV2nHpvw8hr5K/buiO3J96fARoIOIq/g",
         "$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTI$AltSygYWya5aV2nHpvw8hr5K/buiO3J96fARoIOIq/g"},
        {"{argon2}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$128dXHbpND/ejgFQ9JJYHDD7w0meEN4m07Qzyeoko2E",
         "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$128dXHbpND/ejgFQ9JJYHDD7w0meEN4m07Qzyeoko2E"},
        {"$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa", NULL},
        {"$2y$04$fS1k8NrS2kEM9KmUZkNI8.oUyVFpRgtt4NBP4yP2agmuEBK7zkcPa", NULL},
        {"{bcrypt}$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa",
         "$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa"},
        {"{crypt}$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa",
         "$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa"},
        {"bcrypt$$2b$04$JgMERCCrdaqfT27bh/Y9xeCPVbJkbPhz2DXDSqJGmOMxoHm6TMXIi",
         "$2b$04$JgMERCCrdaqfT27bh/Y9xeCPVbJkbPhz2DXDSqJGmOMxoHm6TMXIi"},
        /* stray bits in the last characters of salt and hash, as some libraries have written them */
        {"$2a$04$RN6DSkbYEQob0vnjnZQxjfzfmLkDlPBqohaY29htpgaWtpUbXgXwb",
         "$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa"},
        {"$pbkdf2$1000$UCqFMAYgREjp/X/POaeUkg$TluQUWhDi9PsLPXKQCABxEonfYE",
         "$pbkdf2-sha1$i=1000$UCqFMAYgREjp/X/POaeUkg$TluQUWhDi9PsLPXKQCABxEonfYE"},
        {"$pbkdf2-sha256$1000$ofTeW.t9790bY6yVEkJI6Q$J9GCKT5dOdeQiEoUm4lDqZJYVqcU5n.UceTW5l.YgNg",
         "$pbkdf2-sha256$i=1000$ofTeW+t9790bY6yVEkJI6Q$J9GCKT5dOdeQiEoUm4lDqZJYVqcU5n+UceTW5l+YgNg"},
        {"$pbkdf2-sha256$i=1000,l=32$ofTeW+t9790bY6yVEkJI6Q$J9GCKT5dOdeQiEoUm4lDqZJYVqcU5n+UceTW5l+YgNg",
         "$pbkdf2-sha256$i=1000$ofTeW+t9790bY6yVEkJI6Q$J9GCKT5dOdeQiEoUm4lDqZJYVqcU5n+UceTW5l+YgNg"},
        {"$pbkdf2-sha512$1000$zDmnNMaYs/Ze6x3j3JsTYg$"
         "IirDP9IDS5MqGFTq9.QqGN3JvAUD4N7qm58K06F/kkKYGx9QcCINZt6vGTll52QMP00eE.LsBhilsPyK0CB9rA",
         "$pbkdf2-sha512$i=1000$zDmnNMaYs/Ze6x3j3JsTYg$"
         "IirDP9IDS5MqGFTq9+QqGN3JvAUD4N7qm58K06F/kkKYGx9QcCINZt6vGTll52QMP00eE+LsBhilsPyK0CB9rA"},
        {"pbkdf2_sha256$1000$saltsaltsalt12$dmDCTKfV48AcdVZZCa9b7C6aNklGlQxoDDRUCHkPlMQ=",
         "$pbkdf2-sha256$i=1000$c2FsdHNhbHRzYWx0MTI$dmDCTKfV48AcdVZZCa9b7C6aNklGlQxoDDRUCHkPlMQ"},
        {"pbkdf2_sha1$1000$saltsaltsalt12$FjtjC7spydTccZBy1BSBRWKbVWE=",
         "$pbkdf2-sha1$i=1000$c2FsdHNhbHRzYWx0MTI$FjtjC7spydTccZBy1BSBRWKbVWE"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        char *phc = NULL, *again = NULL;
        const char *why = "";
        if (password_import(ctx, rows[i].text, MEMORY_MAX, &phc, &why) != OP_OK)
            fail_msg("%s: %s", rows[i].text, why);
        assert_string_equal(phc, rows[i].stored == NULL ? rows[i].text : rows[i].stored);
        assert_int_equal(password_verify(PASSWORD, phc, CHEAP), OP_OK);
        assert_int_equal(password_verify("wrong", phc, CHEAP), OP_MISMATCH);
        assert_int_equal(password_import(ctx, phc, MEMORY_MAX, &again, &why), OP_OK); /* what is stored is a form of it */
        assert_string_equal(again, phc);
        talloc_free(ctx);
    }
}

#define SALT "c29tZXNhbHRzb21lc2FsdA"
#define HASH "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
#define BCRYPT "abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvabcdefghi"

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum op_err err;
        const char *why; /* a part of it */
    } rows[] = {
        {"", OP_INVALID, "no hash"},
        {"secret", OP_INVALID, "no scheme that is known"},
        {"$2b$31$" BCRYPT, OP_TOO_LARGE, "bcrypt of 31"},
        {"$2b$15$" BCRYPT, OP_TOO_LARGE, "bcrypt of 15"},
        {"$2b$14$" BCRYPT, OP_OK, NULL},
        {"$2b$03$" BCRYPT, OP_INVALID, "not a bcrypt"},
        {"$2b$10$" BCRYPT "$", OP_INVALID, "not a bcrypt"},
        {"$2x$10$" BCRYPT, OP_INVALID, "$2x$"},
        {"bcrypt_sha256$$2b$10$" BCRYPT, OP_INVALID, "bcrypt_sha256"},
        {"$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" HASH, OP_OK, NULL},
        {"$argon2id$v=19$m=65537,t=3,p=4$" SALT "$" HASH, OP_TOO_LARGE, "imported_password_memory"},
        {"$argon2id$v=19$m=65536,t=16,p=4$" SALT "$" HASH, OP_OK, NULL},
        {"$argon2id$v=19$m=65536,t=17,p=4$" SALT "$" HASH, OP_TOO_LARGE, "17 passes over 65536 KiB"},
        {"$argon2id$v=19$m=64,t=0,p=1$" SALT "$" HASH, OP_INVALID, "a cost"},
        {"$argon2id$v=19$m=64,t=1,p=0$" SALT "$" HASH, OP_INVALID, "a cost"},
        {"$argon2id$v=19$m=63,t=1,p=8$" SALT "$" HASH, OP_INVALID, "a cost"},
        {"$argon2id$v=16$m=64,t=1,p=1$" SALT "$" HASH, OP_INVALID, "version 19"},
        {"$argon2id$m=64,t=1,p=1$" SALT "$" HASH, OP_INVALID, "version 19"},
        {"$pbkdf2-sha256$2000000$" SALT "$" HASH, OP_OK, NULL},
        {"$pbkdf2-sha256$2000001$" SALT "$" HASH, OP_TOO_LARGE, "PBKDF2 of 2000001"},
        {"$pbkdf2-sha256$9999999999$" SALT "$" HASH, OP_INVALID, "not a PBKDF2"},
        {"$pbkdf2-sha256$0$" SALT "$" HASH, OP_INVALID, "not a PBKDF2"},
        {"$pbkdf2-sha256$-1$" SALT "$" HASH, OP_INVALID, "not a PBKDF2"},
        {"$pbkdf2-sha256$1000$" SALT "$c2hvcnRzaG9ydA", OP_INVALID, "too short"},
        {"$pbkdf2-sha256$1000$" SALT "$" HASH "==", OP_INVALID, "not a PBKDF2"},
        {"$pbkdf2-sha256$1000$" SALT, OP_INVALID, "not a PBKDF2"},
        {"$pbkdf2-sha384$1000$" SALT "$" HASH, OP_INVALID, "not a PBKDF2"},
        {"pbkdf2_sha256$1000$salt$" HASH "=", OP_INVALID, "Django"},
        {"pbkdf2_sha256$1000$saltsalt$" HASH, OP_INVALID, "Django"},
        {"$6$saltsalt$" HASH, OP_INVALID, "SHA-512-crypt"},
        {"$scrypt$ln=16,r=8,p=1$" SALT "$" HASH, OP_INVALID, "scrypt"},
        {"{SSHA}" HASH, OP_INVALID, "salted SHA"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        char *phc = NULL;
        const char *why = "";
        enum op_err err = password_import(ctx, rows[i].text, MEMORY_MAX, &phc, &why);
        if (err != rows[i].err || (rows[i].why != NULL && strstr(why, rows[i].why) == NULL))
            fail_msg("%s: %s, %s", rows[i].text, op_err_name(err), why);
        assert_true((phc == NULL) == (err != OP_OK));
        assert_null(strstr(why, SALT)); /* nothing of a hash is ever said */
        talloc_free(ctx);
    }
}

static void a_text_that_is_too_long(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *text = mem_array(ctx, char, 1026), *phc = NULL;
    const char *why = "";
    memset(text, '$', 1025);
    assert_int_equal(password_import(ctx, text, MEMORY_MAX, &phc, &why), OP_INVALID);
    assert_non_null(strstr(why, "1024"));
    talloc_free(ctx);
}

#define K_SALT "AAECAwQFBgcICQoLDA0ODw=="
#define K_SHA1 "yr+bZKkEnTtGf3f18VjXM5CIxT9gt2kfzsoPOBHUS/RLDCZ42k0onOKxREnD3cAEEtG4G7TZX43IWO1b/MW15g=="
#define K_SHA256 "AhaeZ02AwPxykuhhDI8XvhQN8GKvmqM+qF6qvs/98I3oPrOafEIqFGOq0+8aVYIT/+xVcPChXj+A8gpxtbBrFQ=="
#define K_ARGON2 "128dXHbpND/ejgFQ9JJYHDD7w0meEN4m07Qzyeoko2E="
#define K_ARGON2_SALT "c29tZXNhbHRzb21lc2FsdA=="
#define CREDENTIAL(data, secret) "{\"type\":\"password\",\"credentialData\":\"{" data "}\",\"secretData\":\"{" secret "}\"}"
#define SECRET(value, salt) "\\\"value\\\":\\\"" value "\\\",\\\"salt\\\":\\\"" salt "\\\""
#define DATA(algorithm, iterations) "\\\"algorithm\\\":\\\"" algorithm "\\\",\\\"hashIterations\\\":" iterations
#define ARGON2_DATA(version, memory)                                                                                  \
    DATA("argon2", "2") ",\\\"additionalParameters\\\":{\\\"version\\\":[\\\"" version "\\\"],\\\"type\\\":[\\\"id\\\"]," \
    "\\\"hashLength\\\":[\\\"32\\\"],\\\"memory\\\":[\\\"" memory "\\\"],\\\"parallelism\\\":[\\\"1\\\"]}"

static void credentials_of_keycloak(void **state)
{
    (void)state;
    static const struct {
        const char *credential;
        enum op_err err;
        const char *says; /* the stored form, or a part of why not */
    } rows[] = {
        {CREDENTIAL(DATA("pbkdf2", "1000"), SECRET(K_SHA1, K_SALT)), OP_OK,
         "$pbkdf2-sha1$i=1000$AAECAwQFBgcICQoLDA0ODw$yr+bZKkEnTtGf3f18VjXM5CIxT8"},
        {CREDENTIAL(DATA("pbkdf2-sha256", "1000"), SECRET(K_SHA256, K_SALT)), OP_OK,
         "$pbkdf2-sha256$i=1000$AAECAwQFBgcICQoLDA0ODw$AhaeZ02AwPxykuhhDI8XvhQN8GKvmqM+qF6qvs/98I0"},
        {CREDENTIAL(ARGON2_DATA("1.3", "256"), SECRET(K_ARGON2, K_ARGON2_SALT)), OP_OK,
         "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$128dXHbpND/ejgFQ9JJYHDD7w0meEN4m07Qzyeoko2E"},
        {"{\"type\":\"password\",\"algorithm\":\"pbkdf2-sha256\",\"hashIterations\":1000,\"salt\":\"" K_SALT
         "\",\"hashedSaltedValue\":\"" K_SHA256 "\"}", OP_OK,
         "$pbkdf2-sha256$i=1000$AAECAwQFBgcICQoLDA0ODw$AhaeZ02AwPxykuhhDI8XvhQN8GKvmqM+qF6qvs/98I0"},
        {CREDENTIAL(DATA("bcrypt", "10"), SECRET("$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa", "")),
         OP_OK, "$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa"},
        {CREDENTIAL(ARGON2_DATA("1.0", "256"), SECRET(K_ARGON2, K_ARGON2_SALT)), OP_INVALID, "algorithm"},
        {CREDENTIAL(ARGON2_DATA("1.3", "65537"), SECRET(K_ARGON2, K_ARGON2_SALT)), OP_TOO_LARGE, "65537 KiB"},
        {CREDENTIAL(ARGON2_DATA("1.3", "-1"), SECRET(K_ARGON2, K_ARGON2_SALT)), OP_INVALID, "algorithm"},
        {CREDENTIAL(DATA("scrypt", "1000"), SECRET(K_SHA256, K_SALT)), OP_INVALID, "algorithm"},
        {CREDENTIAL(DATA("pbkdf2-sha256", "0"), SECRET(K_SHA256, K_SALT)), OP_INVALID, "hashIterations"},
        {CREDENTIAL(DATA("pbkdf2-sha256", "2000001"), SECRET(K_SHA256, K_SALT)), OP_TOO_LARGE, "PBKDF2 of 2000001"},
        {CREDENTIAL(DATA("pbkdf2-sha256", "\\\"1000\\\""), SECRET(K_SHA256, K_SALT)), OP_INVALID, "hashIterations"},
        {CREDENTIAL(DATA("pbkdf2-sha256", "1000"), SECRET("***", K_SALT)), OP_INVALID, "base64"},
        {CREDENTIAL(DATA("pbkdf2-sha256", "1000"), SECRET(K_SHA256, "")), OP_INVALID, "base64"},
        {CREDENTIAL(DATA("pbkdf2-sha256", "1000"), "\\\"value\\\":1"), OP_INVALID, "base64"},
        {"{\"type\":\"password\",\"credentialData\":\"{\",\"secretData\":\"{}\"}", OP_INVALID, "no algorithm"},
        {"{\"type\":\"password\",\"credentialData\":7,\"secretData\":[]}", OP_INVALID, "no algorithm"},
        {"{\"type\":\"password\",\"value\":\"plain\"}", OP_INVALID, "no algorithm"},
        {"[]", OP_INVALID, "no algorithm"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        char *phc = NULL;
        const char *why = "";
        json_t *credential;
        assert_int_equal(json_read(ctx, bytes_of(rows[i].credential), &credential), OP_OK);
        enum op_err err = password_import_keycloak(ctx, credential, MEMORY_MAX, &phc, &why);
        if (err != rows[i].err || (err != OP_OK && strstr(why, rows[i].says) == NULL))
            fail_msg("%s: %s, %s", rows[i].credential, op_err_name(err), why);
        if (err == OP_OK) {
            assert_string_equal(phc, rows[i].says);
            assert_int_equal(password_verify(PASSWORD, phc, CHEAP), OP_OK);
        }
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_others_are_read_and_verify),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(a_text_that_is_too_long),
        cmocka_unit_test(credentials_of_keycloak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
