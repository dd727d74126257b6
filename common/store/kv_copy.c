#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/kv_lmdb.h"
#include "store/kv_tools.h"

enum { BYTES_PER_COMMIT = 1024 * 1024 };

struct copy {
    MDB_env *to;
    MDB_txn *txn; /* NULL between two */
    MDB_dbi main;
    size_t bytes; /* since the last commit */
    int code;
};

static int commit(struct copy *copy)
{
    int code = copy->txn == NULL ? MDB_SUCCESS : mdb_txn_commit(copy->txn);
    copy->txn = NULL;
    copy->bytes = 0;
    return code;
}

static int begin(struct copy *copy)
{
    int code = mdb_txn_begin(copy->to, NULL, 0, &copy->txn);
    if (code != MDB_SUCCESS)
        copy->txn = NULL;
    return code == MDB_SUCCESS ? mdb_dbi_open(copy->txn, NULL, 0, &copy->main) : code;
}

/* Many small commits, so that a large environment takes little memory; they come in order, so that pages are full. */
static bool copy_each(struct bytes key, struct bytes value, void *arg)
{
    struct copy *copy = arg;
    MDB_val to_key = {.mv_size = key.len, .mv_data = (void *)(uintptr_t)key.data};
    MDB_val to_value = {.mv_size = value.len, .mv_data = (void *)(uintptr_t)value.data};
    if (copy->txn == NULL)
        copy->code = begin(copy);
    if (copy->code == MDB_SUCCESS)
        copy->code = mdb_put(copy->txn, copy->main, &to_key, &to_value, MDB_APPEND);
    copy->bytes += key.len + value.len;
    if (copy->code == MDB_SUCCESS && copy->bytes >= BYTES_PER_COMMIT)
        copy->code = commit(copy);
    return copy->code == MDB_SUCCESS;
}

/* Nobody else has the file: no lock, and one sync at the end. */
static int open_file(const char *path, size_t map_size, MDB_env **ret)
{
    MDB_env *lmdb;
    int code = mdb_env_create(&lmdb);
    if (code != MDB_SUCCESS)
        return code;
    code = mdb_env_set_mapsize(lmdb, map_size);
    if (code == MDB_SUCCESS)
        code = mdb_env_open(lmdb, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC | MDB_NORDAHEAD, 0600);
    if (code == MDB_SUCCESS)
        *ret = lmdb;
    else
        mdb_env_close(lmdb);
    return code;
}

/* One entry at least makes LMDB write the map size into an empty environment, too. */
static int fill(struct kv_txn *txn, enum kv_env env, struct copy *copy)
{
    static const uint8_t first[] = {0};
    copy->code = begin(copy);
    if (copy->code == MDB_SUCCESS && kv_map_walk(txn, env, bytes_from(first, sizeof first), copy_each, copy) != OP_OK)
        return copy->code != MDB_SUCCESS ? copy->code : MDB_CORRUPTED;
    if (copy->code == MDB_SUCCESS)
        copy->code = commit(copy);
    return copy->code == MDB_SUCCESS ? mdb_env_sync(copy->to, 1) : copy->code;
}

enum op_err kv_copy(struct kv_txn *txn, enum kv_env env, const char *path, size_t map_size, const void *ctx,
                    const char **ret_why)
{
    struct copy copy = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int reason = errno;
        *ret_why = mem_printf(ctx, "%s cannot be made: %s", path, strerror(reason));
        return reason == EEXIST ? OP_EXISTS : reason == ENOSPC || reason == EDQUOT ? OP_FULL : OP_BROKEN;
    }
    close(fd);
    int code = open_file(path, map_size, &copy.to);
    if (code == MDB_SUCCESS) {
        code = fill(txn, env, &copy);
        if (copy.txn != NULL)
            mdb_txn_abort(copy.txn);
        mdb_env_close(copy.to);
    }
    if (code == MDB_SUCCESS)
        return OP_OK;
    enum op_err err = kv_lmdb_err(path, code);
    const char *reason = err == OP_FULL && code == EIO ? "its disk is full" : mdb_strerror(code);
    *ret_why = mem_printf(ctx, "environment %s cannot be copied to %s: %s", kv_env_name(env), path, reason);
    unlink(path);
    return err;
}
