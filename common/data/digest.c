#include "data/digest.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"

enum { NONCE_LEN = 12, TAG_LEN = 16 };

/* Fetched once: fetching by name at each call costs more than hashing a short input. */
static struct {
    EVP_MD *sha256, *sha384, *sha512;
    EVP_MAC *hmac;
    EVP_CIPHER *gcm;
} algorithms;

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void fetch(void)
{
    algorithms.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    algorithms.sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
    algorithms.sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL);
    algorithms.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    algorithms.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    require(algorithms.sha256 != NULL && algorithms.sha384 != NULL && algorithms.sha512 != NULL &&
            algorithms.hmac != NULL && algorithms.gcm != NULL);
}

static void setup(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    require(pthread_once(&once, fetch) == 0);
}

size_t digest_sha2(unsigned alg_bits, struct bytes in, uint8_t out[64])
{
    setup();
    const EVP_MD *md = alg_bits == 256 ? algorithms.sha256 : alg_bits == 384 ? algorithms.sha384 : algorithms.sha512;
    require(alg_bits == 256 || alg_bits == 384 || alg_bits == 512);
    unsigned len = 0;
    require(EVP_Digest(in.data, in.len, out, &len, md, NULL) == 1);
    return len;
}

void digest_sha256(struct bytes in, uint8_t out[DIGEST_SHA256_LEN])
{
    setup();
    require(EVP_Digest(in.data, in.len, out, NULL, algorithms.sha256, NULL) == 1);
}

struct bytes digest_sha256_of(const void *ctx, const char *s)
{
    uint8_t *out = mem_array(ctx, uint8_t, DIGEST_SHA256_LEN);
    digest_sha256(bytes_of(s), out);
    return bytes_from(out, DIGEST_SHA256_LEN);
}

struct digest_stream {
    EVP_MD_CTX *md;
};

static int stream_close(struct digest_stream *stream)
{
    EVP_MD_CTX_free(stream->md);
    return 0;
}

struct digest_stream *digest_sha256_stream(const void *ctx)
{
    setup();
    struct digest_stream *stream = mem_new(ctx, struct digest_stream);
    stream->md = EVP_MD_CTX_new();
    require(stream->md != NULL && EVP_DigestInit_ex(stream->md, algorithms.sha256, NULL) == 1);
    talloc_set_destructor(stream, stream_close);
    return stream;
}

void digest_sha256_add(struct digest_stream *stream, struct bytes part)
{
    require(EVP_DigestUpdate(stream->md, part.data, part.len) == 1);
}

void digest_sha256_end(struct digest_stream *stream, uint8_t out[DIGEST_SHA256_LEN])
{
    require(EVP_DigestFinal_ex(stream->md, out, NULL) == 1);
    require(EVP_DigestInit_ex(stream->md, algorithms.sha256, NULL) == 1);
}

void digest_hmac_sha256(struct bytes key, struct bytes in, uint8_t out[DIGEST_SHA256_LEN])
{
    setup();
    char name[] = "SHA2-256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0), OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(algorithms.hmac);
    static const uint8_t empty[1];
    size_t len = 0;
    require(mac != NULL);
    require(EVP_MAC_init(mac, key.len == 0 ? empty : key.data, key.len, params) == 1);
    require(EVP_MAC_update(mac, in.data, in.len) == 1);
    require(EVP_MAC_final(mac, out, &len, DIGEST_SHA256_LEN) == 1 && len == DIGEST_SHA256_LEN);
    EVP_MAC_CTX_free(mac);
}

/* RFC 5869 §2: extract without salt is a salt of zeros; one block of expand is all 32 bytes need. */
void digest_derive(struct bytes master, const char *purpose, uint8_t out[DIGEST_KEY_LEN])
{
    static const uint8_t no_salt[DIGEST_SHA256_LEN];
    uint8_t extracted[DIGEST_SHA256_LEN];
    digest_hmac_sha256(bytes_from(no_salt, sizeof no_salt), master, extracted);
    size_t len = strlen(purpose);
    uint8_t *info = mem_array(NULL, uint8_t, len + 1);
    memcpy(info, purpose, len);
    info[len] = 1;
    digest_hmac_sha256(bytes_from(extracted, sizeof extracted), bytes_from(info, len + 1), out);
    talloc_free(info);
    mem_wipe(extracted, sizeof extracted);
}

static int int_of(size_t len)
{
    require(len <= INT32_MAX);
    return (int)len;
}

struct bytes digest_seal(const void *ctx, const uint8_t key[DIGEST_KEY_LEN], struct bytes aad, struct bytes plain)
{
    setup();
    uint8_t *out = mem_array(ctx, uint8_t, NONCE_LEN + plain.len + TAG_LEN);
    uint8_t *sealed = out + NONCE_LEN, *tag = sealed + plain.len;
    int len = 0;
    rand_bytes(out, NONCE_LEN);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    require(cipher != NULL);
    require(EVP_EncryptInit_ex2(cipher, algorithms.gcm, key, out, NULL) == 1);
    if (aad.len != 0)
        require(EVP_EncryptUpdate(cipher, NULL, &len, aad.data, int_of(aad.len)) == 1);
    if (plain.len != 0)
        require(EVP_EncryptUpdate(cipher, sealed, &len, plain.data, int_of(plain.len)) == 1);
    require(EVP_EncryptFinal_ex(cipher, tag, &len) == 1);
    require(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1);
    EVP_CIPHER_CTX_free(cipher);
    return bytes_from(out, NONCE_LEN + plain.len + TAG_LEN);
}

enum op_err digest_open(const void *ctx, const uint8_t key[DIGEST_KEY_LEN], struct bytes aad, struct bytes sealed,
                        struct bytes *ret)
{
    if (sealed.len < NONCE_LEN + TAG_LEN || sealed.len > INT32_MAX)
        return OP_MISMATCH;
    setup();
    size_t plain_len = sealed.len - NONCE_LEN - TAG_LEN;
    uint8_t *plain = mem_secret(mem_array(ctx, uint8_t, plain_len + 1));
    uint8_t tag[TAG_LEN];
    memcpy(tag, sealed.data + NONCE_LEN + plain_len, TAG_LEN);
    int len = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    require(cipher != NULL);
    require(EVP_DecryptInit_ex2(cipher, algorithms.gcm, key, sealed.data, NULL) == 1);
    if (aad.len != 0)
        require(EVP_DecryptUpdate(cipher, NULL, &len, aad.data, int_of(aad.len)) == 1);
    if (plain_len != 0)
        require(EVP_DecryptUpdate(cipher, plain, &len, sealed.data + NONCE_LEN, (int)plain_len) == 1);
    require(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1);
    uint8_t none[TAG_LEN];
    bool ok = EVP_DecryptFinal_ex(cipher, none, &len) == 1;
    EVP_CIPHER_CTX_free(cipher);
    if (!ok) {
        talloc_free(plain);
        return OP_MISMATCH;
    }
    *ret = bytes_from(plain, plain_len);
    return OP_OK;
}
