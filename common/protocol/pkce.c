#include "protocol/pkce.h"

#include <string.h>

#include "base/codec.h"
#include "data/digest.h"

static bool is_code_string(const char *s)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t len = strspn(s, unreserved);
    return s[len] == '\0' && len >= 43 && len <= 128;
}

bool pkce_challenge_is_valid(const char *challenge)
{
    return is_code_string(challenge);
}

bool pkce_verifier_is_valid(const char *verifier)
{
    return is_code_string(verifier);
}

static bool s256_matches(const char *verifier, const char *challenge)
{
    void *scratch = mem_root("pkce");
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(verifier), hash);
    const char *expected = codec_base64url(scratch, bytes_from(hash, sizeof hash));
    bool matches = bytes_equal_ct(bytes_of(expected), bytes_of(challenge));
    talloc_free(scratch);
    return matches;
}

enum op_err pkce_verify(const char *verifier, const char *challenge, const char *method)
{
    if (!pkce_verifier_is_valid(verifier))
        return OP_INVALID;
    bool matches = false;
    if (method == NULL || strcmp(method, "plain") == 0)
        matches = bytes_equal_ct(bytes_of(verifier), bytes_of(challenge));
    else if (strcmp(method, "S256") == 0)
        matches = s256_matches(verifier, challenge);
    return matches ? OP_OK : OP_MISMATCH;
}
