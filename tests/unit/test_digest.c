#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/codec.h"
#include "data/digest.h"

static void assert_hex(void *ctx, const uint8_t *data, size_t len, const char *hex)
{
    assert_string_equal(codec_hex(ctx, bytes_from(data, len)), hex);
}

static struct bytes from_hex(void *ctx, const char *hex)
{
    struct bytes out;
    assert_int_equal(codec_from_hex(ctx, bytes_of(hex), &out), OP_OK);
    return out;
}

/* FIPS 180-4, example "abc". */
static void sha2_of_abc(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    uint8_t out[64];
    digest_sha256(bytes_of("abc"), out);
    struct digest_stream *stream = digest_sha256_stream(ctx);
    uint8_t in_parts[DIGEST_SHA256_LEN];
    for (unsigned i = 0; i < 2; i++) { /* it begins anew after its end */
        digest_sha256_add(stream, bytes_of("a"));
        digest_sha256_add(stream, bytes_of(NULL));
        digest_sha256_add(stream, bytes_of("bc"));
        digest_sha256_end(stream, in_parts);
        assert_memory_equal(in_parts, out, sizeof in_parts);
    }
    assert_hex(ctx, out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(bytes_equal(digest_sha256_of(ctx, "abc"), bytes_from(out, 32)));
    assert_int_equal(digest_sha2(256, bytes_of("abc"), out), 32);
    assert_hex(ctx, out, 4, "ba7816bf");
    assert_int_equal(digest_sha2(384, bytes_of("abc"), out), 48);
    assert_hex(ctx, out, 8, "cb00753f45a35e8b");
    assert_int_equal(digest_sha2(512, bytes_of("abc"), out), 64);
    assert_hex(ctx, out, 8, "ddaf35a193617aba");
    digest_sha256(bytes_from(NULL, 0), out);
    assert_hex(ctx, out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    talloc_free(ctx);
}

/* RFC 4231, test cases 1, 2 and 6 (a key longer than the block). */
static void hmac_vectors(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    uint8_t key[131], out[32];
    memset(key, 0x0b, 20);
    digest_hmac_sha256(bytes_from(key, 20), bytes_of("Hi There"), out);
    assert_hex(ctx, out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    digest_hmac_sha256(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"), out);
    assert_hex(ctx, out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    digest_hmac_sha256(bytes_from(key, sizeof key),
                       bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(ctx, out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    digest_hmac_sha256(bytes_from(NULL, 0), bytes_from(NULL, 0), out);
    assert_hex(ctx, out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    talloc_free(ctx);
}

/* RFC 5869 A.3 (no salt, no info): the first 32 bytes of its output. */
static void derive_is_hkdf(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    uint8_t key[22], out[32], other[32];
    memset(key, 0x0b, sizeof key);
    digest_derive(bytes_from(key, sizeof key), "", out);
    assert_hex(ctx, out, 32, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
    digest_derive(bytes_from(key, sizeof key), "form", out);
    digest_derive(bytes_from(key, sizeof key), "fork", other);
    assert_memory_not_equal(out, other, 32);
    talloc_free(ctx);
}

/* McGrew and Viega's GCM test case 14: key, nonce and plain text of zeros. */
static void open_reads_the_published_vector(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static const uint8_t key[32], zeros[16];
    struct bytes plain, none = {0}, sealed = from_hex(ctx, "000000000000000000000000"
                                                           "cea7403d4d606b6e074ec5d3baf39d18"
                                                           "d0d1c8a799996bf0265b98b5d48ab919");
    assert_int_equal(digest_open(ctx, key, none, sealed, &plain), OP_OK);
    assert_true(bytes_equal(plain, bytes_from(zeros, sizeof zeros)));
    talloc_free(ctx);
}

static void sealed_text_opens_only_unchanged(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    uint8_t key[32] = {1, 2, 3}, other[32] = {1, 2, 4};
    struct bytes plain = bytes_of("a private key"), aad = bytes_of("kid"), out = {0};
    struct bytes sealed = digest_seal(ctx, key, aad, plain), again = digest_seal(ctx, key, aad, plain);
    assert_int_equal(sealed.len, plain.len + 28);
    assert_false(bytes_equal(sealed, again));
    assert_int_equal(digest_open(ctx, key, aad, sealed, &out), OP_OK);
    assert_true(bytes_equal(out, plain));
    out = (struct bytes){0};
    assert_int_equal(digest_open(ctx, other, aad, sealed, &out), OP_MISMATCH);
    assert_int_equal(digest_open(ctx, key, bytes_of("kie"), sealed, &out), OP_MISMATCH);
    assert_int_equal(digest_open(ctx, key, bytes_of(""), sealed, &out), OP_MISMATCH);
    for (size_t i = 0; i < sealed.len; i++) {
        struct bytes copy = mem_bytes(ctx, sealed);
        uint8_t *changed = mem_array(ctx, uint8_t, copy.len);
        memcpy(changed, copy.data, copy.len);
        changed[i] ^= 1;
        assert_int_equal(digest_open(ctx, key, aad, bytes_from(changed, copy.len), &out), OP_MISMATCH);
        assert_int_equal(digest_open(ctx, key, aad, bytes_from(sealed.data, i), &out), OP_MISMATCH);
    }
    assert_null(out.data);
    talloc_free(ctx);
}

static void nothing_can_be_sealed(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    uint8_t key[32] = {9};
    struct bytes none = {0}, out = {0};
    struct bytes sealed = digest_seal(ctx, key, none, none);
    assert_int_equal(sealed.len, 28);
    assert_int_equal(digest_open(ctx, key, none, sealed, &out), OP_OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(digest_open(ctx, key, bytes_of("x"), sealed, &out), OP_MISMATCH);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha2_of_abc),
        cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(derive_is_hkdf),
        cmocka_unit_test(open_reads_the_published_vector),
        cmocka_unit_test(sealed_text_opens_only_unchanged),
        cmocka_unit_test(nothing_can_be_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
