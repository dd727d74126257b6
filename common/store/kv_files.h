#pragma once
/* The files of an environment and who may do what with them. Only kv includes this. Everything blocks. */
#include <sys/types.h>

#include "store/kv.h"

/* That this process may open the environment in dir, for writing or only for reading. LMDB would go
 * on without any locking where lock.mdb cannot be written, so that is asked here. On failure
 * *ret_why is one line, owned by ctx, that names the path and what to do: OP_ABSENT, OP_DENIED. */
must_check enum op_err kv_files_check(const void *ctx, const char *dir, enum kv_env env, bool write,
                                      const char **ret_why);

/* Makes those of data.mdb, lock.mdb and bell that are missing, empty and with their modes.
 * OP_EXISTS: all are there and data.mdb is not empty; OP_ABSENT, OP_BUSY, OP_FULL, OP_BROKEN as kv_create. */
must_check enum op_err kv_files_create(const void *ctx, const char *dir, const char **ret_why);

/* A file as it is now, to ask later whether its name still stands for it. path is owned by ctx. */
struct kv_file {
    const char *path;
    dev_t device;
    ino_t inode;
};
struct kv_file kv_file_note(const void *ctx, const char *dir, const char *name);
bool kv_file_is_there(const struct kv_file *file);

/* Gives lock.mdb, which LMDB maps, all its blocks: on a full disk a missing one would be a SIGBUS. Not while
 * this process has the environment open. OP_FULL, OP_BROKEN. */
must_check enum op_err kv_files_allocate(const void *ctx, const char *dir, const char **ret_why);

/* Makes the names in dir durable. OP_BROKEN. */
must_check enum op_err kv_files_sync(const void *ctx, const char *dir, const char **ret_why);
