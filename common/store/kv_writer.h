#pragma once
/* One environment's writer thread: a bounded queue, group commit, reports. Only kv includes this.
 * kv_batch.c supplies the transactions, below. */
#include "store/kv.h"
#include "store/kv_events.h"

struct kv_database;  /* one open environment (kv_lmdb.h) */
struct kv_snapshots; /* one thread's read transactions (kv_lmdb.h) */
struct kv_writer;

/* --- writers (kv_writer.c), called from the loop's thread --- */

struct kv_writer_config {
    unsigned queue_max, wait_ms;
    const char *dir; /* for what alarms say, and for the bell */
    struct kv_events *events;
};

/* Starts the thread. It owns snapshots from now on. OP_BROKEN: no thread or bell to be had; *ret_why owned by ctx. */
must_check enum op_err kv_writer_start(const void *ctx, struct kv_database *db, struct kv_snapshots *snapshots,
                                       const struct kv_writer_config *config, struct kv_writer **ret,
                                       const char **ret_why);
/* Runs what is queued, ends the thread. kv_writer_deliver afterwards reports the last. Blocks. */
void kv_writer_stop(struct kv_writer *writer);
/* Queues one; returns when it is due to be given up, in microseconds. Never blocks. */
int64_t kv_writer_push(struct kv_writer *writer, kv_work *work, kv_done *done, void *arg);
/* Queues one and waits for its result. Blocks. */
must_check enum op_err kv_writer_run(struct kv_writer *writer, kv_work *work, void *arg);
/* Gives up what has waited too long; returns when the next will have, 0: none is waiting. Never blocks. */
int64_t kv_writer_expire(struct kv_writer *writer, int64_t now_us);
/* Calls done for what is finished; true when there was something. Never blocks. */
bool kv_writer_deliver(struct kv_writer *writer);
/* Something new to tell the operator: a line, to be freed by the caller, and *ret_what. NULL: nothing. */
char *kv_writer_alarm(struct kv_writer *writer, enum op_err *ret_what);
/* What is of the writer: queue_length and all that follows. */
void kv_writer_stats(struct kv_writer *writer, struct kv_stats *stats);

/* --- transactions (kv_batch.c), called from the writer's thread --- */

struct kv_batch {
    struct kv_database *db;
    struct kv_snapshots *snapshots;
    void *parent;        /* the transaction that is committed */
    size_t pages;        /* what the entries take */
    size_t spare_pages;  /* what may be used besides */
    size_t change_pages; /* by works that add no entries */
    size_t works_max;    /* so many fit into them, by a wide margin */
    bool nearly_full;    /* one work may already be too much */
    size_t sweep_max;    /* so many entries may be removed at once, which takes pages too */
    enum op_err refused; /* the first hard error of a work */
};

/* Waits for the writer lock of the environment. OP_MISMATCH: the files are not what LMDB left there:
 * nothing may be written; OP_FULL, OP_BROKEN. Blocks. */
must_check enum op_err kv_batch_begin(struct kv_database *db, struct kv_snapshots *snapshots, struct kv_batch *ret);
/* Runs one work in a child transaction, kept when the result is OP_OK. *ret_refused: the result is not
 * the work's own but OP_FULL or OP_BROKEN of the store's. */
must_check enum op_err kv_batch_work(struct kv_batch *batch, kv_work *work, void *arg, bool *ret_rings,
                                     bool *ret_refused);
/* Ends the batch; a durable environment's is on disk then. OP_FULL, OP_BROKEN: nothing was written. Blocks. */
must_check enum op_err kv_batch_commit(struct kv_batch *batch);
struct kv_sweeping {
    size_t limit, removed;
};
/* Removes expired entries, as a work. arg is a struct kv_sweeping *. */
enum op_err kv_sweep_work(struct kv_txn *txn, void *arg);
/* What LMDB said last, for the operator. */
const char *kv_database_error(const struct kv_database *db);
