#include "data/jose.h"

#include <assert.h>
#include <malloc.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "data/jose_key.h"
#include "data/jws.h"

/* --- memory --- */

/* cjose keeps copies of the tokens it signs and verifies. It hands these functions on to jansson and OpenSSL. */
static void wipe_and_free(void *allocation)
{
    if (allocation != NULL)
        mem_wipe(allocation, malloc_usable_size(allocation));
    free(allocation);
}

static void *wipe_and_move(void *allocation, size_t size)
{
    void *moved = malloc(size);
    if (allocation == NULL || moved == NULL)
        return moved;
    size_t kept = malloc_usable_size(allocation);
    memcpy(moved, allocation, kept < size ? kept : size);
    wipe_and_free(allocation);
    return moved;
}

__attribute__((constructor)) static void setup(void)
{
    cjose_set_alloc_funcs(malloc, wipe_and_move, wipe_and_free);
}

/* --- algorithms --- */

static const struct jose_algorithm algorithms[] = {
    [JOSE_RS256] = {"RS256", "RSA", NULL, {"e", "kty", "n"}, 256, 0, 0},
    [JOSE_PS256] = {"PS256", "RSA", NULL, {"e", "kty", "n"}, 256, 0, 0},
    [JOSE_ES256] = {"ES256", "EC", "P-256", {"crv", "kty", "x", "y"}, 256, 32, 64},
    [JOSE_ES384] = {"ES384", "EC", "P-384", {"crv", "kty", "x", "y"}, 384, 48, 96},
    [JOSE_EDDSA] = {"EdDSA", "OKP", "Ed25519", {"crv", "kty", "x"}, 512, 32, 64},
    [JOSE_HS256] = {"HS256", "oct", NULL, {"k", "kty"}, 256, 32, 32},
};
static const unsigned ALGORITHM_COUNT = sizeof algorithms / sizeof *algorithms;

const struct jose_algorithm *jose_algorithm(enum jose_alg alg)
{
    return alg > JOSE_ALG_NONE && alg < ALGORITHM_COUNT ? &algorithms[alg] : NULL;
}

const char *jose_alg_name(enum jose_alg alg)
{
    const struct jose_algorithm *algorithm = jose_algorithm(alg);
    return algorithm == NULL ? NULL : algorithm->name;
}

enum jose_alg jose_alg_from_name(const char *name)
{
    for (enum jose_alg alg = JOSE_ALG_NONE + 1; name != NULL && alg < ALGORITHM_COUNT; alg++)
        if (strcmp(algorithms[alg].name, name) == 0)
            return alg;
    return JOSE_ALG_NONE;
}

unsigned jose_alg_hash_bits(enum jose_alg alg)
{
    const struct jose_algorithm *algorithm = jose_algorithm(alg);
    assert(algorithm != NULL);
    return algorithm->hash_bits;
}

/* --- signatures --- */

static enum op_err sign_by_cjose(const void *ctx, const struct jose_key *key, json_t *header, struct bytes payload,
                                 char **ret_token)
{
    const char *text;
    cjose_jws_t *jws = cjose_jws_sign(key->cjose, header, payload.data, payload.len, NULL);
    bool ok = jws != NULL && cjose_jws_export(jws, &text, NULL);
    if (ok)
        *ret_token = mem_secret(mem_strdup(ctx, text));
    cjose_jws_release(jws);
    return ok ? OP_OK : OP_BROKEN;
}

static enum op_err sign_by_evp(const void *ctx, const struct jose_key *key, const json_t *header, struct bytes payload,
                               char **ret_token)
{
    uint8_t signature[64];
    size_t len = sizeof signature;
    void *scratch = talloc_new(ctx);
    char *head = codec_base64url(scratch, bytes_of(json_text(scratch, header)));
    char *input = mem_printf(scratch, "%s.%s", head, codec_base64url(scratch, payload));
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && EVP_DigestSignInit(md, NULL, NULL, NULL, key->evp) == 1 &&
              EVP_DigestSign(md, signature, &len, (const uint8_t *)input, strlen(input)) == 1;
    EVP_MD_CTX_free(md);
    if (ok)
        *ret_token = mem_secret(mem_printf(ctx, "%s.%s", input, codec_base64url(scratch, bytes_from(signature, len))));
    talloc_free(scratch);
    return ok ? OP_OK : OP_BROKEN;
}

enum op_err jose_sign(const void *ctx, const struct jose_key *key, const char *typ, const json_t *claims,
                      char **ret_token)
{
    if (!key->is_private)
        return OP_INVALID;
    void *scratch = talloc_new(ctx);
    json_t *header = json_make_object(scratch);
    json_set_string(header, "alg", key->algorithm->name);
    json_set_string(header, "kid", key->kid);
    json_set_string(header, "typ", typ);
    struct bytes payload = bytes_of(json_text(scratch, claims));
    enum op_err err = key->evp == NULL ? sign_by_cjose(ctx, key, header, payload, ret_token)
                                       : sign_by_evp(ctx, key, header, payload, ret_token);
    talloc_free(scratch);
    return err;
}

enum op_err jose_peek(const void *ctx, const char *token, struct jose_header *ret)
{
    struct jws parts;
    enum op_err err = jws_take_apart(ctx, token, &parts);
    if (err == OP_OK)
        *ret = parts.header;
    return err;
}

static enum op_err read_claims(const void *ctx, const struct jws *parts, json_t **ret_claims)
{
    json_t *claims;
    enum op_err err = json_read(ctx, parts->payload, &claims);
    if (err == OP_OK && !json_is_object(claims))
        err = OP_INVALID;
    if (err == OP_OK)
        *ret_claims = claims;
    return err;
}

enum op_err jose_peek_claims(const void *ctx, const char *token, json_t **ret_claims)
{
    void *scratch = talloc_new(ctx);
    struct jws parts;
    enum op_err err = jws_take_apart(scratch, token, &parts);
    if (err == OP_OK)
        err = read_claims(ctx, &parts, ret_claims);
    talloc_free(scratch);
    return err;
}

static bool verify_by_cjose(const struct jose_key *key, const char *token)
{
    cjose_jws_t *jws = cjose_jws_import(token, strlen(token), NULL);
    bool ok = jws != NULL && cjose_jws_verify(jws, key->cjose, NULL);
    cjose_jws_release(jws);
    return ok;
}

static bool verify_by_evp(const struct jose_key *key, const struct jws *parts)
{
    struct bytes input = parts->input, signature = parts->signature;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->evp) == 1 &&
              EVP_DigestVerify(md, signature.data, signature.len, input.data, input.len) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

/* The length is judged first: cjose compares a short MAC beyond its end. */
static bool is_signed_by(const struct jose_key *key, const char *token, const struct jws *parts)
{
    bool ok = parts->header.alg == key->alg && parts->signature.len == key->signature_len &&
              (key->evp == NULL ? verify_by_cjose(key, token) : verify_by_evp(key, parts));
    if (!ok)
        ERR_clear_error();
    return ok;
}

enum op_err jose_verify(const void *ctx, const char *token, const struct jose_key *key, json_t **ret_claims)
{
    void *scratch = talloc_new(ctx);
    struct jws parts;
    enum op_err err = jws_take_apart(scratch, token, &parts);
    if (err == OP_OK && !is_signed_by(key, token, &parts))
        err = OP_MISMATCH;
    if (err == OP_OK)
        err = read_claims(ctx, &parts, ret_claims);
    talloc_free(scratch);
    return err;
}
