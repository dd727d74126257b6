#include "data/jose_key.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "data/digest.h"

enum {
    RSA_MIN_BITS = 2048,
    RSA_MAX_BITS = 8192, /* what one verification may cost */
    ED25519_LEN = 32,
};

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* --- a key from a JWK --- */

static int key_free(struct jose_key *key)
{
    cjose_jwk_release(key->cjose);
    EVP_PKEY_free(key->evp);
    return 0;
}

/* A member's bytes, wiped when ctx is freed. len 0: any but none. OP_ABSENT, OP_INVALID. */
static enum op_err member_bytes(const void *ctx, const json_t *jwk, const char *name, size_t len, struct bytes *ret)
{
    const char *text;
    struct bytes value;
    enum op_err err = json_get_string(jwk, name, &text);
    if (err == OP_OK)
        err = codec_from_base64url(ctx, bytes_of(text), &value);
    if (err != OP_OK)
        return err;
    mem_secret((void *)value.data);
    if (value.len == 0 || (len != 0 && value.len != len))
        return OP_INVALID;
    *ret = value;
    return OP_OK;
}

static bool is_strong_modulus(struct bytes n)
{
    if (n.data[0] == 0 || n.len > RSA_MAX_BITS / 8)
        return false;
    size_t bits = n.len * 8 - (size_t)(__builtin_clz(n.data[0]) - 24);
    return bits >= RSA_MIN_BITS;
}

static bool is_sound_exponent(struct bytes e)
{
    return e.data[0] != 0 && e.len <= 8 && (e.data[e.len - 1] & 1) == 1 && (e.len > 1 || e.data[0] > 1);
}

static uint8_t *unconst(struct bytes bytes)
{
    return (uint8_t *)bytes.data;
}

/* A private RSA key has all of its factors, a public one none of them (RFC 7518 §6.3.2). */
static enum op_err import_rsa(const void *ctx, const json_t *jwk, struct jose_key *key)
{
    static const char *const names[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi"};
    struct bytes values[8] = {0};
    size_t count = 0;
    for (size_t i = 0; i < 8; i++) {
        enum op_err err = member_bytes(ctx, jwk, names[i], 0, &values[i]);
        if (err != OP_OK && (err != OP_ABSENT || i < 2))
            return OP_INVALID;
        count += err == OP_OK;
    }
    if ((count != 2 && count != 8) || !is_strong_modulus(values[0]) || !is_sound_exponent(values[1]))
        return OP_INVALID;
    cjose_jwk_rsa_keyspec spec = {
        .n = unconst(values[0]),  .nlen = values[0].len,  .e = unconst(values[1]),  .elen = values[1].len,
        .d = unconst(values[2]),  .dlen = values[2].len,  .p = unconst(values[3]),  .plen = values[3].len,
        .q = unconst(values[4]),  .qlen = values[4].len,  .dp = unconst(values[5]), .dplen = values[5].len,
        .dq = unconst(values[6]), .dqlen = values[6].len, .qi = unconst(values[7]), .qilen = values[7].len,
    };
    key->is_private = count == 8;
    key->signature_len = values[0].len;
    key->cjose = cjose_jwk_create_RSA_spec(&spec, NULL);
    return key->cjose == NULL ? OP_INVALID : OP_OK;
}

/* True when the key that was made says the same of itself as the JWK: cjose takes the public point
 * of a private key from d alone, and OpenSSL takes coordinates modulo the field. */
static bool agrees_with(const struct jose_key *key, const json_t *jwk)
{
    char *text = cjose_jwk_to_json(key->cjose, false, NULL);
    json_t *exported = text == NULL ? NULL : json_loads(text, 0, NULL);
    bool same = exported != NULL && json_equal(json_object_get(exported, "x"), json_object_get(jwk, "x")) &&
                json_equal(json_object_get(exported, "y"), json_object_get(jwk, "y"));
    json_decref(exported);
    free(text);
    return same;
}

static enum op_err import_ec(const void *ctx, const json_t *jwk, struct jose_key *key)
{
    size_t len = key->algorithm->key_len;
    struct bytes x, y, d = {0};
    if (member_bytes(ctx, jwk, "x", len, &x) != OP_OK || member_bytes(ctx, jwk, "y", len, &y) != OP_OK)
        return OP_INVALID;
    enum op_err err = member_bytes(ctx, jwk, "d", len, &d);
    if (err != OP_OK && err != OP_ABSENT)
        return OP_INVALID;
    cjose_jwk_ec_keyspec spec = {
        .crv = key->alg == JOSE_ES256 ? CJOSE_JWK_EC_P_256 : CJOSE_JWK_EC_P_384,
        .x = unconst(x), .xlen = x.len, .y = unconst(y), .ylen = y.len, .d = unconst(d), .dlen = d.len,
    };
    key->is_private = err == OP_OK;
    key->cjose = cjose_jwk_create_EC_spec(&spec, NULL);
    return key->cjose != NULL && agrees_with(key, jwk) ? OP_OK : OP_INVALID;
}

static enum op_err import_ed25519(const void *ctx, const json_t *jwk, struct jose_key *key)
{
    struct bytes x, d;
    if (member_bytes(ctx, jwk, "x", ED25519_LEN, &x) != OP_OK)
        return OP_INVALID;
    enum op_err err = member_bytes(ctx, jwk, "d", ED25519_LEN, &d);
    if (err == OP_ABSENT) {
        key->evp = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.data, x.len);
        return key->evp == NULL ? OP_INVALID : OP_OK;
    }
    if (err != OP_OK)
        return OP_INVALID;
    uint8_t public[ED25519_LEN];
    size_t len = sizeof public;
    key->is_private = true;
    key->evp = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d.data, d.len);
    if (key->evp == NULL || EVP_PKEY_get_raw_public_key(key->evp, public, &len) != 1)
        return OP_INVALID;
    return bytes_equal(bytes_from(public, len), x) ? OP_OK : OP_INVALID;
}

static enum op_err import_oct(const void *ctx, const json_t *jwk, struct jose_key *key)
{
    struct bytes k;
    if (member_bytes(ctx, jwk, "k", 0, &k) != OP_OK || k.len < key->algorithm->key_len)
        return OP_INVALID;
    key->is_private = true;
    key->cjose = cjose_jwk_create_oct_spec(k.data, k.len, NULL);
    return key->cjose == NULL ? OP_INVALID : OP_OK;
}

/* The string member equals value, or is absent where it may be. */
static bool member_is(const json_t *jwk, const char *name, const char *value, bool may_be_absent)
{
    const char *text;
    enum op_err err = json_get_string(jwk, name, &text);
    return err == OP_ABSENT ? may_be_absent : err == OP_OK && strcmp(text, value) == 0;
}

static bool allows_operation(const json_t *jwk)
{
    const json_t *operations = json_object_get(jwk, "key_ops"), *operation;
    const char *wanted = json_object_get(jwk, "d") != NULL ? "sign" : "verify";
    size_t i;
    if (operations == NULL)
        return true;
    json_array_foreach(operations, i, operation)
        if (json_is_string(operation) && strcmp(json_string_value(operation), wanted) == 0)
            return true;
    return false;
}

/* RFC 7517 §4: what the JWK says it is for. */
static bool fits(const json_t *jwk, const struct jose_algorithm *algorithm)
{
    return json_is_object(jwk) && member_is(jwk, "kty", algorithm->kty, false) &&
           (algorithm->crv == NULL || member_is(jwk, "crv", algorithm->crv, false)) &&
           member_is(jwk, "use", "sig", true) && member_is(jwk, "alg", algorithm->name, true) && allows_operation(jwk);
}

/* The members that make the key what it is. */
static json_t *essential_members(const void *ctx, const json_t *jwk, const struct jose_algorithm *algorithm)
{
    json_t *members = json_make_object(ctx);
    for (const char *const *name = algorithm->members; *name != NULL; name++)
        json_set(members, *name, json_object_get(jwk, *name));
    return members;
}

static enum op_err import_key(const void *ctx, const json_t *jwk, struct jose_key *key)
{
    switch (key->alg) {
    case JOSE_RS256:
    case JOSE_PS256: return import_rsa(ctx, jwk, key);
    case JOSE_ES256:
    case JOSE_ES384: return import_ec(ctx, jwk, key);
    case JOSE_EDDSA: return import_ed25519(ctx, jwk, key);
    case JOSE_HS256: return import_oct(ctx, jwk, key);
    case JOSE_ALG_NONE: break;
    }
    return OP_INVALID;
}

enum op_err jose_key_from_jwk(const void *ctx, struct bytes jwk, enum jose_alg alg, struct jose_key **ret)
{
    const struct jose_algorithm *algorithm = jose_algorithm(alg);
    if (algorithm == NULL)
        return OP_INVALID;
    struct jose_key *key = mem_new(ctx, struct jose_key);
    void *scratch = talloc_new(key);
    json_t *object;
    const char *kid = NULL;
    talloc_set_destructor(key, key_free);
    key->alg = alg;
    key->algorithm = algorithm;
    key->signature_len = algorithm->signature_len;
    if (json_read(scratch, jwk, &object) != OP_OK || !fits(object, algorithm))
        goto invalid;
    enum op_err err = json_get_string(object, "kid", &kid);
    if ((err != OP_OK && err != OP_ABSENT) || import_key(scratch, object, key) != OP_OK)
        goto invalid;
    key->kid = kid == NULL ? NULL : mem_strdup(key, kid);
    key->members = essential_members(key, object, algorithm);
    talloc_free(scratch);
    *ret = key;
    return OP_OK;
invalid:
    talloc_free(key);
    ERR_clear_error();
    return OP_INVALID;
}

/* --- a key anew, and as a JWK --- */

/* Text that is wiped when freed, written into memory of the right size at once. */
static char *secret_text(const void *ctx, const json_t *value)
{
    size_t len = json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text = mem_secret(mem_array(ctx, char, len + 1));
    require(len != 0 && json_dumpb(value, text, len, JSON_COMPACT) == len);
    return text;
}

/* The private part of an Ed25519 key into a JWK. */
static void add_private_ed25519(json_t *jwk, const EVP_PKEY *evp)
{
    uint8_t d[ED25519_LEN];
    size_t len = sizeof d;
    require(EVP_PKEY_get_raw_private_key(evp, d, &len) == 1);
    char *text = mem_secret(codec_base64url(NULL, bytes_from(d, len)));
    json_set_string(jwk, "d", text);
    talloc_free(text);
    mem_wipe(d, sizeof d);
}

/* All members of a key that cjose holds. */
static json_t *cjose_members(const void *ctx, const cjose_jwk_t *jwk)
{
    char *text = cjose_jwk_to_json(jwk, true, NULL);
    json_t *object = text == NULL ? NULL : json_loads(text, 0, NULL);
    if (text != NULL)
        mem_wipe(text, strlen(text));
    free(text);
    return json_own(ctx, object);
}

static cjose_jwk_t *random_cjose(enum jose_alg alg)
{
    static const uint8_t exponent[] = {1, 0, 1};
    switch (alg) {
    case JOSE_RS256:
    case JOSE_PS256: return cjose_jwk_create_RSA_random(RSA_MIN_BITS, exponent, sizeof exponent, NULL);
    case JOSE_ES256: return cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    case JOSE_ES384: return cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_384, NULL);
    default: return cjose_jwk_create_oct_random(jose_algorithm(JOSE_HS256)->key_len * 8, NULL);
    }
}

static json_t *random_ed25519(const void *ctx)
{
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    uint8_t public[ED25519_LEN];
    size_t len = sizeof public;
    require(evp != NULL && EVP_PKEY_get_raw_public_key(evp, public, &len) == 1);
    json_t *jwk = json_make_object(ctx);
    json_set_string(jwk, "crv", "Ed25519");
    json_set_string(jwk, "kty", "OKP");
    json_set_string(jwk, "x", codec_base64url(ctx, bytes_from(public, len)));
    add_private_ed25519(jwk, evp);
    EVP_PKEY_free(evp);
    return jwk;
}

enum op_err jose_key_generate(const void *ctx, enum jose_alg alg, struct jose_key **ret)
{
    if (jose_alg_name(alg) == NULL)
        return OP_INVALID;
    void *scratch = talloc_new(ctx);
    json_t *jwk;
    struct jose_key *key;
    if (alg == JOSE_EDDSA) {
        jwk = random_ed25519(scratch);
    } else {
        cjose_jwk_t *made = random_cjose(alg);
        jwk = cjose_members(scratch, made);
        cjose_jwk_release(made);
    }
    enum op_err err = jose_key_from_jwk(ctx, bytes_of(secret_text(scratch, jwk)), alg, &key);
    talloc_free(scratch);
    if (err != OP_OK)
        return OP_BROKEN;
    key->kid = jose_key_thumbprint(key, key);
    *ret = key;
    return OP_OK;
}

const char *jose_key_kid(const struct jose_key *key)
{
    return key->kid;
}

enum jose_alg jose_key_alg(const struct jose_key *key)
{
    return key->alg;
}

char *jose_key_thumbprint(const void *ctx, const struct jose_key *key)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    char *text = json_dumps(key->members, JSON_COMPACT);
    require(text != NULL);
    digest_sha256(bytes_of(text), hash);
    mem_wipe(text, strlen(text));
    free(text);
    return codec_base64url(ctx, bytes_from(hash, sizeof hash));
}

static void add_purpose(json_t *jwk, const struct jose_key *key)
{
    json_set_string(jwk, "kid", key->kid);
    json_set_string(jwk, "use", "sig");
    json_set_string(jwk, "alg", key->algorithm->name);
}

char *jose_key_public_jwk(const void *ctx, const struct jose_key *key)
{
    assert(key->alg != JOSE_HS256);
    json_t *jwk = json_copy(key->members);
    require(jwk != NULL);
    add_purpose(jwk, key);
    char *text = json_text(ctx, jwk);
    json_decref(jwk);
    return text;
}

char *jose_key_private_jwk(const void *ctx, const struct jose_key *key)
{
    assert(key->is_private);
    void *scratch = talloc_new(ctx);
    json_t *jwk = key->cjose == NULL ? json_own(scratch, json_copy(key->members)) : cjose_members(scratch, key->cjose);
    if (key->evp != NULL)
        add_private_ed25519(jwk, key->evp);
    add_purpose(jwk, key);
    char *text = secret_text(ctx, jwk);
    talloc_free(scratch);
    return text;
}
