#pragma once
/* The environments that one process has open, its reads on the loop, its dispatch: kv_open to kv_watch
 * of kv.h. Only kv includes this; kv.c supplies the databases, below. */
#include "store/kv.h"

struct kv_database;
struct kv_snapshots;

/* Opens the environment in dir, whose files have been checked. OP_FULL, OP_BROKEN: *ret_why is one line
 * owned by ctx. Closed with ctx, after every snapshot of it was freed. Blocks. */
must_check enum op_err kv_database_open(const void *ctx, const char *dir, enum kv_env env, bool write,
                                        struct kv_database **ret, const char **ret_why);
/* What is of the environment, not of its writer. */
must_check enum op_err kv_database_stats(struct kv_database *db, struct kv_snapshots *snapshots,
                                         struct kv_stats *stats);
/* As kv_look. */
must_check enum op_err kv_database_look(struct kv_database *db, struct kv_snapshots *snapshots, const void *ctx,
                                        const char **ret_why);
/* Returns how many. */
unsigned kv_database_clear_readers(struct kv_database *db);

/* One thread's read transactions on databases[KV_ENV_COUNT], NULL where one is not open. Each begins
 * with the first read of its environment; all end with kv_snapshots_end. */
struct kv_snapshots *kv_snapshots_new(struct kv_database *const *databases);
void kv_snapshots_end(struct kv_snapshots *snapshots);
void kv_snapshots_free(struct kv_snapshots *snapshots);
