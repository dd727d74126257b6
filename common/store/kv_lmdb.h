#pragma once
/* What kv.c and its parts kv_batch.c and kv_copy.c share: an open environment and a thread's read transactions as LMDB has them.
 * Nobody else includes this. */
#include <lmdb.h>

#include "store/kv_files.h"
#include "store/kv_process.h"
#include "store/kv_table.h"
#include "store/kv_writer.h"

struct kv_database {
    MDB_env *lmdb;
    MDB_dbi main;
    enum kv_env env;
    const char *dir;
    struct kv_file data, lock; /* those that LMDB holds */
    const char *error; /* what LMDB said last to the writer; a constant, or the buffer */
    char error_buffer[128];
};

struct kv_snapshots {
    struct kv_database *const *databases; /* [KV_ENV_COUNT], NULL: not open */
    MDB_txn *txns[KV_ENV_COUNT];          /* kept between works: renewing one costs a microsecond */
    bool reading[KV_ENV_COUNT];
};

/* LMDB's code as a result; path is where it was writing, to ask for room there. */
enum op_err kv_lmdb_err(const char *path, int code);
/* The same, remembered for the operator. The writer's thread only. */
enum op_err kv_lmdb_result(struct kv_database *db, int code);
/* The thread's read transaction in env, begun where there is none. LMDB's code. */
must_check int kv_lmdb_snapshot(struct kv_snapshots *snapshots, enum kv_env env, MDB_txn **ret);
/* Free pages inside the used part of the file that a transaction may take which comes after those before `until`,
 * counted up to enough. LMDB's code. */
must_check int kv_lmdb_free_pages(MDB_txn *txn, size_t until, size_t enough, size_t *ret);
