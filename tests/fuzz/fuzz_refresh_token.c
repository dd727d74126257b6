/* Refresh tokens. The input is taken as a token's text, as a token's bytes, and as a story: each pair of
 * bytes lets time pass and presents one of the tokens made so far. */
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "protocol/refresh_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t K[DIGEST_KEY_LEN] = "thirty-two bytes of no entropy!";
static const uint8_t FAMILY[REFRESH_FAMILY_LEN] = "sixteen of those";
static const struct refresh_windows WINDOWS = {600, 60};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static bool same(const struct refresh_token *a, const struct refresh_token *b)
{
    return a->generation == b->generation && memcmp(a->secret, b->secret, sizeof a->secret) == 0;
}

static Rec__Family *family_of(const void *ctx, const struct refresh_token *first)
{
    Rec__Family *family = records_new(ctx, &rec__family__descriptor);
    struct bytes id = mem_bytes(ctx, bytes_from(FAMILY, sizeof FAMILY));
    family->has_family_id = true;
    family->family_id = (ProtobufCBinaryData){id.len, (uint8_t *)(uintptr_t)id.data};
    refresh_begin(ctx, family, first);
    return family;
}

static void try_text(const void *ctx, const char *text)
{
    struct refresh_token token, first;
    if (refresh_token_parse(text, &token) != OP_OK)
        return;
    require(strcmp(refresh_token_text(ctx, &token), text) == 0);
    refresh_token_first(K, FAMILY, K /* any 32 bytes */, &first);
    require(refresh_judge(K, &token, family_of(ctx, &first), &WINDOWS, 1000) == REFRESH_INVALID || same(&token, &first));
}

/* The current token is always current, whoever presents what before; an answer is always the same one. */
static void try_story(const void *ctx, struct bytes steps)
{
    enum { TOKENS_MAX = 256 };
    struct refresh_token *tokens = mem_array(ctx, struct refresh_token, TOKENS_MAX + 1), next;
    uint32_t newest = 1;
    int64_t now = 1000;
    refresh_token_first(K, FAMILY, K, &tokens[1]);
    Rec__Family *family = family_of(ctx, &tokens[1]);
    for (size_t i = 0; i + 1 < steps.len && newest < TOKENS_MAX; i += 2) {
        now += steps.data[i];
        uint32_t back = steps.data[i + 1] % newest;
        const struct refresh_token *token = &tokens[newest - back];
        enum refresh_verdict verdict = refresh_judge(K, token, family, &WINDOWS, now);
        require(verdict != REFRESH_INVALID && (verdict == REFRESH_CURRENT) == (back == 0));
        if (verdict == REFRESH_THEFT)
            return;
        refresh_token_next(K, token, &next);
        refresh_apply(ctx, family, token, &next, verdict == REFRESH_CURRENT, now);
        if (verdict == REFRESH_CURRENT)
            tokens[++newest] = next;
        require(same(&next, &tokens[newest - back + (verdict == REFRESH_RETRY)]));
        require(family->n_generations <= REFRESH_GENERATIONS_KEPT);
        require(refresh_judge(K, &tokens[newest], family, &WINDOWS, now) == REFRESH_CURRENT);
        refresh_token_next(K, &tokens[newest], &next);
        require(refresh_judge(K, &next, family, &WINDOWS, now) == REFRESH_INVALID);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    try_text(ctx, mem_strndup(ctx, (const char *)data, size));
    try_text(ctx, codec_base64url(ctx, bytes_from(data, size)));
    try_story(ctx, bytes_from(data, size));
    talloc_free(ctx);
    return 0;
}
