#pragma once
/* The store: LMDB environments behind transactions that run as closures. The only home of lmdb.h.
 *
 * kv_run() is the only way in. Reads run at once on the caller's thread; writes go to one writer
 * thread per environment, which runs all that has queued up, each in a child transaction of one
 * parent, commits once, and only then reports: group commit. A reply that leaves after `done` is
 * covered by a commit on disk (durable environments; volatile ones live on a tmpfs). */
#include "base/err.h"
#include "base/histogram.h"
#include "base/mem.h"

enum kv_env {
    KV_KEYS, KV_JWKS, KV_CLIENTS, KV_USERS, KV_CREDENTIALS, KV_SESSIONS, KV_TOKENS, KV_OUTBOX,
    KV_CODES, KV_ASYNC, KV_GUARD, KV_REMOTE,
    KV_ENV_COUNT,
    KV_READ_ONLY = KV_ENV_COUNT, /* for kv_run: nothing is written */
};

const char *kv_env_name(enum kv_env env); /* "keys" and so on */
bool kv_env_is_volatile(enum kv_env env); /* codes, async, guard, remote */

/* One table: a key prefix in one environment. store/tables.h lists them all. */
struct kv_table {
    enum kv_env env;
    uint8_t prefix; /* 1..239 (239 is the environment record, in every one); higher ones are kv's own */
    const char *name;
};

struct kv_store {
    enum kv_env env;
    bool write;
};

/* What the operator must hear, once when it begins and once when it is over: OP_FULL, OP_BROKEN (the
 * line names the path and what to do; a lock file that somebody wrote to is one), OP_OK when writes
 * succeed again. Called from kv_dispatch. line is valid during the call. */
typedef void kv_alarm(enum kv_env env, enum op_err what, const char *line, void *arg);

struct kv_config {
    const char *state_dir;   /* durable environments: state_dir/NAME/data.mdb */
    const char *runtime_dir; /* volatile ones */
    unsigned queue_max;      /* writes waiting per environment; 0: 4096 */
    unsigned wait_ms;        /* a write that waited longer is OP_BUSY; 0: 2000 */
    kv_alarm *alarm;         /* may be NULL */
    void *alarm_arg;
};

/* The environments one process has open. A process opens an environment once (LMDB's locks belong to
 * the process), never opens its lock.mdb itself meanwhile, and does not use a kv across fork. All
 * calls come from one thread, that of the event loop; only `work` runs elsewhere too. */
struct kv;
struct kv_txn; /* valid inside one call of `work` */

/* Opens the listed environments and starts the writer threads. Refuses, with one line in *ret_why
 * (owned by ctx) that names the path and what to do: an environment that is not there, a lock.mdb
 * that cannot be written, a data.mdb that cannot be read (or written, where write is asked for), a
 * missing bell. Never creates an environment. Freed with ctx (writers drained and joined). Blocks. */
must_check enum op_err kv_open(const void *ctx, const struct kv_config *config, const struct kv_store *stores,
                               size_t count, struct kv **ret, const char **ret_why);

/* Makes one environment's directory content: data.mdb (0664), lock.mdb (0660) and bell (0664)
 * whatever the umask, with the map size given in bytes (0: the environment's default), recorded for
 * everyone. The directory must exist; groups are the caller's to set. What a broken-off call left is
 * completed. OP_EXISTS: it is already made (nothing is changed); else *ret_why is one line owned by
 * ctx: OP_ABSENT (no such directory), OP_BUSY (its lock.mdb is gone, and a process still writes it), OP_FULL,
 * OP_BROKEN. Blocks. */
must_check enum op_err kv_create(const void *ctx, const char *dir, enum kv_env env, size_t map_size,
                                 const char **ret_why);

/* Runs inside one transaction. May run more than once: it changes only what arg points to, and
 * sets that anew each time. Must not block, hash passwords, sign, or touch a network. Returning
 * anything but OP_OK undoes its writes and becomes the result (a decision to refuse that must also
 * write something is OP_OK with the refusal in arg). */
typedef enum op_err kv_work(struct kv_txn *txn, void *arg);
/* Runs on the thread that calls kv_dispatch (the event loop), or at once for reads. result is
 * work's, or OP_BUSY, OP_FULL or OP_BROKEN, and then nothing was written. */
typedef void kv_done(enum op_err result, void *arg);

/* env: the one environment the work may write (which must be open for writing), or KV_READ_ONLY.
 * It may read every open environment. done is called exactly once: before kv_run returns for
 * KV_READ_ONLY, and from kv_dispatch otherwise (also for OP_BUSY). Work never calls kv_run; done may.
 * What is still waiting when kv is freed is run and reported first. Never blocks. */
void kv_run(struct kv *kv, enum kv_env env, kv_work *work, kv_done *done, void *arg);

/* The same for tools and tests: waits for the commit and returns the result. Blocks. */
must_check enum op_err kv_run_wait(struct kv *kv, enum kv_env env, kv_work *work, void *arg);

/* A descriptor that becomes readable when kv_dispatch has something to do. */
int kv_event_fd(const struct kv *kv);
/* Delivers finished writes and rung bells. Never blocks. */
void kv_dispatch(struct kv *kv);

/* Calls back from kv_dispatch whenever a writer in any process rang env's bell, and every 10 s.
 * OP_ABSENT: env is not open; OP_FULL: no inotify watch or descriptor left; OP_BROKEN. */
typedef void kv_bell(void *arg);
must_check enum op_err kv_watch(struct kv *kv, enum kv_env env, kv_bell *callback, void *arg);

/* What monitoring wants to know of one environment. */
struct kv_stats {
    uint64_t map_bytes, size_bytes;   /* how large it can grow; how large it has grown: pages in use and free ones */
    uint64_t used_bytes, used_pages, free_pages;
    uint64_t readers, readers_max;    /* slots in use, of all processes */
    bool writes;                      /* open for writing; else all below is 0 */
    /* This process's: */
    uint64_t queue_length, queue_max; /* writes that wait */
    uint64_t commits, works;          /* works: those that were committed */
    uint64_t full_errors, busy_errors, failed_commits;
    bool is_full, is_broken, is_tampered; /* as the alarms say */
    struct histogram batch_sizes;     /* works of one commit */
    struct histogram commit_us;       /* how long a commit took */
};
/* OP_ABSENT: env is not open. Takes microseconds, however large the environment is. */
must_check enum op_err kv_stats(struct kv *kv, enum kv_env env, struct kv_stats *ret);

/* Whether the environment is still what this process opened: its files are in their place, and it can be read.
 * *ret_why: one line that names it, owned by ctx. OP_ABSENT: it is not open; OP_BROKEN. Never blocks. */
must_check enum op_err kv_look(struct kv *kv, enum kv_env env, const void *ctx, const char **ret_why);

/* Clears dead readers of all open environments; returns how many. kv does so itself when it opens,
 * every minute and when the table is full. */
unsigned kv_clear_dead_readers(struct kv *kv);

/* --- inside work --- */

/* Keys are 1..400 bytes: no other key is ever found, and writing one is OP_TOO_LARGE. Values are copied
 * into ctx. A hard error (OP_FULL, OP_BROKEN, OP_TOO_LARGE) is latched: later calls return it too and the
 * commit reports it, so work need not check every write. While an environment is nearly full, what adds
 * entries is OP_FULL in the end, and the rest of its room is kept for changing and deleting. */

/* OP_ABSENT also for an entry that has expired. */
must_check enum op_err kv_get(struct kv_txn *txn, const struct kv_table *table, struct bytes key, const void *ctx,
                              struct bytes *ret);
/* expires_at: seconds since 1970, 0 for never. Every call with an expiry first removes up to two
 * entries of the environment that have expired. kv_put replaces what is there. */
enum op_err kv_put(struct kv_txn *txn, const struct kv_table *table, struct bytes key, struct bytes value,
                   int64_t expires_at);
/* OP_EXISTS: there is one (not expired) and it stays. */
must_check enum op_err kv_insert(struct kv_txn *txn, const struct kv_table *table, struct bytes key, struct bytes value,
                                 int64_t expires_at);
/* Reads and deletes: of many that race for it one gets it. */
must_check enum op_err kv_take(struct kv_txn *txn, const struct kv_table *table, struct bytes key, const void *ctx,
                               struct bytes *ret);
/* OP_ABSENT when there was none. */
enum op_err kv_delete(struct kv_txn *txn, const struct kv_table *table, struct bytes key);
/* Compare-and-set. OP_ABSENT: none there; OP_MISMATCH: another value than expected. */
must_check enum op_err kv_replace(struct kv_txn *txn, const struct kv_table *table, struct bytes key,
                                  struct bytes expected, struct bytes value, int64_t expires_at);

/* Calls each(key, value) for entries whose key starts with prefix, in key order, those after the key
 * `after` (empty: from the first), at most limit; each returns false to stop. key and value are valid
 * during the call; each must not write. Expired entries are left out. */
typedef bool kv_each(struct bytes key, struct bytes value, void *arg);
must_check enum op_err kv_scan(struct kv_txn *txn, const struct kv_table *table, struct bytes prefix,
                               struct bytes after, size_t limit, kv_each *each, void *arg);

/* Removes up to limit expired entries of env, the one being written; returns how many (for `opctl sweep`). */
size_t kv_sweep(struct kv_txn *txn, enum kv_env env, size_t limit);

/* The time the transaction began, seconds since 1970: the `now` of a decision. */
int64_t kv_now(const struct kv_txn *txn);
/* Changes when anything in env was committed: what a cache compares. In the environment that is being
 * written it is different at every call: what is read there may yet be undone. */
uint64_t kv_snapshot(struct kv_txn *txn, enum kv_env env);
/* After this transaction's commit, wake everyone who watches the environment it writes. */
void kv_ring(struct kv_txn *txn);
