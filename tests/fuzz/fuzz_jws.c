/* Compact JWS and JWK. The input is taken as a token, as a key, and as a header and a claims text
 * that are well encoded and signed, so that what lies behind the encoding is reached too. */
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "data/digest.h"
#include "data/jose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t SECRET[32] = "thirty-two bytes of no entropy!";
static const struct {
    enum jose_alg alg;
    const char *jwk;
} KEYS[] = {
    {JOSE_HS256, "{\"kty\":\"oct\",\"k\":\"dGhpcnR5LXR3byBieXRlcyBvZiBubyBlbnRyb3B5IQA\"}"},
    {JOSE_ES256, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                 "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"},
    {JOSE_EDDSA, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"},
    {JOSE_RS256, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm"
                 "fHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0"
                 "LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT"
                 "6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}"},
};
enum { KEY_COUNT = sizeof KEYS / sizeof *KEYS };

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* Whatever verifies was readable and names the key's algorithm; returns how many keys took it. */
static size_t verify_with_all(void *ctx, const char *token)
{
    struct jose_header header = {0};
    json_t *claims;
    size_t taken = 0;
    enum op_err peeked = jose_peek(ctx, token, &header);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        struct jose_key *key;
        require(jose_key_from_jwk(ctx, bytes_of(KEYS[i].jwk), KEYS[i].alg, &key) == OP_OK);
        if (jose_verify(ctx, token, key, &claims) == OP_OK) {
            require(peeked == OP_OK && header.alg == KEYS[i].alg && json_is_object(claims));
            taken++;
        }
    }
    return taken;
}

/* header NUL claims, signed with the key of HS256: only that one may take it. */
static void try_signed(void *ctx, struct bytes input)
{
    const uint8_t *end = memchr(input.data, 0, input.len);
    uint8_t mac[DIGEST_SHA256_LEN];
    if (end == NULL)
        return;
    size_t len = (size_t)(end - input.data);
    struct bytes claims = bytes_from(end + 1, input.len - len - 1);
    char *head = codec_base64url(ctx, bytes_from(input.data, len));
    char *text = mem_printf(ctx, "%s.%s", head, codec_base64url(ctx, claims));
    digest_hmac_sha256(bytes_from(SECRET, sizeof SECRET), bytes_of(text), mac);
    char *token = mem_printf(ctx, "%s.%s", text, codec_base64url(ctx, bytes_from(mac, sizeof mac)));
    require(verify_with_all(ctx, token) <= 1);
}

static void try_key(void *ctx, struct bytes input)
{
    for (enum jose_alg alg = JOSE_RS256; alg <= JOSE_HS256; alg++) {
        struct jose_key *key;
        if (jose_key_from_jwk(ctx, input, alg, &key) != OP_OK)
            continue;
        require(jose_key_alg(key) == alg && jose_key_thumbprint(ctx, key) != NULL);
        if (alg != JOSE_HS256)
            require(jose_key_from_jwk(ctx, bytes_of(jose_key_public_jwk(ctx, key)), alg, &key) == OP_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    verify_with_all(ctx, mem_strndup(ctx, (const char *)data, size));
    try_signed(ctx, bytes_from(data, size));
    try_key(ctx, bytes_from(data, size));
    talloc_free(ctx);
    return 0;
}
