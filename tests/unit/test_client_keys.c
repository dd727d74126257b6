#include "protocol/client_keys.h"

#include "base/buf.h"
#include "rows.h"
#include "vectors_jose.h"

#define EC(kid, more) "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_Y "\",\"kid\":\"" kid "\"" more "}"
#define EC_BARE "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_Y "\"}"
#define RSA_A "{\"kty\":\"RSA\",\"n\":\"" RS256_N "\",\"e\":\"AQAB\",\"kid\":\"a\"}"
#define OCT "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i\",\"kid\":\"a\"}"
#define SET(keys) "{\"keys\":[" keys "]}"

static void keys_that_the_header_allows(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *jwks;
        enum jose_alg alg;
        const char *kid;
        enum op_err err;
        size_t count;
    } rows[] = {
        {"the key of that kid", SET(EC("a", "") "," EC("b", "")), JOSE_ES256, "a", OP_OK, 1},
        {"no key of that kid", SET(EC("a", "") "," EC("b", "")), JOSE_ES256, "c", OP_ABSENT, 0},
        {"RFC 7515 §4.1.4: no kid, every key of the alg", SET(EC("a", "") "," RSA_A "," EC_BARE), JOSE_ES256, NULL, OP_OK, 2},
        {"a kid, and a key without one", SET(EC_BARE), JOSE_ES256, "a", OP_ABSENT, 0},
        {"RFC 7517 §4.5: one kid, keys of different kty", SET(EC("a", "") "," RSA_A), JOSE_RS256, "a", OP_OK, 1},
        {"an RSA key without alg is for PS256 too", SET(RSA_A), JOSE_PS256, "a", OP_OK, 1},
        {"RFC 7517 §4.4: alg of the key is another", SET(EC("a", ",\"alg\":\"ES384\"")), JOSE_ES256, "a", OP_ABSENT, 0},
        {"RFC 7517 §4.2: a key for encryption", SET(EC("a", ",\"use\":\"enc\"")), JOSE_ES256, "a", OP_ABSENT, 0},
        {"RFC 7517 §4.3: a key that may not verify", SET(EC("a", ",\"key_ops\":[\"sign\"]")), JOSE_ES256, "a", OP_ABSENT, 0},
        {"a private key", SET(EC("a", ",\"d\":\"" ES256_D "\"")), JOSE_ES256, "a", OP_ABSENT, 0},
        {"a symmetric key is nobody's public key", SET(OCT), JOSE_HS256, "a", OP_ABSENT, 0},
        {"no algorithm", SET(EC("a", "")), JOSE_ALG_NONE, "a", OP_ABSENT, 0},
        {"RFC 7517 §5: what is not understood is left out",
         SET("{\"kty\":\"XX\"},{},1,null,\"x\",[]," EC("a", "") ",{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\"}"), JOSE_ES256,
         "a", OP_OK, 1},
        {"no more than are worth trying",
         SET(EC_BARE "," EC_BARE "," EC_BARE "," EC_BARE "," EC_BARE "," EC_BARE "," EC_BARE "," EC_BARE "," EC_BARE),
         JOSE_ES256, NULL, OP_OK, CLIENT_KEYS_TRIED_MAX},
        {"an empty set", SET(""), JOSE_ES256, "a", OP_ABSENT, 0},
        {"no JSON", "<html>", JOSE_ES256, "a", OP_INVALID, 0},
        {"no object", "[" EC("a", "") "]", JOSE_ES256, "a", OP_INVALID, 0},
        {"one key, no set", EC("a", ""), JOSE_ES256, "a", OP_INVALID, 0},
        {"keys is no array", "{\"keys\":" EC("a", "") "}", JOSE_ES256, "a", OP_INVALID, 0},
        {"nothing", "", JOSE_ES256, "a", OP_INVALID, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct jose_header header = {.alg = rows[i].alg, .kid = rows[i].kid};
        struct jose_key **keys = NULL;
        size_t count = 0;
        row_equal(rows[i].rule, client_keys_find(ctx, bytes_of(rows[i].jwks), &header, &keys, &count), rows[i].err);
        row_equal(rows[i].rule, (long)count, (long)rows[i].count);
        for (size_t k = 0; k < count; k++)
            row_equal(rows[i].rule, jose_key_alg(keys[k]), rows[i].alg);
        talloc_free(ctx);
    }
}

static void nobody_has_a_key_of_every_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIENT_KEYS_ALG_COUNT; i++) {
        void *ctx = mem_root("test");
        struct jose_header header = {.alg = CLIENT_KEYS_ALGS[i]};
        struct jose_key **keys;
        size_t count;
        assert_int_equal(client_keys_find(ctx, client_keys_of_nobody(), &header, &keys, &count), OP_OK);
        assert_int_equal(count, 1);
        talloc_free(ctx);
    }
    assert_null(client_keys_problem((const char *)client_keys_of_nobody().data, JOSE_ALG_NONE)); /* public ones only */
}

static void keys_that_may_be_registered(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *jwks;
        enum jose_alg alg;
        bool good;
    } rows[] = {
        {"one key", SET(EC("a", "")), JOSE_ALG_NONE, true},
        {"beside one of a kind we do not know", SET("{\"kty\":\"XX\"}," EC("a", "")), JOSE_ALG_NONE, true},
        {"of the registered alg", SET(RSA_A), JOSE_PS256, true},
        {"not of the registered alg", SET(RSA_A), JOSE_ES256, false},
        {"for encryption only", SET(EC("a", ",\"use\":\"enc\"")), JOSE_ALG_NONE, false},
        {"none that we know", SET("{\"kty\":\"XX\"}"), JOSE_ALG_NONE, false},
        {"RFC 7591 §2: a private one", SET(EC("a", "") "," EC("b", ",\"d\":\"" ES256_D "\"")), JOSE_ALG_NONE, false},
        {"a symmetric one", SET(EC("a", "") "," OCT), JOSE_ALG_NONE, false},
        {"an entry without kty", SET(EC("a", "") ",{}"), JOSE_ALG_NONE, false},
        {"an entry that is no object", SET(EC("a", "") ",1"), JOSE_ALG_NONE, false},
        {"empty", SET(""), JOSE_ALG_NONE, false},
        {"no set", "{}", JOSE_ALG_NONE, false},
        {"no JSON", "keys", JOSE_ALG_NONE, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].rule, client_keys_problem(rows[i].jwks, rows[i].alg) == NULL, rows[i].good);
    struct buf many = buf_make(NULL);
    for (int i = 0; i <= CLIENT_KEYS_MAX; i++)
        buf_printf(&many, "%s%s", i == 0 ? "" : ",", EC_BARE);
    char *text = mem_printf(NULL, "{\"keys\":[%s]}", buf_string(&many));
    assert_non_null(client_keys_problem(text, JOSE_ALG_NONE));
    talloc_free(text);
    talloc_free(many.data);
}

static void addresses_that_may_be_registered(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        bool good;
    } rows[] = {
        {"https://client.example/jwks.json", true}, {"https://client.example:8443/a?b=c", true},
        {"https://[2001:db8::1]/", true},           {"HTTPS://client.example", true},
        {"http://client.example/jwks.json", false}, {"ftp://client.example/", false},
        {"file:///etc/passwd", false},              {"https:///jwks.json", false},
        {"https://user@client.example/", false},    {"https://client.example/#keys", false},
        {"https://client.example/\\@evil", false},  {"/jwks.json", false},
        {"https://client.example/a b", false},      {"", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].uri, client_keys_uri_problem(rows[i].uri) == NULL, rows[i].good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_the_header_allows),
        cmocka_unit_test(nobody_has_a_key_of_every_kind),
        cmocka_unit_test(keys_that_may_be_registered),
        cmocka_unit_test(addresses_that_may_be_registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
