#include "protocol/client_keys.h"

#include <string.h>

#include "data/uri.h"

const enum jose_alg CLIENT_KEYS_ALGS[CLIENT_KEYS_ALG_COUNT] = {JOSE_RS256, JOSE_PS256, JOSE_ES256, JOSE_ES384,
                                                               JOSE_EDDSA};

bool client_keys_alg_is_offered(enum jose_alg alg)
{
    for (size_t i = 0; i < CLIENT_KEYS_ALG_COUNT; i++)
        if (CLIENT_KEYS_ALGS[i] == alg)
            return true;
    return false;
}

static enum op_err read_set(const void *ctx, struct bytes text, const json_t **ret_keys)
{
    json_t *set;
    if (json_read(ctx, text, &set) != OP_OK || !json_is_array(json_object_get(set, "keys")))
        return OP_INVALID;
    *ret_keys = json_object_get(set, "keys");
    return OP_OK;
}

static bool is_secret(const json_t *jwk)
{
    return json_object_get(jwk, "d") != NULL || json_object_get(jwk, "k") != NULL;
}

static bool has_kid(const json_t *jwk, const char *kid)
{
    const char *own;
    return kid == NULL || (json_get_string(jwk, "kid", &own) == OP_OK && strcmp(own, kid) == 0);
}

static enum op_err key_of(const void *ctx, const json_t *jwk, enum jose_alg alg, struct jose_key **ret)
{
    return jose_key_from_jwk(ctx, bytes_of(json_text(ctx, jwk)), alg, ret);
}

enum op_err client_keys_find(const void *ctx, struct bytes jwks, const struct jose_header *header,
                             struct jose_key ***ret, size_t *ret_count)
{
    const json_t *keys, *jwk;
    size_t i, count = 0;
    if (read_set(ctx, jwks, &keys) != OP_OK)
        return OP_INVALID;
    struct jose_key **found = mem_array(ctx, struct jose_key *, CLIENT_KEYS_TRIED_MAX);
    json_array_foreach(keys, i, jwk)
        if (count < CLIENT_KEYS_TRIED_MAX && json_is_object(jwk) && !is_secret(jwk) && has_kid(jwk, header->kid) &&
            client_keys_alg_is_offered(header->alg) && key_of(ctx, jwk, header->alg, &found[count]) == OP_OK)
            count++;
    if (count == 0)
        return OP_ABSENT;
    *ret = found;
    *ret_count = count;
    return OP_OK;
}

/* --- nobody's --- */

struct bytes client_keys_of_nobody(void)
{
    static const char set[] =
        "{\"keys\":["
        "{\"n\":\"8I-cnHdQ4yJkLYvupjTz3jtBSbBT2-dxJx0oH8i3H_hrBiKEmoSI5RpFkExvX7Z_SLgVynrjLJ9Q6nBRjoKaihzuR0HXxi6K9Qx"
        "2X6FJFM4uFMBjROKut9N8O-yZaiJnoG9vIiacfEk9R17zURYwQD6h7yTD2Fbe0bJaJd-kKeg4JfAL-p7nZHdqHPIfC52sl1g1p1-fMlNEtkz"
        "TiuPvvnc2Bv647SqTPg5I_ubZWQyk6ZJJ-lf2-s7bZ1q15gR5uiHZSOI-v5VLADr9If__moBSOAZ5fD1KayHKLdIPvK7B7n1j7RmVWTUnbGv"
        "vacotA1W-AsjEdJ03qWFkanyK0w\",\"e\":\"AQAB\",\"kty\":\"RSA\"},"
        "{\"crv\":\"P-256\",\"x\":\"rk0_PqB5GpGRxB9UeFDNdCDKP4qqYpsAnGiHHr4pzLA\",\"y\":\"0n34sWTGyMkKUdkLwGzFEV-XPIs"
        "R_-RdKhUGCQVNAtY\",\"kty\":\"EC\"},"
        "{\"crv\":\"P-384\",\"x\":\"xp-81GE_nMUwOwvUSmxdeX7bdWee45yRzZnS5DzVCeC8ZTp8MWdG8HosBHmjNynT\",\"y\":\"TMuCVt"
        "F5VsEMecpPNnWSZ5TwHpDyFPJ0Ad59iqRp6dKJyeFbyKe1IuwdTfos9ZBG\",\"kty\":\"EC\"},"
        "{\"crv\":\"Ed25519\",\"x\":\"RiRZ_YSrUcvk3OWgcB9R5BfutzBf0ZdFHuBX6yX-z5g\",\"kty\":\"OKP\"}]}";
    return bytes_from(set, sizeof set - 1);
}

/* --- registration --- */

static bool verifies(const void *ctx, const json_t *jwk, enum jose_alg alg)
{
    struct jose_key *key;
    for (size_t i = 0; i < CLIENT_KEYS_ALG_COUNT; i++)
        if ((alg == JOSE_ALG_NONE || alg == CLIENT_KEYS_ALGS[i]) && key_of(ctx, jwk, CLIENT_KEYS_ALGS[i], &key) == OP_OK)
            return true;
    return false;
}

static const char *judge_set(const void *ctx, const char *text, enum jose_alg alg)
{
    const json_t *keys, *jwk;
    size_t i;
    bool any = false;
    if (read_set(ctx, bytes_of(text), &keys) != OP_OK)
        return "is no JWK Set: a JSON object with an array named keys";
    if (json_array_size(keys) == 0 || json_array_size(keys) > CLIENT_KEYS_MAX)
        return "has no keys, or more than 100";
    json_array_foreach(keys, i, jwk) {
        if (!json_is_object(jwk) || json_object_get(jwk, "kty") == NULL)
            return "has an entry that is no key";
        if (is_secret(jwk))
            return "has a private or symmetric key: it must have public keys only";
        any = any || verifies(ctx, jwk, alg);
    }
    return any ? NULL : "has no key that can verify what the client signs";
}

const char *client_keys_problem(const char *text, enum jose_alg alg)
{
    void *scratch = mem_root("client_keys_problem");
    const char *problem = judge_set(scratch, text, alg);
    talloc_free(scratch);
    return problem;
}

const char *client_keys_uri_problem(const char *text)
{
    void *scratch = mem_root("client_keys_uri_problem");
    struct uri uri;
    const char *problem = NULL;
    if (uri_parse(scratch, text, &uri) != OP_OK || strcmp(uri.scheme, "https") != 0)
        problem = "is not an https address";
    else if (uri.has_userinfo || uri.has_fragment)
        problem = "has a user or a fragment";
    talloc_free(scratch);
    return problem;
}
