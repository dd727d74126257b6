#include "protocol/refresh_token.h"

#include <assert.h>
#include <string.h>

#include "base/codec.h"
#include "base/num.h"
#include "protocol/client_auth.h"

enum {
    GENERATION_LEN = 4,
    BODY_LEN = REFRESH_FAMILY_LEN + GENERATION_LEN + REFRESH_SECRET_LEN,
    TOKEN_LEN = BODY_LEN + DIGEST_SHA256_LEN,
    TEXT_LEN = TOKEN_LEN / 3 * 4, /* 84 bytes are 112 characters: no remainder */
};
_Static_assert(TOKEN_LEN % 3 == 0, "the text has no padding to leave out");

/* family || generation || secret */
static void put_body(const struct refresh_token *token, uint32_t generation, uint8_t out[BODY_LEN])
{
    memcpy(out, token->family_id, REFRESH_FAMILY_LEN);
    num_put_be32(out + REFRESH_FAMILY_LEN, generation);
    memcpy(out + REFRESH_FAMILY_LEN + GENERATION_LEN, token->secret, REFRESH_SECRET_LEN);
}

static void make_tag(const uint8_t k[DIGEST_KEY_LEN], const struct refresh_token *token, uint8_t out[DIGEST_SHA256_LEN])
{
    static const char label[] = {'i', 's', 's', 'u', 'e', 'd'};
    uint8_t in[sizeof label + BODY_LEN];
    memcpy(in, label, sizeof label);
    put_body(token, token->generation, in + sizeof label);
    digest_hmac_sha256(bytes_from(k, DIGEST_KEY_LEN), bytes_from(in, sizeof in), out);
    mem_wipe(in, sizeof in);
}

/* Of the secret and its tag: a token whose tag was changed is not the one that was issued, even under a
 * later K, which could not tell. */
static void hash_secret(const struct refresh_token *token, uint8_t out[DIGEST_SHA256_LEN])
{
    uint8_t in[REFRESH_SECRET_LEN + DIGEST_SHA256_LEN];
    memcpy(in, token->secret, REFRESH_SECRET_LEN);
    memcpy(in + REFRESH_SECRET_LEN, token->tag, DIGEST_SHA256_LEN);
    digest_sha256(bytes_from(in, sizeof in), out);
    mem_wipe(in, sizeof in);
}

enum op_err refresh_token_parse(const char *text, struct refresh_token *ret)
{
    if (strnlen(text, TEXT_LEN + 1) != TEXT_LEN)
        return OP_INVALID;
    void *scratch = mem_root("refresh_token");
    struct bytes in;
    enum op_err err = codec_from_base64url(scratch, bytes_from(text, TEXT_LEN), &in);
    if (err == OP_OK) {
        assert(in.len == TOKEN_LEN);
        memcpy(ret->family_id, in.data, REFRESH_FAMILY_LEN);
        ret->generation = num_get_be32(in.data + REFRESH_FAMILY_LEN);
        memcpy(ret->secret, in.data + REFRESH_FAMILY_LEN + GENERATION_LEN, REFRESH_SECRET_LEN);
        memcpy(ret->tag, in.data + BODY_LEN, DIGEST_SHA256_LEN);
        mem_wipe((void *)(uintptr_t)in.data, in.len);
    }
    talloc_free(scratch);
    return err;
}

char *refresh_token_text(const void *ctx, const struct refresh_token *token)
{
    uint8_t out[TOKEN_LEN];
    put_body(token, token->generation, out);
    memcpy(out + BODY_LEN, token->tag, DIGEST_SHA256_LEN);
    char *text = mem_secret(codec_base64url(ctx, bytes_from(out, sizeof out)));
    mem_wipe(out, sizeof out);
    return text;
}

void refresh_token_first(const uint8_t k[DIGEST_KEY_LEN], const uint8_t family_id[REFRESH_FAMILY_LEN],
                         const uint8_t secret[REFRESH_SECRET_LEN], struct refresh_token *ret)
{
    ret->generation = 1;
    memcpy(ret->family_id, family_id, REFRESH_FAMILY_LEN);
    memcpy(ret->secret, secret, REFRESH_SECRET_LEN);
    make_tag(k, ret, ret->tag);
}

void refresh_token_next(const uint8_t k[DIGEST_KEY_LEN], const struct refresh_token *token, struct refresh_token *ret)
{
    uint8_t in[BODY_LEN];
    struct refresh_token next = {.generation = token->generation + 1};
    put_body(token, next.generation, in);
    memcpy(next.family_id, token->family_id, REFRESH_FAMILY_LEN);
    digest_hmac_sha256(bytes_from(k, DIGEST_KEY_LEN), bytes_from(in, sizeof in), next.secret);
    make_tag(k, &next, next.tag);
    *ret = next;
    mem_wipe(in, sizeof in);
    mem_wipe(&next, sizeof next);
}

bool refresh_token_is_ours(const uint8_t k[DIGEST_KEY_LEN], const struct refresh_token *token)
{
    uint8_t tag[DIGEST_SHA256_LEN];
    make_tag(k, token, tag);
    return bytes_equal_ct(bytes_from(tag, sizeof tag), bytes_from(token->tag, sizeof token->tag));
}

static Rec__RefreshGeneration *find_generation(const Rec__Family *family, uint32_t generation)
{
    for (size_t i = 0; i < family->n_generations; i++)
        if (family->generations[i]->generation == generation)
            return family->generations[i];
    return NULL;
}

static bool hash_is_kept(const Rec__RefreshGeneration *kept, const struct refresh_token *token)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    hash_secret(token, hash);
    return bytes_equal_ct(bytes_from(hash, sizeof hash), bytes_from(kept->secret_hash.data, kept->secret_hash.len));
}

static bool is_of_family(const struct refresh_token *token, const Rec__Family *family)
{
    return bytes_equal(bytes_from(family->family_id.data, family->family_id.len),
                       bytes_from(token->family_id, REFRESH_FAMILY_LEN));
}

/* A predecessor is still answered: it may be a lost answer or a race. */
static bool is_within_windows(const Rec__RefreshGeneration *kept, const struct refresh_windows *windows, int64_t now)
{
    return now - kept->rotated_at <= windows->lost_answer &&
           (!kept->has_successor_presented_at || now - kept->successor_presented_at <= windows->race);
}

/* A kept predecessor, whose secret is right. */
static enum refresh_verdict judge_predecessor(const uint8_t k[DIGEST_KEY_LEN], const struct refresh_token *token,
                                              const Rec__Family *family, const Rec__RefreshGeneration *kept,
                                              const struct refresh_windows *windows, int64_t now)
{
    if (!is_within_windows(kept, windows, now))
        return REFRESH_THEFT;
    struct refresh_token next;
    refresh_token_next(k, token, &next);
    const Rec__RefreshGeneration *successor = find_generation(family, next.generation);
    bool the_same = successor != NULL && hash_is_kept(successor, &next);
    mem_wipe(&next, sizeof next);
    /* Under a new K the successor cannot be made again; in use already, it cannot be replaced either. */
    return the_same || !kept->has_successor_presented_at ? REFRESH_RETRY : REFRESH_INVALID;
}

enum refresh_verdict refresh_judge(const uint8_t k[DIGEST_KEY_LEN], const struct refresh_token *token,
                                   const Rec__Family *family, const struct refresh_windows *windows, int64_t now)
{
    if (family->n_generations == 0 || !is_of_family(token, family))
        return REFRESH_INVALID;
    const Rec__RefreshGeneration *current = family->generations[family->n_generations - 1];
    if (token->generation < 1 || token->generation > current->generation)
        return REFRESH_INVALID;
    const Rec__RefreshGeneration *kept = find_generation(family, token->generation);
    if (kept == NULL)
        return refresh_token_is_ours(k, token) ? REFRESH_THEFT : REFRESH_INVALID;
    if (!hash_is_kept(kept, token))
        return REFRESH_INVALID;
    return kept == current ? REFRESH_CURRENT : judge_predecessor(k, token, family, kept, windows, now);
}

static const Rec__RefreshGeneration *find_kept(const Rec__Family *family, const struct refresh_token *token)
{
    const Rec__RefreshGeneration *kept = find_generation(family, token->generation);
    return is_of_family(token, family) && kept != NULL && hash_is_kept(kept, token) ? kept : NULL;
}

bool refresh_token_is_kept(const struct refresh_token *token, const Rec__Family *family)
{
    return find_kept(family, token) != NULL;
}

bool refresh_token_is_answered(const struct refresh_token *token, const Rec__Family *family,
                               const struct refresh_windows *windows, int64_t now)
{
    const Rec__RefreshGeneration *kept = find_kept(family, token);
    return kept != NULL && (kept == family->generations[family->n_generations - 1] ||
                            is_within_windows(kept, windows, now));
}

static void set_hash(const void *ctx, Rec__RefreshGeneration *generation, const struct refresh_token *token)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    hash_secret(token, hash);
    struct bytes copy = mem_bytes(ctx, bytes_from(hash, sizeof hash));
    generation->has_secret_hash = true;
    generation->secret_hash = (ProtobufCBinaryData){copy.len, (uint8_t *)(uintptr_t)copy.data};
}

/* Adds a generation as the current one, and lets the oldest go when there are too many. */
static void append(const void *ctx, Rec__Family *family, const struct refresh_token *token)
{
    size_t drop = family->n_generations < REFRESH_GENERATIONS_KEPT
                      ? 0
                      : family->n_generations - REFRESH_GENERATIONS_KEPT + 1;
    size_t kept = family->n_generations - drop;
    Rec__RefreshGeneration **list = mem_array(ctx, Rec__RefreshGeneration *, kept + 1);
    for (size_t i = 0; i < kept; i++)
        list[i] = family->generations[drop + i];
    list[kept] = records_new(ctx, &rec__refresh_generation__descriptor);
    list[kept]->has_generation = true;
    list[kept]->generation = token->generation;
    set_hash(ctx, list[kept], token);
    family->generations = list;
    family->n_generations = kept + 1;
}

void refresh_begin(const void *ctx, Rec__Family *family, const struct refresh_token *first)
{
    assert(family->n_generations == 0 && first->generation == 1);
    append(ctx, family, first);
}

bool refresh_apply(const void *ctx, Rec__Family *family, const struct refresh_token *presented,
                   const struct refresh_token *next, bool rotate, int64_t now)
{
    bool changed = false;
    Rec__RefreshGeneration *before = find_generation(family, presented->generation - 1);
    if (before != NULL && !before->has_successor_presented_at) {
        before->has_successor_presented_at = true;
        before->successor_presented_at = now;
        changed = true;
    }
    Rec__RefreshGeneration *own = find_generation(family, presented->generation);
    assert(own != NULL);
    Rec__RefreshGeneration *successor = find_generation(family, presented->generation + 1);
    if (successor != NULL && !hash_is_kept(successor, next)) {
        set_hash(ctx, successor, next);
        changed = true;
    } else if (successor == NULL && rotate) {
        own->has_rotated_at = true;
        own->rotated_at = now;
        append(ctx, family, next);
        changed = true;
    }
    return changed;
}

bool refresh_rotates(const Rec__Client *client)
{
    return client->has_rotate_refresh_tokens ? client->rotate_refresh_tokens : client_is_public(client);
}
