#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "data/digest.h"
#include "data/jose.h"
#include "vectors_jose.h"

static const enum jose_alg ALL[] = {JOSE_RS256, JOSE_PS256, JOSE_ES256, JOSE_ES384, JOSE_EDDSA, JOSE_HS256};
enum { ALL_COUNT = sizeof ALL / sizeof *ALL };

static struct jose_key *key_of(void *ctx, const char *jwk, enum jose_alg alg)
{
    struct jose_key *key;
    assert_int_equal(jose_key_from_jwk(ctx, bytes_of(jwk), alg, &key), OP_OK);
    return key;
}

static const struct {
    const char *jwk, *token;
    enum jose_alg alg;
    const char *issuer;
} VECTORS[] = {
    {HS256_JWK, HS256_TOKEN, JOSE_HS256, "joe"},
    {RS256_JWK, RS256_TOKEN, JOSE_RS256, "joe"},
    {ES256_JWK, ES256_TOKEN, JOSE_ES256, "joe"},
    {PS256_JWK, PS256_TOKEN, JOSE_PS256, "another implementation"},
    {ES384_JWK, ES384_TOKEN, JOSE_ES384, "another implementation"},
    {ED_JWK, ED_TOKEN, JOSE_EDDSA, "another implementation"},
};
enum { VECTOR_COUNT = sizeof VECTORS / sizeof *VECTORS };

static void tokens_of_others_verify(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        struct jose_header header;
        json_t *claims;
        const char *issuer;
        struct jose_key *key = key_of(ctx, VECTORS[i].jwk, VECTORS[i].alg);
        assert_int_equal(jose_peek(ctx, VECTORS[i].token, &header), OP_OK);
        assert_int_equal(header.alg, VECTORS[i].alg);
        assert_int_equal(jose_verify(ctx, VECTORS[i].token, key, &claims), OP_OK);
        assert_int_equal(json_get_string(claims, "iss", &issuer), OP_OK);
        assert_string_equal(issuer, VECTORS[i].issuer);
    }
    talloc_free(ctx);
}

/* RFC 8037 A.5 signs a text: the signature is right, but it is no set of claims. */
static void claims_are_an_object(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    json_t *claims = NULL;
    struct jose_key *key = key_of(ctx, ED_JWK, JOSE_EDDSA);
    assert_int_equal(jose_verify(ctx, ED_RFC8037_TOKEN, key, &claims), OP_INVALID);
    assert_int_equal(jose_verify(ctx, ED_RFC8037_TOKEN, key_of(ctx, ES256_JWK, JOSE_ES256), &claims), OP_MISMATCH);
    assert_null(claims);
    talloc_free(ctx);
}

/* Replaces the byte at `at` of the decoded segment (0 header, 1 payload, 2 signature). */
static char *with_flipped_bit(void *ctx, const char *token, int segment, size_t at, unsigned bit)
{
    const char *start = token;
    for (int i = 0; i < segment; i++)
        start = strchr(start, '.') + 1;
    size_t len = strcspn(start, ".");
    struct bytes decoded;
    assert_int_equal(codec_from_base64url(ctx, bytes_from(start, len), &decoded), OP_OK);
    if (at >= decoded.len)
        return NULL;
    uint8_t *changed = (uint8_t *)decoded.data;
    changed[at] = (uint8_t)(changed[at] ^ (1U << bit));
    return mem_printf(ctx, "%.*s%s%s", (int)(start - token), token, codec_base64url(ctx, decoded), start + len);
}

static void a_changed_bit_anywhere_is_refused(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        struct jose_key *key = key_of(ctx, VECTORS[i].jwk, VECTORS[i].alg);
        for (int segment = 0; segment < 3; segment++) {
            char *token;
            json_t *claims;
            for (size_t at = 0; (token = with_flipped_bit(ctx, VECTORS[i].token, segment, at, at % 8)) != NULL; at++) {
                enum op_err err = jose_verify(ctx, token, key, &claims);
                assert_true(err == OP_MISMATCH || (segment == 0 && err == OP_INVALID));
            }
        }
    }
    talloc_free(ctx);
}

static void a_signature_of_another_length_or_of_zeros_is_refused(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static const uint8_t zeros[512];
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        struct jose_key *key = key_of(ctx, VECTORS[i].jwk, VECTORS[i].alg);
        const char *signature = strrchr(VECTORS[i].token, '.') + 1;
        int head = (int)(signature - VECTORS[i].token);
        struct bytes decoded;
        json_t *claims;
        assert_int_equal(codec_from_base64url(ctx, bytes_of(signature), &decoded), OP_OK);
        size_t lengths[] = {0, 1, decoded.len / 2, decoded.len - 1, decoded.len + 1, decoded.len * 2};
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            uint8_t *longer = mem_array(ctx, uint8_t, decoded.len * 2);
            memcpy(longer, decoded.data, decoded.len);
            char *cut = mem_printf(ctx, "%.*s%s", head, VECTORS[i].token,
                                   codec_base64url(ctx, bytes_from(longer, lengths[k])));
            assert_int_equal(jose_verify(ctx, cut, key, &claims), OP_MISMATCH);
        }
        char *blank = mem_printf(ctx, "%.*s%s", head, VECTORS[i].token,
                                 codec_base64url(ctx, bytes_from(zeros, decoded.len)));
        assert_int_equal(jose_verify(ctx, blank, key, &claims), OP_MISMATCH);
    }
    talloc_free(ctx);
}

/* A token with this header, well signed with the key of HS256_JWK. */
static char *signed_token(void *ctx, const char *header, const char *payload)
{
    static const char k[] = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    struct bytes secret;
    uint8_t mac[DIGEST_SHA256_LEN];
    assert_int_equal(codec_from_base64url(ctx, bytes_of(k), &secret), OP_OK);
    char *head = codec_base64url(ctx, bytes_of(header));
    char *input = mem_printf(ctx, "%s.%s", head, codec_base64url(ctx, bytes_of(payload)));
    digest_hmac_sha256(secret, bytes_of(input), mac);
    return mem_printf(ctx, "%s.%s", input, codec_base64url(ctx, bytes_from(mac, sizeof mac)));
}

static void headers_are_judged_before_the_signature(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum op_err peek, verify;
    } rows[] = {
        {"{\"alg\":\"HS256\"}", OP_OK, OP_OK},
        {" { \"alg\" : \"HS256\" , \"jku\":\"https://evil.example\", \"x\":[1] } ", OP_OK, OP_OK},
        {"{\"alg\":\"HS256\",\"kid\":null,\"typ\":null}", OP_OK, OP_OK},
        {"{\"alg\":\"none\"}", OP_OK, OP_MISMATCH},
        {"{\"alg\":\"None\"}", OP_OK, OP_MISMATCH},
        {"{\"alg\":\"hs256\"}", OP_OK, OP_MISMATCH},
        {"{\"alg\":\"HS256 \"}", OP_OK, OP_MISMATCH},
        {"{\"alg\":\"HS384\"}", OP_OK, OP_MISMATCH},
        {"{\"alg\":\"RS256\"}", OP_OK, OP_MISMATCH},
        {"{\"alg\":\"\"}", OP_OK, OP_MISMATCH},
        {"{\"alg\":1}", OP_INVALID, OP_INVALID},
        {"{\"alg\":null}", OP_INVALID, OP_INVALID},
        {"{\"alg\":[\"HS256\"]}", OP_INVALID, OP_INVALID},
        {"{}", OP_INVALID, OP_INVALID},
        {"[]", OP_INVALID, OP_INVALID},
        {"\"HS256\"", OP_INVALID, OP_INVALID},
        {"", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\"", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\"}}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"alg\":\"none\"}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"a\\u006cg\":\"none\"}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"kid\":\"a\",\"kid\":\"b\"}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"crit\":[]}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"crit\":null}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"b64\":true}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"kid\":1}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"typ\":{}}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}", OP_INVALID, OP_INVALID},
        {"{\"alg\":\"HS256\",\"kid\":\"\xff\"}", OP_INVALID, OP_INVALID},
    };
    void *ctx = mem_root("test");
    struct jose_key *key = key_of(ctx, HS256_JWK, JOSE_HS256);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct jose_header header;
        json_t *claims = NULL;
        char *token = signed_token(ctx, rows[i].header, "{\"a\":1}");
        assert_int_equal(jose_peek(ctx, token, &header), rows[i].peek);
        assert_int_equal(jose_verify(ctx, token, key, &claims), rows[i].verify);
        assert_true((claims != NULL) == (rows[i].verify == OP_OK));
    }
    talloc_free(ctx);
}

static void well_signed_payloads_must_be_claims(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "", "[]", "1", "null", "\"x\"", "{", "{\"a\":1,\"a\":2}", "{\"a\":1} x", "{\"a\":\"\xff\"}",
    };
    void *ctx = mem_root("test");
    struct jose_key *key = key_of(ctx, HS256_JWK, JOSE_HS256);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *claims;
        assert_int_equal(jose_verify(ctx, signed_token(ctx, "{\"alg\":\"HS256\"}", rows[i]), key, &claims), OP_INVALID);
    }
    talloc_free(ctx);
}

static void what_is_no_compact_jws_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        ".",
        "..",
        "a.b",
        "eyJhbGciOiJFUzI1NiJ9",
        "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD,
        ES256_TOKEN ".",
        ES256_TOKEN ".x",
        ES256_TOKEN " ",
        ES256_TOKEN "\n",
        ES256_TOKEN "=",
        ES256_TOKEN "==",
        " " ES256_TOKEN,
        "." ES256_TOKEN,
        "eyJhbGciOiJFUzI1NiJ9 ." RFC7515_PAYLOAD ".DtEh",
        "eyJhbGciOiJFUzI1NiJ9=." RFC7515_PAYLOAD ".DtEh",
        "eyJhbGci\nOiJFUzI1NiJ9." RFC7515_PAYLOAD ".DtEh",
        "eyJhbGciOiJFUzI1NiJ9. " RFC7515_PAYLOAD ".DtEh",
        "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD "=.DtEh",
        "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD ".Dt Eh",
        "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD ".Dt+h",
        "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD ".Dt/h",
        "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD ".DtEhU",
        "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD ".DtEhUx", /* stray bits */
        "{\"alg\":\"ES256\"}." RFC7515_PAYLOAD ".DtEh",
    };
    void *ctx = mem_root("test");
    struct jose_key *key = key_of(ctx, ES256_JWK, JOSE_ES256);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct jose_header header;
        json_t *claims;
        assert_int_equal(jose_peek(ctx, rows[i], &header), OP_INVALID);
        assert_int_equal(jose_verify(ctx, rows[i], key, &claims), OP_INVALID);
    }
    talloc_free(ctx);
}

static void tokens_are_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct jose_header header;
    json_t *claims;
    struct jose_key *key = key_of(ctx, HS256_JWK, JOSE_HS256);
    static char filler[12301];
    memset(filler, 'x', 12200);
    char *token = signed_token(ctx, "{\"alg\":\"HS256\"}", mem_printf(ctx, "{\"a\":\"%s\"}", filler));
    assert_in_range(strlen(token), 16000, 16384);
    assert_int_equal(jose_verify(ctx, token, key, &claims), OP_OK);
    memset(filler, 'x', 12300);
    token = signed_token(ctx, "{\"alg\":\"HS256\"}", mem_printf(ctx, "{\"a\":\"%s\"}", filler));
    assert_in_range(strlen(token), 16385, 17000);
    assert_int_equal(jose_peek(ctx, token, &header), OP_TOO_LARGE);
    assert_int_equal(jose_verify(ctx, token, key, &claims), OP_TOO_LARGE);
    talloc_free(ctx);
}

/* A public key's text as an HMAC secret; one key under a neighbour's algorithm. */
static void algorithms_are_not_confused(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    uint8_t mac[DIGEST_SHA256_LEN];
    json_t *claims;
    struct bytes modulus, secrets[2] = {bytes_of(RS256_JWK)};
    assert_int_equal(codec_from_base64url(ctx, bytes_of(RS256_N), &modulus), OP_OK);
    secrets[1] = modulus;
    char *input = mem_printf(ctx, "%s.%s", codec_base64url(ctx, bytes_of("{\"alg\":\"HS256\"}")), RFC7515_PAYLOAD);
    for (size_t i = 0; i < 2; i++) {
        digest_hmac_sha256(secrets[i], bytes_of(input), mac);
        char *token = mem_printf(ctx, "%s.%s", input, codec_base64url(ctx, bytes_from(mac, sizeof mac)));
        assert_int_equal(jose_verify(ctx, token, key_of(ctx, RS256_JWK, JOSE_RS256), &claims), OP_MISMATCH);
    }
    for (size_t k = 0; k < VECTOR_COUNT; k++)
        for (size_t t = 0; t < VECTOR_COUNT; t++)
            assert_int_equal(jose_verify(ctx, VECTORS[t].token, key_of(ctx, VECTORS[k].jwk, VECTORS[k].alg), &claims),
                             t == k ? OP_OK : OP_MISMATCH);
    struct jose_key *rs_key_as_ps = key_of(ctx, RS256_JWK, JOSE_PS256);
    assert_int_equal(jose_verify(ctx, RS256_TOKEN, rs_key_as_ps, &claims), OP_MISMATCH);
    char *unsecured = mem_printf(ctx, "%s.%s.", codec_base64url(ctx, bytes_of("{\"alg\":\"none\"}")), RFC7515_PAYLOAD);
    for (size_t k = 0; k < VECTOR_COUNT; k++)
        assert_int_equal(jose_verify(ctx, unsecured, key_of(ctx, VECTORS[k].jwk, VECTORS[k].alg), &claims),
                         OP_MISMATCH);
    talloc_free(ctx);
}

#define EC(more) "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_Y "\"" more "}"
#define RSA_N(n, more) "{\"kty\":\"RSA\",\"n\":\"" n "\",\"e\":\"AQAB\"" more "}"
#define RSA_E(e) "{\"kty\":\"RSA\",\"n\":\"" RS256_N "\",\"e\":\"" e "\"}"

static void keys_are_taken_for_what_they_are(void **state)
{
    (void)state;
    static const struct {
        const char *jwk;
        enum jose_alg alg;
        enum op_err err;
    } rows[] = {
        {EC(""), JOSE_ES256, OP_OK},
        {EC(",\"use\":\"sig\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"],\"kid\":\"k\",\"x5c\":[\"?\"]"),
         JOSE_ES256, OP_OK},
        {EC(",\"d\":\"" ES256_D "\""), JOSE_ES256, OP_OK},
        {EC(",\"d\":\"" ES256_D "\",\"key_ops\":[\"sign\",\"verify\"]"), JOSE_ES256, OP_OK},
        {EC(",\"d\":\"" ES256_D "\",\"key_ops\":[\"verify\"]"), JOSE_ES256, OP_INVALID},
        {EC(",\"d\":\"" ED_D "\""), JOSE_ES256, OP_INVALID}, /* another key's d */
        {EC(",\"d\":\"AAAA\""), JOSE_ES256, OP_INVALID},
        {EC(",\"d\":1"), JOSE_ES256, OP_INVALID},
        {EC(",\"use\":\"enc\""), JOSE_ES256, OP_INVALID},
        {EC(",\"use\":1"), JOSE_ES256, OP_INVALID},
        {EC(",\"alg\":\"ES384\""), JOSE_ES256, OP_INVALID},
        {EC(",\"alg\":\"ECDH-ES\""), JOSE_ES256, OP_INVALID},
        {EC(",\"key_ops\":[\"sign\"]"), JOSE_ES256, OP_INVALID},
        {EC(",\"key_ops\":[]"), JOSE_ES256, OP_INVALID},
        {EC(",\"key_ops\":\"verify\""), JOSE_ES256, OP_INVALID},
        {EC(",\"kid\":7"), JOSE_ES256, OP_INVALID},
        {EC(",\"x\":\"" ES256_X "\""), JOSE_ES256, OP_INVALID}, /* twice */
        {EC(""), JOSE_ES384, OP_INVALID},
        {EC(""), JOSE_RS256, OP_INVALID},
        {EC(""), JOSE_EDDSA, OP_INVALID},
        {EC(""), JOSE_HS256, OP_INVALID},
        {EC(""), JOSE_ALG_NONE, OP_INVALID},
        {EC(""), (enum jose_alg)99, OP_INVALID},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_Y "\",\"y\":\"" ES256_X "\"}", JOSE_ES256, OP_INVALID},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\"}", JOSE_ES256, OP_INVALID},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "=\",\"y\":\"" ES256_Y "\"}", JOSE_ES256, OP_INVALID},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\" " ES256_X "\",\"y\":\"" ES256_Y "\"}", JOSE_ES256, OP_INVALID},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_Y "\"}", JOSE_ES256, OP_INVALID},
        {"{\"kty\":\"EC\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_Y "\"}", JOSE_ES256, OP_INVALID},
        {"{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_Y "\"}", JOSE_ES256, OP_INVALID},
        {RS256_JWK, JOSE_RS256, OP_OK},
        {RS256_JWK, JOSE_PS256, OP_OK},
        {RSA_N(RSA_2040_N, ""), JOSE_RS256, OP_INVALID},
        {RSA_N("AA" RSA_2040_N, ""), JOSE_RS256, OP_INVALID},
        {RSA_N("fw" RSA_2040_N, ""), JOSE_RS256, OP_INVALID},
        {RSA_1024_JWK, JOSE_RS256, OP_INVALID},
        {RSA_N("", ""), JOSE_RS256, OP_INVALID},
        {RSA_N(RS256_N, ",\"d\":\"AQAB\""), JOSE_RS256, OP_INVALID}, /* private without its factors */
        {RSA_N(RS256_N RS256_N RS256_N RS256_N RS256_N, ""), JOSE_RS256, OP_INVALID},
        {RSA_E("AQ"), JOSE_RS256, OP_INVALID},
        {RSA_E("Ag"), JOSE_RS256, OP_INVALID},
        {RSA_E("AQAC"), JOSE_RS256, OP_INVALID},
        {RSA_E("AAEAAQ"), JOSE_RS256, OP_INVALID},
        {RSA_E("Aw"), JOSE_RS256, OP_OK},
        {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", JOSE_RS256, OP_INVALID},
        {ED_JWK, JOSE_EDDSA, OP_OK},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\",\"d\":\"" ED_D "\"}", JOSE_EDDSA, OP_OK},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\",\"d\":\"" ES256_D "\"}", JOSE_EDDSA, OP_INVALID},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED_X "\"}", JOSE_EDDSA, OP_INVALID},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", JOSE_EDDSA, OP_INVALID},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", JOSE_EDDSA, OP_INVALID},
        {HS256_JWK, JOSE_HS256, OP_OK},
        {HS256_JWK, JOSE_RS256, OP_INVALID},
        {"{\"kty\":\"oct\",\"k\":\"" ES256_X "\"}", JOSE_HS256, OP_OK},
        {"{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}", JOSE_HS256, OP_INVALID},
        {"{\"kty\":\"oct\"}", JOSE_HS256, OP_INVALID},
        {"[]", JOSE_ES256, OP_INVALID},
        {"", JOSE_ES256, OP_INVALID},
        {"{}", JOSE_ES256, OP_INVALID},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct jose_key *key = NULL;
        enum op_err err = jose_key_from_jwk(ctx, bytes_of(rows[i].jwk), rows[i].alg, &key);
        if (err != rows[i].err)
            print_error("row %zu: %s\n", i, rows[i].jwk);
        assert_int_equal(err, rows[i].err);
        assert_true((key != NULL) == (err == OP_OK));
    }
    talloc_free(ctx);
}

static void thumbprints_are_those_of_the_rfcs(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct jose_key *key = key_of(ctx, RFC7638_JWK, JOSE_RS256);
    assert_string_equal(jose_key_thumbprint(ctx, key), RFC7638_THUMBPRINT);
    assert_string_equal(jose_key_kid(key), "2011-04-29");
    assert_string_equal(jose_key_thumbprint(ctx, key_of(ctx, ED_JWK, JOSE_EDDSA)), ED_THUMBPRINT);
    assert_null(jose_key_kid(key_of(ctx, ED_JWK, JOSE_EDDSA)));
    talloc_free(ctx);
}

static void names_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_COUNT; i++)
        assert_int_equal(jose_alg_from_name(jose_alg_name(ALL[i])), ALL[i]);
    assert_string_equal(jose_alg_name(JOSE_EDDSA), "EdDSA");
    assert_null(jose_alg_name(JOSE_ALG_NONE));
    assert_int_equal(jose_alg_from_name("none"), JOSE_ALG_NONE);
    assert_int_equal(jose_alg_from_name("es256"), JOSE_ALG_NONE);
    assert_int_equal(jose_alg_from_name("HS512"), JOSE_ALG_NONE);
    assert_int_equal(jose_alg_from_name(NULL), JOSE_ALG_NONE);
    assert_int_equal(jose_alg_hash_bits(JOSE_ES256), 256);
    assert_int_equal(jose_alg_hash_bits(JOSE_ES384), 384);
    assert_int_equal(jose_alg_hash_bits(JOSE_EDDSA), 512);
}

static json_t *some_claims(void *ctx)
{
    json_t *claims = json_make_object(ctx);
    json_set_string(claims, "sub", "s\xc3\xa9");
    json_set_int(claims, "exp", 2000000000);
    return claims;
}

/* The key as others see it, as we keep it, and as it was made: all three verify, two of them sign. */
static void check_made_key(void *ctx, enum jose_alg alg, struct jose_key *key)
{
    json_t *claims = some_claims(ctx), *read = NULL;
    char *token = NULL;
    struct jose_header header;
    struct jose_key *again = key_of(ctx, jose_key_private_jwk(ctx, key), alg);
    assert_string_equal(jose_key_kid(key), jose_key_thumbprint(ctx, key));
    assert_string_equal(jose_key_kid(again), jose_key_kid(key));
    assert_int_equal(jose_sign(ctx, again, "at+jwt", claims, &token), OP_OK);
    assert_int_equal(jose_peek(ctx, token, &header), OP_OK);
    assert_int_equal(header.alg, alg);
    assert_string_equal(header.kid, jose_key_kid(key));
    assert_string_equal(header.typ, "at+jwt");
    assert_int_equal(jose_verify(ctx, token, key, &read), OP_OK);
    assert_true(json_equal(read, claims));
    assert_int_equal(jose_sign(ctx, key, NULL, claims, &token), OP_OK);
    assert_int_equal(jose_peek(ctx, token, &header), OP_OK);
    assert_null(header.typ);
    assert_int_equal(jose_verify(ctx, token, again, &read), OP_OK);
    if (alg == JOSE_HS256)
        return;
    char *text = jose_key_public_jwk(ctx, again), *expected = mem_printf(ctx, "\"alg\":\"%s\"", jose_alg_name(alg));
    assert_null(strstr(text, "\"d\""));
    assert_null(strstr(text, "\"p\""));
    assert_non_null(strstr(text, "\"use\":\"sig\""));
    assert_non_null(strstr(text, expected));
    struct jose_key *public = key_of(ctx, text, alg);
    assert_string_equal(jose_key_kid(public), jose_key_kid(key));
    assert_int_equal(jose_key_alg(public), alg);
    assert_int_equal(jose_verify(ctx, token, public, &read), OP_OK);
    token = NULL;
    assert_int_equal(jose_sign(ctx, public, NULL, claims, &token), OP_INVALID);
    assert_null(token);
}

static void made_keys_sign_and_verify(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    json_t *claims;
    for (size_t i = 0; i < ALL_COUNT; i++) {
        struct jose_key *key, *other;
        char *token;
        assert_int_equal(jose_key_generate(ctx, ALL[i], &key), OP_OK);
        check_made_key(ctx, ALL[i], key);
        if (ALL[i] == JOSE_RS256 || ALL[i] == JOSE_PS256) /* two more RSA keys would take seconds */
            continue;
        assert_int_equal(jose_key_generate(ctx, ALL[i], &other), OP_OK);
        assert_string_not_equal(jose_key_kid(other), jose_key_kid(key));
        assert_int_equal(jose_sign(ctx, other, NULL, some_claims(ctx), &token), OP_OK);
        assert_int_equal(jose_verify(ctx, token, key, &claims), OP_MISMATCH);
    }
    struct jose_key *none = NULL;
    assert_int_equal(jose_key_generate(ctx, JOSE_ALG_NONE, &none), OP_INVALID);
    talloc_free(ctx);
}

static void media_types_lose_their_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *typ, *read;
    } rows[] = {
        {"at+jwt", "at+jwt"},
        {"application/at+jwt", "at+jwt"},
        {"APPLICATION/at+jwt", "at+jwt"},
        {"application/a/b", "application/a/b"},
        {"text/at+jwt", "text/at+jwt"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct jose_header header;
        char *head = mem_printf(ctx, "{\"alg\":\"HS256\",\"kid\":\"k\",\"typ\":\"%s\"}", rows[i].typ);
        assert_int_equal(jose_peek(ctx, signed_token(ctx, head, "{}"), &header), OP_OK);
        assert_string_equal(header.typ, rows[i].read);
        assert_string_equal(header.kid, "k");
    }
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_of_others_verify),
        cmocka_unit_test(claims_are_an_object),
        cmocka_unit_test(a_changed_bit_anywhere_is_refused),
        cmocka_unit_test(a_signature_of_another_length_or_of_zeros_is_refused),
        cmocka_unit_test(headers_are_judged_before_the_signature),
        cmocka_unit_test(well_signed_payloads_must_be_claims),
        cmocka_unit_test(what_is_no_compact_jws_is_refused),
        cmocka_unit_test(tokens_are_bounded),
        cmocka_unit_test(algorithms_are_not_confused),
        cmocka_unit_test(keys_are_taken_for_what_they_are),
        cmocka_unit_test(thumbprints_are_those_of_the_rfcs),
        cmocka_unit_test(names_are_exact),
        cmocka_unit_test(made_keys_sign_and_verify),
        cmocka_unit_test(media_types_lose_their_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
