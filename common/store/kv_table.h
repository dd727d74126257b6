#pragma once
/* Tables, expiry and latched errors on top of one ordered map of bytes per environment. Only kv
 * includes this. kv_table.c has the calls of kv.h that work makes; kv.c has the map's own, below.
 *
 * An entry is   [prefix of the table] [key]  ->  [expires_at, 8 bytes] [value]
 * and, if it expires, its line in the expiry index:   [240] [expires_at] [prefix] [key]  ->  nothing */
#include "store/kv.h"

struct kv_snapshots; /* one thread's read transactions */

struct kv_txn {
    struct kv_snapshots *snapshots;
    void *write;            /* kv.c's transaction in write_env; NULL: nothing is written */
    enum kv_env write_env;  /* KV_READ_ONLY when write is NULL */
    int added;              /* entries more than before */
    bool ring;
    enum op_err latched;    /* the first hard error */
    int64_t now;
};

enum {
    KV_KEY_MAX = 400,
    KV_EXPIRY_LEN = 8,
    KV_INDEX_PREFIX = 240,
    KV_INDEX_HEAD_LEN = 1 + KV_EXPIRY_LEN,
    KV_STORED_MAX = KV_INDEX_HEAD_LEN + 1 + KV_KEY_MAX, /* LMDB takes 511 */
};

/* A key as stored. */
struct kv_key {
    uint8_t data[KV_STORED_MAX];
    size_t len;
};
struct bytes kv_key_bytes(const struct kv_key *key);
struct kv_key kv_entry_key(const struct kv_table *table, struct bytes key);
/* Its line in the expiry index. */
struct kv_key kv_index_key(const struct kv_key *entry, int64_t expires_at);

struct kv_entry {
    int64_t expires_at;
    struct bytes value;
    bool live;
};
/* OP_BROKEN: not an entry. */
must_check enum op_err kv_parse_entry(const struct kv_txn *txn, struct bytes stored, struct kv_entry *ret);

/* Latches err if it is the first one; returns the one that is latched. */
enum op_err kv_latch(struct kv_txn *txn, enum op_err err);

/* --- the map (kv.c). Keys are as stored. Hard errors are latched. --- */

/* *ret points into the map until the transaction's next write. OP_ABSENT. */
must_check enum op_err kv_map_get(struct kv_txn *txn, enum kv_env env, struct bytes key, struct bytes *ret);
/* Calls each for entries from the first one not below `from`, in order, until it returns false. */
must_check enum op_err kv_map_walk(struct kv_txn *txn, enum kv_env env, struct bytes from, kv_each *each, void *arg);
/* Stores expires_at and value under key in the environment that is written. */
enum op_err kv_map_put(struct kv_txn *txn, struct bytes key, int64_t expires_at, struct bytes value);
/* The same without a value, not even an expiry. */
enum op_err kv_map_put_empty(struct kv_txn *txn, struct bytes key);
/* OP_ABSENT. */
enum op_err kv_map_delete(struct kv_txn *txn, struct bytes key);
