#pragma once
/* What an operator's tool asks of the store beyond kv.h: copies of an environment, keeping everybody out of one,
 * looking at what lies below the tables. Servers do not include this. Everything blocks. */
#include "store/kv.h"

/* Inside work that only reads: writes env, as the transaction sees it, to a new file (0600) that will do as a
 * data.mdb: nothing but what is used, with the map size given. Who reads several environments first (kv_snapshot)
 * has copies of the same moment, whatever is written meanwhile. The file is on disk when it returns.
 * OP_EXISTS; OP_FULL, OP_BROKEN: *ret_why is one line owned by ctx, and there is no file. */
must_check enum op_err kv_copy(struct kv_txn *txn, enum kv_env env, const char *path, size_t map_size, const void *ctx,
                               const char **ret_why);

/* Keeps every other process from opening the environment in dir until ctx is freed: who tries waits, and is refused
 * when its files have been replaced meanwhile. This process must not have it open. OP_BUSY: somebody has it open now;
 * *ret_why names the process if it can be told. OP_ABSENT: there is no environment. OP_BROKEN. */
must_check enum op_err kv_lock_out(const void *ctx, const char *dir, const char **ret_why);

/* Entries of a table after the key `after` (empty: from the first), at most limit, in key order; expired ones are
 * left out, and those that are damaged. Otherwise like kv_scan. */
typedef bool kv_each_entry(struct bytes key, struct bytes value, int64_t expires_at, void *arg);
must_check enum op_err kv_entries(struct kv_txn *txn, const struct kv_table *table, struct bytes after, size_t limit,
                                  kv_each_entry *each, void *arg);
/* Like kv_get, with the time at which it expires. */
must_check enum op_err kv_get_entry(struct kv_txn *txn, const struct kv_table *table, struct bytes key, const void *ctx,
                                    struct bytes *ret, int64_t *ret_expires_at);

/* What stands in an environment whatever its tables are, and whether everything that expires will be found when it
 * has: the expiry index against the entries, in both directions. */
struct kv_survey {
    uint64_t entries[240]; /* by key prefix; 239 is the environment's record */
    uint64_t damaged;      /* too short to be an entry, or under no prefix of ours */
    uint64_t unindexed;    /* they expire, but the index does not say so */
    uint64_t misindexed;   /* lines of the index that no entry has */
    uint64_t repaired;
    uint8_t position[512]; /* the last key seen */
    size_t position_len;   /* 0: all was seen */
};
/* Adds the next entries, at most limit, to the survey, which begins as zeros and is complete when its position_len
 * is 0 again. With repair, inside work that writes env, lines are added and removed as the entries say; a work that
 * may run again starts each time from the same survey. */
must_check enum op_err kv_survey(struct kv_txn *txn, enum kv_env env, size_t limit, bool repair,
                                 struct kv_survey *survey);
