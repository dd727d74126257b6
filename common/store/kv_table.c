#include "store/kv_table.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "store/kv_tools.h"

enum { REMOVED_PER_WRITE = 2, SWEEP_CHUNK = 16 };

struct bytes kv_key_bytes(const struct kv_key *key)
{
    return bytes_from(key->data, key->len);
}

static bool key_fits(struct bytes key)
{
    return key.len >= 1 && key.len <= KV_KEY_MAX;
}

struct kv_key kv_entry_key(const struct kv_table *table, struct bytes key)
{
    struct kv_key stored = {.len = 1 + key.len};
    stored.data[0] = table->prefix;
    if (key.len != 0)
        memcpy(stored.data + 1, key.data, key.len);
    return stored;
}

struct kv_key kv_index_key(const struct kv_key *entry, int64_t expires_at)
{
    struct kv_key stored = {.len = KV_INDEX_HEAD_LEN + entry->len};
    stored.data[0] = KV_INDEX_PREFIX;
    num_put_be64(stored.data + 1, (uint64_t)expires_at);
    memcpy(stored.data + KV_INDEX_HEAD_LEN, entry->data, entry->len);
    return stored;
}

enum op_err kv_latch(struct kv_txn *txn, enum op_err err)
{
    if (txn->latched == OP_OK)
        txn->latched = err;
    return txn->latched;
}

enum op_err kv_parse_entry(const struct kv_txn *txn, struct bytes stored, struct kv_entry *ret)
{
    if (stored.len < KV_EXPIRY_LEN)
        return OP_BROKEN;
    int64_t expires_at = (int64_t)num_get_be64(stored.data);
    *ret = (struct kv_entry){.expires_at = expires_at,
                          .value = bytes_from(stored.data + KV_EXPIRY_LEN, stored.len - KV_EXPIRY_LEN),
                          .live = expires_at == 0 || expires_at > txn->now};
    return OP_OK;
}

/* The entry, expired or not. OP_ABSENT. */
static enum op_err find(struct kv_txn *txn, enum kv_env env, const struct kv_key *key, struct kv_entry *ret)
{
    struct bytes stored;
    enum op_err err = kv_map_get(txn, env, kv_key_bytes(key), &stored);
    if (err == OP_OK && kv_parse_entry(txn, stored, ret) != OP_OK)
        err = kv_latch(txn, OP_BROKEN);
    return err;
}

static enum op_err find_live(struct kv_txn *txn, const struct kv_table *table, struct bytes key, struct kv_entry *ret)
{
    if (txn->latched != OP_OK)
        return txn->latched;
    if (!key_fits(key))
        return OP_ABSENT;
    struct kv_key stored = kv_entry_key(table, key);
    struct kv_entry entry = {0};
    enum op_err err = find(txn, table->env, &stored, &entry);
    if (err == OP_OK && !entry.live)
        err = OP_ABSENT;
    if (err == OP_OK)
        *ret = entry;
    return err;
}

static enum op_err remove_stored(struct kv_txn *txn, const struct kv_key *key, int64_t expires_at)
{
    if (expires_at != 0) {
        struct kv_key index = kv_index_key(key, expires_at);
        kv_map_delete(txn, kv_key_bytes(&index));
    }
    txn->added--;
    return kv_map_delete(txn, kv_key_bytes(key));
}

/* The first lines of the expiry index that are due. */
struct due {
    int64_t now;
    size_t limit, count;
    struct kv_key lines[SWEEP_CHUNK];
};

static bool due_each(struct bytes key, struct bytes value, void *arg)
{
    (void)value;
    struct due *due = arg;
    if (due->count == due->limit || key.len <= KV_INDEX_HEAD_LEN || key.len > KV_STORED_MAX || key.data[0] != KV_INDEX_PREFIX ||
        (int64_t)num_get_be64(key.data + 1) > due->now)
        return false;
    struct kv_key *line = &due->lines[due->count++];
    memcpy(line->data, key.data, key.len);
    line->len = key.len;
    return true;
}

static void remove_due(struct kv_txn *txn, const struct kv_key *line)
{
    struct kv_key key = {.len = line->len - KV_INDEX_HEAD_LEN};
    memcpy(key.data, line->data + KV_INDEX_HEAD_LEN, key.len);
    struct kv_entry entry = {0};
    if (find(txn, txn->write_env, &key, &entry) == OP_OK && entry.expires_at == (int64_t)num_get_be64(line->data + 1))
        kv_map_delete(txn, kv_key_bytes(&key));
    kv_map_delete(txn, kv_key_bytes(line));
    txn->added--;
}

static size_t remove_expired(struct kv_txn *txn, size_t limit)
{
    static const uint8_t start[] = {KV_INDEX_PREFIX};
    struct due due = {.now = txn->now, .limit = limit < SWEEP_CHUNK ? limit : SWEEP_CHUNK};
    if (kv_map_walk(txn, txn->write_env, bytes_from(start, sizeof start), due_each, &due) != OP_OK)
        return 0;
    for (size_t i = 0; i < due.count; i++)
        remove_due(txn, &due.lines[i]);
    return due.count;
}

static void check_writable(const struct kv_txn *txn, const struct kv_table *table)
{
    assert(txn->write != NULL && table->env == txn->write_env);
    (void)txn, (void)table; /* for builds without assertions */
}

static enum op_err store(struct kv_txn *txn, const struct kv_key *key, int64_t old_expires_at, struct bytes value,
                         int64_t expires_at)
{
    if (old_expires_at != 0 && old_expires_at != expires_at) {
        struct kv_key index = kv_index_key(key, old_expires_at);
        kv_map_delete(txn, kv_key_bytes(&index));
    }
    if (expires_at != 0 && old_expires_at != expires_at) {
        struct kv_key index = kv_index_key(key, expires_at);
        kv_map_put_empty(txn, kv_key_bytes(&index));
    }
    return kv_map_put(txn, kv_key_bytes(key), expires_at, value);
}

enum op_err kv_get_entry(struct kv_txn *txn, const struct kv_table *table, struct bytes key, const void *ctx,
                         struct bytes *ret, int64_t *ret_expires_at)
{
    struct kv_entry entry = {0};
    enum op_err err = find_live(txn, table, key, &entry);
    if (err == OP_OK) {
        *ret = mem_bytes(ctx, entry.value);
        *ret_expires_at = entry.expires_at;
    }
    return err;
}

enum op_err kv_get(struct kv_txn *txn, const struct kv_table *table, struct bytes key, const void *ctx,
                   struct bytes *ret)
{
    int64_t expires_at;
    return kv_get_entry(txn, table, key, ctx, ret, &expires_at);
}

/* Writes when allowed(entry or NULL) says OP_OK; else that is the result. */
typedef enum op_err may_write(const struct kv_entry *present, struct bytes expected);

static enum op_err write_if(struct kv_txn *txn, const struct kv_table *table, struct bytes key, may_write *allowed,
                            struct bytes expected, struct bytes value, int64_t expires_at)
{
    check_writable(txn, table);
    if (txn->latched != OP_OK)
        return txn->latched;
    if (!key_fits(key))
        return kv_latch(txn, OP_TOO_LARGE);
    if (expires_at < 0)
        expires_at = 1;
    if (expires_at != 0)
        remove_expired(txn, REMOVED_PER_WRITE);
    struct kv_key stored = kv_entry_key(table, key);
    struct kv_entry old = {0};
    enum op_err err = find(txn, table->env, &stored, &old);
    if (err != OP_OK && err != OP_ABSENT)
        return err;
    bool added = err == OP_ABSENT;
    err = allowed(err == OP_ABSENT || !old.live ? NULL : &old, expected);
    if (err != OP_OK)
        return err;
    txn->added += added;
    return store(txn, &stored, old.expires_at, value, expires_at);
}

static enum op_err always(const struct kv_entry *present, struct bytes expected)
{
    (void)present, (void)expected;
    return OP_OK;
}

static enum op_err if_absent(const struct kv_entry *present, struct bytes expected)
{
    (void)expected;
    return present == NULL ? OP_OK : OP_EXISTS;
}

static enum op_err if_expected(const struct kv_entry *present, struct bytes expected)
{
    if (present == NULL)
        return OP_ABSENT;
    return bytes_equal(present->value, expected) ? OP_OK : OP_MISMATCH;
}

enum op_err kv_put(struct kv_txn *txn, const struct kv_table *table, struct bytes key, struct bytes value,
                   int64_t expires_at)
{
    return write_if(txn, table, key, always, bytes_of(NULL), value, expires_at);
}

enum op_err kv_insert(struct kv_txn *txn, const struct kv_table *table, struct bytes key, struct bytes value,
                      int64_t expires_at)
{
    return write_if(txn, table, key, if_absent, bytes_of(NULL), value, expires_at);
}

enum op_err kv_replace(struct kv_txn *txn, const struct kv_table *table, struct bytes key, struct bytes expected,
                       struct bytes value, int64_t expires_at)
{
    return write_if(txn, table, key, if_expected, expected, value, expires_at);
}

enum op_err kv_take(struct kv_txn *txn, const struct kv_table *table, struct bytes key, const void *ctx,
                    struct bytes *ret)
{
    check_writable(txn, table);
    struct kv_entry entry = {0};
    enum op_err err = find_live(txn, table, key, &entry);
    if (err != OP_OK)
        return err;
    struct bytes copy = mem_bytes(ctx, entry.value);
    struct kv_key stored = kv_entry_key(table, key);
    err = remove_stored(txn, &stored, entry.expires_at);
    if (err == OP_OK)
        *ret = copy;
    return err;
}

enum op_err kv_delete(struct kv_txn *txn, const struct kv_table *table, struct bytes key)
{
    check_writable(txn, table);
    if (txn->latched != OP_OK)
        return txn->latched;
    if (!key_fits(key))
        return OP_ABSENT;
    struct kv_key stored = kv_entry_key(table, key);
    struct kv_entry entry = {0};
    enum op_err err = find(txn, table->env, &stored, &entry);
    if (err != OP_OK)
        return err;
    err = remove_stored(txn, &stored, entry.expires_at);
    return err == OP_OK && !entry.live ? OP_ABSENT : err;
}

struct scan {
    struct kv_txn *txn;
    struct kv_key prefix, after;
    size_t limit, count;
    kv_each *each;
    void *arg;
    bool broken;
};

static bool scan_each(struct bytes key, struct bytes value, void *arg)
{
    struct scan *scan = arg;
    if (key.len < scan->prefix.len || memcmp(key.data, scan->prefix.data, scan->prefix.len) != 0)
        return false;
    if (bytes_equal(key, kv_key_bytes(&scan->after)))
        return true;
    struct kv_entry entry = {0};
    scan->broken = kv_parse_entry(scan->txn, value, &entry) != OP_OK;
    if (scan->broken || !entry.live)
        return !scan->broken;
    scan->count++;
    return scan->each(bytes_from(key.data + 1, key.len - 1), entry.value, scan->arg) && scan->count < scan->limit;
}

enum op_err kv_scan(struct kv_txn *txn, const struct kv_table *table, struct bytes prefix, struct bytes after,
                    size_t limit, kv_each *each, void *arg)
{
    if (txn->latched != OP_OK)
        return txn->latched;
    if (limit == 0 || prefix.len > KV_KEY_MAX)
        return OP_OK;
    if (after.len > KV_KEY_MAX)
        after.len = KV_KEY_MAX; /* no key lies between */
    struct scan scan = {.txn = txn, .limit = limit, .each = each, .arg = arg};
    scan.prefix = kv_entry_key(table, prefix);
    scan.after = kv_entry_key(table, after);
    size_t shared = after.len < prefix.len ? scan.after.len : scan.prefix.len;
    int order = memcmp(scan.after.data, scan.prefix.data, shared);
    bool from_after = order > 0 || (order == 0 && after.len >= prefix.len);
    enum op_err err =
        kv_map_walk(txn, table->env, kv_key_bytes(from_after ? &scan.after : &scan.prefix), scan_each, &scan);
    return err == OP_OK && scan.broken ? kv_latch(txn, OP_BROKEN) : err;
}

size_t kv_sweep(struct kv_txn *txn, enum kv_env env, size_t limit)
{
    assert(txn->write != NULL && env == txn->write_env);
    (void)env;
    size_t removed = 0, chunk;
    do {
        size_t left = limit - removed;
        chunk = txn->latched == OP_OK ? remove_expired(txn, left) : 0;
        removed += chunk;
    } while (chunk == SWEEP_CHUNK);
    return removed;
}

int64_t kv_now(const struct kv_txn *txn)
{
    return txn->now;
}

void kv_ring(struct kv_txn *txn)
{
    txn->ring = true;
}
