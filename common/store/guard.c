#include "store/guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/num.h"
#include "base/rand.h"
#include "data/digest.h"
#include "store/environment.h"
#include "store/tables.h"

/* So many slots take a few MiB at the most. */
enum { SLOT_COUNT = 1 << 17, TAG_LEN = 8, SLOT_LEN = 8 + TAG_LEN };

static const char SLOT_KEY[] = "key";

/* A slot is full until full_until, in milliseconds since 1970: each count moves that on by a part of
 * the window, and the time that passes drains it. tag is whose count it is, zero when several
 * subjects' are in it: only a subject's own count is forgotten when it is reset, or an attacker who
 * signs in under a name that shares the victim's slot could go on guessing. */
struct slot {
    uint8_t key[4];
    uint8_t tag[TAG_LEN];
    int64_t full_until;
    uint8_t stored_tag[TAG_LEN];
};

static struct bytes joined(const void *ctx, const char *a, const char *b)
{
    struct buf buf = buf_make(ctx);
    buf_add(&buf, a);
    buf_add_char(&buf, '\0');
    buf_add(&buf, b);
    return buf_bytes(&buf);
}

static void digest_joined(const char *a, const char *b, uint8_t out[DIGEST_SHA256_LEN])
{
    void *scratch = mem_root("digest_joined");
    digest_sha256(joined(scratch, a, b), out);
    talloc_free(scratch);
}

enum op_err guard_use_jti(struct kv_txn *txn, const char *issuer, const char *jti, int64_t expires_at)
{
    uint8_t key[DIGEST_SHA256_LEN];
    digest_joined(issuer, jti, key);
    return kv_insert(txn, &TABLE_JTIS, bytes_from(key, sizeof key), bytes_of(NULL), expires_at);
}

enum op_err guard_made_at(struct kv_txn *txn, int64_t *ret)
{
    void *scratch = mem_root("guard_made_at");
    Rec__Environment *record;
    enum op_err err = environment_get(txn, KV_GUARD, scratch, &record);
    if (err == OP_OK)
        *ret = record->created_at;
    talloc_free(scratch);
    return err;
}

/* --- which slot --- */

/* OP_ABSENT: nothing was ever counted. */
static enum op_err slot_key_get(struct kv_txn *txn, uint8_t ret[DIGEST_KEY_LEN])
{
    void *scratch = mem_root("slot_key_get");
    struct bytes stored;
    enum op_err err = kv_get(txn, &TABLE_SLOT_KEY, bytes_of(SLOT_KEY), scratch, &stored);
    if (err == OP_OK && stored.len != DIGEST_KEY_LEN)
        err = OP_BROKEN;
    if (err == OP_OK) {
        memcpy(ret, stored.data, DIGEST_KEY_LEN);
        mem_wipe((void *)stored.data, stored.len); /* kv_get copied it */
    }
    talloc_free(scratch);
    return err;
}

/* There is one writer at a time, so all that ever count have the first one's key. */
static enum op_err slot_key_have(struct kv_txn *txn, uint8_t ret[DIGEST_KEY_LEN])
{
    enum op_err err = slot_key_get(txn, ret);
    if (err != OP_ABSENT)
        return err;
    rand_bytes(ret, DIGEST_KEY_LEN);
    return kv_insert(txn, &TABLE_SLOT_KEY, bytes_of(SLOT_KEY), bytes_from(ret, DIGEST_KEY_LEN), 0);
}

static struct slot slot_of(const uint8_t key[DIGEST_KEY_LEN], const char *kind, const char *subject)
{
    uint8_t digest[DIGEST_SHA256_LEN];
    void *scratch = mem_root("slot_of");
    digest_hmac_sha256(bytes_from(key, DIGEST_KEY_LEN), joined(scratch, kind, subject), digest);
    talloc_free(scratch);
    struct slot slot = {0};
    num_put_be32(slot.key, num_get_be32(digest) % SLOT_COUNT);
    memcpy(slot.tag, digest + 8, TAG_LEN);
    return slot;
}

/* --- what is in it --- */

static enum op_err slot_load(struct kv_txn *txn, struct slot *slot)
{
    void *scratch = mem_root("slot_load");
    struct bytes stored;
    enum op_err err = kv_get(txn, &TABLE_COUNTERS, bytes_from(slot->key, sizeof slot->key), scratch, &stored);
    if (err == OP_OK && stored.len == SLOT_LEN) {
        slot->full_until = (int64_t)num_get_be64(stored.data);
        memcpy(slot->stored_tag, stored.data + 8, TAG_LEN);
    }
    talloc_free(scratch);
    return err == OP_ABSENT ? OP_OK : err;
}

typedef enum op_err find_slot_key(struct kv_txn *txn, uint8_t ret[DIGEST_KEY_LEN]);

/* find is slot_key_have for what is going to count, and slot_key_get, and then OP_ABSENT, for what is not. */
static enum op_err slot_read(struct kv_txn *txn, find_slot_key *find, const struct guard_limit *limit,
                             const char *subject, struct slot *ret)
{
    uint8_t key[DIGEST_KEY_LEN];
    enum op_err err = find(txn, key);
    if (err != OP_OK)
        return err;
    struct slot slot = slot_of(key, limit->kind, subject);
    mem_wipe(key, sizeof key);
    err = slot_load(txn, &slot);
    if (err == OP_OK)
        *ret = slot;
    return err;
}

static int64_t now_ms(const struct kv_txn *txn)
{
    return kv_now(txn) * 1000;
}

static int64_t window_ms(const struct guard_limit *limit)
{
    return (int64_t)limit->window_seconds * 1000;
}

/* What one count adds. */
static int64_t step_ms(const struct guard_limit *limit)
{
    assert(limit->limit > 0);
    int64_t step = window_ms(limit) / limit->limit;
    return step > 0 ? step : 1;
}

/* How full the slot is, never more than this limit's window: another kind may share it. */
static int64_t level_ms(const struct kv_txn *txn, const struct guard_limit *limit, const struct slot *slot)
{
    int64_t level = slot->full_until - now_ms(txn);
    if (level < 0)
        return 0;
    return level > window_ms(limit) ? window_ms(limit) : level;
}

static unsigned wait_of(const struct kv_txn *txn, const struct guard_limit *limit, const struct slot *slot)
{
    int64_t over = level_ms(txn, limit, slot) + step_ms(limit) - window_ms(limit);
    return over <= 0 || step_ms(limit) > window_ms(limit) ? 0 : (unsigned)((over + 999) / 1000);
}

static enum op_err slot_count(struct kv_txn *txn, const struct guard_limit *limit, const struct slot *slot)
{
    static const uint8_t several[TAG_LEN] = {0};
    int64_t level = level_ms(txn, limit, slot) + step_ms(limit);
    int64_t full_until = now_ms(txn) + (level > window_ms(limit) ? window_ms(limit) : level);
    bool drained = slot->full_until <= now_ms(txn), own = drained || memcmp(slot->stored_tag, slot->tag, TAG_LEN) == 0;
    uint8_t stored[SLOT_LEN];
    num_put_be64(stored, (uint64_t)(full_until > slot->full_until ? full_until : slot->full_until));
    memcpy(stored + 8, own ? slot->tag : several, TAG_LEN);
    return kv_put(txn, &TABLE_COUNTERS, bytes_from(slot->key, sizeof slot->key), bytes_from(stored, sizeof stored), 0);
}

enum op_err guard_wait(struct kv_txn *txn, const struct guard_limit *limit, const char *subject, unsigned *ret_seconds)
{
    struct slot slot;
    enum op_err err = slot_read(txn, slot_key_get, limit, subject, &slot);
    if (err == OP_OK)
        *ret_seconds = wait_of(txn, limit, &slot);
    else if (err == OP_ABSENT)
        *ret_seconds = 0;
    return err == OP_ABSENT ? OP_OK : err;
}

enum op_err guard_count(struct kv_txn *txn, const struct guard_limit *limit, const char *subject)
{
    struct slot slot;
    enum op_err err = slot_read(txn, slot_key_have, limit, subject, &slot);
    return err != OP_OK ? err : slot_count(txn, limit, &slot);
}

enum op_err guard_try(struct kv_txn *txn, const struct guard_limit *limit, const char *subject, unsigned *ret_seconds)
{
    struct slot slot;
    enum op_err err = slot_read(txn, slot_key_have, limit, subject, &slot);
    if (err != OP_OK)
        return err;
    unsigned wait = wait_of(txn, limit, &slot);
    if (wait == 0)
        err = slot_count(txn, limit, &slot);
    if (err == OP_OK)
        *ret_seconds = wait;
    return err;
}

enum op_err guard_take_back(struct kv_txn *txn, const struct guard_limit *limit, const char *subject)
{
    struct slot slot;
    enum op_err err = slot_read(txn, slot_key_get, limit, subject, &slot);
    if (err != OP_OK || memcmp(slot.stored_tag, slot.tag, TAG_LEN) != 0)
        return err == OP_ABSENT ? OP_OK : err;
    uint8_t stored[SLOT_LEN];
    num_put_be64(stored, (uint64_t)(slot.full_until - step_ms(limit)));
    memcpy(stored + 8, slot.tag, TAG_LEN);
    return kv_put(txn, &TABLE_COUNTERS, bytes_from(slot.key, sizeof slot.key), bytes_from(stored, sizeof stored), 0);
}

enum op_err guard_reset(struct kv_txn *txn, const struct guard_limit *limit, const char *subject)
{
    struct slot slot;
    enum op_err err = slot_read(txn, slot_key_get, limit, subject, &slot);
    if (err != OP_OK || memcmp(slot.stored_tag, slot.tag, TAG_LEN) != 0)
        return err == OP_ABSENT ? OP_OK : err;
    err = kv_delete(txn, &TABLE_COUNTERS, bytes_from(slot.key, sizeof slot.key));
    return err == OP_ABSENT ? OP_OK : err;
}

char *guard_address(const void *ctx, const char *address)
{
    struct in6_addr ip;
    if (inet_pton(AF_INET6, address, &ip) != 1 || IN6_IS_ADDR_V4MAPPED(&ip))
        return mem_strdup(ctx, address);
    return codec_hex(ctx, bytes_from(&ip, 8));
}
