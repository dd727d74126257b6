#include "store/kv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/num.h"
#include "store/kv_lmdb.h"

enum { READERS_MAX = 1024, DISK_IS_FULL_BELOW = 4 * 1024 * 1024 };

/* --- environments --- */

static const struct {
    const char *name;
    bool is_volatile;
    size_t map_mib;
} ENVIRONMENTS[KV_ENV_COUNT] = {
    [KV_KEYS] = {"keys", false, 1024},         [KV_JWKS] = {"jwks", false, 1024},
    [KV_CLIENTS] = {"clients", false, 1024},   [KV_USERS] = {"users", false, 1024},
    [KV_CREDENTIALS] = {"credentials", false, 1024}, [KV_SESSIONS] = {"sessions", false, 1024},
    [KV_TOKENS] = {"tokens", false, 1024},     [KV_OUTBOX] = {"outbox", false, 1024},
    [KV_CODES] = {"codes", true, 256},         [KV_ASYNC] = {"async", true, 64},
    [KV_GUARD] = {"guard", true, 64},          [KV_REMOTE] = {"remote", true, 64},
};

const char *kv_env_name(enum kv_env env)
{
    assert(env < KV_ENV_COUNT);
    return ENVIRONMENTS[env].name;
}

bool kv_env_is_volatile(enum kv_env env)
{
    assert(env < KV_ENV_COUNT);
    return ENVIRONMENTS[env].is_volatile;
}

/* LMDB calls a write that fitted only in part EIO, whatever the reason. */
static bool disk_is_full(const char *path)
{
    struct statvfs fs;
    return statvfs(path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < DISK_IS_FULL_BELOW;
}

enum op_err kv_lmdb_err(const char *path, int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return OP_OK;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_READERS_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
        return OP_FULL;
    case EIO:
        return disk_is_full(path) ? OP_FULL : OP_BROKEN;
    default:
        return OP_BROKEN;
    }
}

static unsigned lmdb_flags(enum kv_env env, bool write)
{
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
    if (!write)
        flags |= MDB_RDONLY;
    return kv_env_is_volatile(env) ? flags | MDB_NOSYNC : flags;
}

/* map_size 0: as recorded in the environment. */
static int lmdb_open(const char *dir, enum kv_env env, bool write, size_t map_size, MDB_env **ret)
{
    MDB_env *lmdb;
    int code = mdb_env_create(&lmdb);
    if (code != MDB_SUCCESS)
        return code;
    if (map_size != 0)
        code = mdb_env_set_mapsize(lmdb, map_size);
    if (code == MDB_SUCCESS)
        code = mdb_env_set_maxreaders(lmdb, READERS_MAX);
    if (code == MDB_SUCCESS)
        code = mdb_env_open(lmdb, dir, lmdb_flags(env, write), 0600);
    if (code == MDB_SUCCESS)
        *ret = lmdb;
    else
        mdb_env_close(lmdb);
    return code;
}

enum op_err kv_create(const void *ctx, const char *dir, enum kv_env env, size_t map_size, const char **ret_why)
{
    enum op_err err = kv_files_create(ctx, dir, ret_why);
    if (err != OP_OK)
        return err;
    size_t page = 4096, size = map_size != 0 ? map_size : ENVIRONMENTS[env].map_mib << 20;
    MDB_env *lmdb;
    int code = lmdb_open(dir, env, true, (size + page - 1) / page * page, &lmdb);
    if (code == MDB_SUCCESS) {
        code = mdb_env_sync(lmdb, 1);
        mdb_env_close(lmdb);
    }
    if (code != MDB_SUCCESS) {
        *ret_why = mem_printf(ctx, "%s/data.mdb cannot be made: %s", dir, mdb_strerror(code));
        return kv_lmdb_err(dir, code);
    }
    err = kv_files_allocate(ctx, dir, ret_why);
    return err == OP_OK ? kv_files_sync(ctx, dir, ret_why) : err;
}

static int database_close(struct kv_database *db)
{
    mdb_env_close(db->lmdb);
    return 0;
}

/* Its one table has to be opened once, in any transaction, before threads share it. */
static int open_main(struct kv_database *db)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(db->lmdb, NULL, MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS)
        return code;
    code = mdb_dbi_open(txn, NULL, 0, &db->main);
    mdb_txn_abort(txn);
    return code;
}

/* LMDB waits for whoever keeps others out (kv_lock_out), who may have put other files there meanwhile. */
static bool was_replaced(const struct kv_database *db)
{
    return !kv_file_is_there(&db->data) || !kv_file_is_there(&db->lock);
}

enum op_err kv_database_open(const void *ctx, const char *dir, enum kv_env env, bool write, struct kv_database **ret,
                             const char **ret_why)
{
    struct kv_database *db = mem_new(ctx, struct kv_database);
    *db = (struct kv_database){.env = env, .dir = mem_strdup(db, dir), .error = ""};
    db->data = kv_file_note(db, dir, "data.mdb");
    db->lock = kv_file_note(db, dir, "lock.mdb");
    int dead, code = lmdb_open(dir, env, write, 0, &db->lmdb);
    const char *error = "its files were replaced at this moment: try again";
    if (code == MDB_SUCCESS) {
        talloc_set_destructor(db, database_close);
        mdb_reader_check(db->lmdb, &dead);
        code = open_main(db);
    }
    if (code == MDB_SUCCESS && !was_replaced(db)) {
        *ret = db;
        return OP_OK;
    }
    if (code != MDB_SUCCESS)
        error = mdb_strerror(code);
    *ret_why = mem_printf(ctx, "%s cannot be opened: %s", dir, error);
    talloc_free(db);
    return code == MDB_READERS_FULL ? OP_FULL : OP_BROKEN;
}

const char *kv_database_error(const struct kv_database *db)
{
    return db->error;
}

enum op_err kv_lmdb_result(struct kv_database *db, int code)
{
    if (code != MDB_SUCCESS) {
        size_t len = strnlen(mdb_strerror(code), sizeof db->error_buffer - 1);
        memcpy(db->error_buffer, mdb_strerror(code), len);
        db->error_buffer[len] = '\0';
        db->error = db->error_buffer;
    }
    return kv_lmdb_err(db->dir, code);
}

/* --- reading --- */

struct kv_snapshots *kv_snapshots_new(struct kv_database *const *databases)
{
    struct kv_snapshots *snapshots = mem_new(NULL, struct kv_snapshots);
    snapshots->databases = databases;
    return snapshots;
}

void kv_snapshots_free(struct kv_snapshots *snapshots)
{
    for (size_t env = 0; env < KV_ENV_COUNT; env++)
        mdb_txn_abort(snapshots->txns[env]);
    talloc_free(snapshots);
}

void kv_snapshots_end(struct kv_snapshots *snapshots)
{
    for (size_t env = 0; env < KV_ENV_COUNT; env++)
        if (snapshots->reading[env]) {
            mdb_txn_reset(snapshots->txns[env]);
            snapshots->reading[env] = false;
        }
}

static int snapshot_begin(MDB_env *lmdb, MDB_txn **txn)
{
    int code = MDB_BAD_RSLOT, dead;
    if (*txn != NULL)
        code = mdb_txn_renew(*txn);
    if (code == MDB_BAD_RSLOT) /* no slot yet, or somebody cleared ours: then it is not ours to free */
        code = mdb_txn_begin(lmdb, NULL, MDB_RDONLY, txn);
    if (code == MDB_READERS_FULL && mdb_reader_check(lmdb, &dead) == MDB_SUCCESS && dead > 0)
        code = mdb_txn_begin(lmdb, NULL, MDB_RDONLY, txn);
    return code;
}

int kv_lmdb_snapshot(struct kv_snapshots *snapshots, enum kv_env env, MDB_txn **ret)
{
    assert(env < KV_ENV_COUNT && snapshots->databases[env] != NULL);
    int code = MDB_SUCCESS;
    if (!snapshots->reading[env])
        code = snapshot_begin(snapshots->databases[env]->lmdb, &snapshots->txns[env]);
    if (code == MDB_SUCCESS) {
        snapshots->reading[env] = true;
        *ret = snapshots->txns[env];
    }
    return code;
}

/* The transaction in which env is to be read. */
static int txn_of(struct kv_txn *txn, enum kv_env env, MDB_txn **ret)
{
    if (txn->write == NULL || env != txn->write_env)
        return kv_lmdb_snapshot(txn->snapshots, env, ret);
    *ret = txn->write;
    return MDB_SUCCESS;
}

static enum op_err map_result(struct kv_txn *txn, enum kv_env env, int code)
{
    if (code == MDB_SUCCESS)
        return OP_OK;
    if (code == MDB_NOTFOUND)
        return OP_ABSENT;
    struct kv_database *db = txn->snapshots->databases[env];
    bool writing = txn->write != NULL && env == txn->write_env;
    return kv_latch(txn, writing ? kv_lmdb_result(db, code) : kv_lmdb_err(db->dir, code));
}

static MDB_val to_val(struct bytes bytes)
{
    return (MDB_val){.mv_size = bytes.len, .mv_data = (void *)(uintptr_t)bytes.data};
}

static struct bytes from_val(MDB_val val)
{
    return bytes_from(val.mv_data, val.mv_size);
}

enum op_err kv_map_get(struct kv_txn *txn, enum kv_env env, struct bytes key, struct bytes *ret)
{
    MDB_txn *lmdb_txn;
    MDB_val lmdb_key = to_val(key), value;
    int code = txn_of(txn, env, &lmdb_txn);
    if (code == MDB_SUCCESS)
        code = mdb_get(lmdb_txn, txn->snapshots->databases[env]->main, &lmdb_key, &value);
    if (code == MDB_SUCCESS)
        *ret = from_val(value);
    return map_result(txn, env, code);
}

enum op_err kv_map_walk(struct kv_txn *txn, enum kv_env env, struct bytes from, kv_each *each, void *arg)
{
    MDB_txn *lmdb_txn;
    MDB_cursor *cursor;
    MDB_val key = to_val(from), value;
    int code = txn_of(txn, env, &lmdb_txn);
    if (code == MDB_SUCCESS)
        code = mdb_cursor_open(lmdb_txn, txn->snapshots->databases[env]->main, &cursor);
    if (code != MDB_SUCCESS)
        return map_result(txn, env, code);
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == MDB_SUCCESS && each(from_val(key), from_val(value), arg))
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? OP_OK : map_result(txn, env, code);
}

uint64_t kv_snapshot(struct kv_txn *txn, enum kv_env env)
{
    static _Atomic uint64_t uncommitted = UINT64_C(1) << 63; /* LMDB never counts that far */
    MDB_txn *lmdb_txn;
    if ((txn->write != NULL && env == txn->write_env) || txn_of(txn, env, &lmdb_txn) != MDB_SUCCESS)
        return uncommitted++;
    return mdb_txn_id(lmdb_txn);
}

/* --- writing --- */

enum op_err kv_map_put(struct kv_txn *txn, struct bytes key, int64_t expires_at, struct bytes value)
{
    if (txn->latched != OP_OK)
        return txn->latched;
    uint8_t head[8];
    MDB_val lmdb_key = to_val(key), room = {.mv_size = sizeof head + value.len};
    MDB_dbi main = txn->snapshots->databases[txn->write_env]->main;
    int code = mdb_put(txn->write, main, &lmdb_key, &room, MDB_RESERVE);
    if (code == MDB_SUCCESS) {
        num_put_be64(head, (uint64_t)expires_at);
        memcpy(room.mv_data, head, sizeof head);
        if (value.len != 0)
            memcpy((uint8_t *)room.mv_data + sizeof head, value.data, value.len);
    }
    return map_result(txn, txn->write_env, code);
}

enum op_err kv_map_put_empty(struct kv_txn *txn, struct bytes key)
{
    if (txn->latched != OP_OK)
        return txn->latched;
    MDB_val lmdb_key = to_val(key), nothing = {0};
    MDB_dbi main = txn->snapshots->databases[txn->write_env]->main;
    return map_result(txn, txn->write_env, mdb_put(txn->write, main, &lmdb_key, &nothing, 0));
}

enum op_err kv_map_delete(struct kv_txn *txn, struct bytes key)
{
    if (txn->latched != OP_OK)
        return txn->latched;
    MDB_val lmdb_key = to_val(key);
    MDB_dbi main = txn->snapshots->databases[txn->write_env]->main;
    return map_result(txn, txn->write_env, mdb_del(txn->write, main, &lmdb_key, NULL));
}

/* --- looking after --- */

static int count_reader(const char *line, void *arg)
{
    (void)line;
    ++*(unsigned *)arg;
    return 0;
}

/* Pages of one of the two trees that an environment has: the entries, and LMDB's list of free pages. */
static int pages_of_tree(MDB_txn *txn, MDB_dbi tree, uint64_t *sum)
{
    MDB_stat stat;
    int code = mdb_stat(txn, tree, &stat);
    if (code == MDB_SUCCESS)
        *sum += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    return code;
}

/* What is in neither tree, nor one of the two pages that say where they begin, is free: nothing need be counted. */
static int used_pages(struct kv_database *db, struct kv_snapshots *snapshots, uint64_t *ret)
{
    enum { META_PAGES = 2, FREE_LIST = 0 };
    MDB_txn *txn;
    uint64_t used = META_PAGES;
    int code = kv_lmdb_snapshot(snapshots, db->env, &txn);
    if (code == MDB_SUCCESS)
        code = pages_of_tree(txn, db->main, &used);
    if (code == MDB_SUCCESS)
        code = pages_of_tree(txn, FREE_LIST, &used);
    kv_snapshots_end(snapshots);
    if (code == MDB_SUCCESS)
        *ret = used;
    return code;
}

enum op_err kv_database_stats(struct kv_database *db, struct kv_snapshots *snapshots, struct kv_stats *stats)
{
    MDB_envinfo info;
    MDB_stat stat;
    uint64_t used = 0;
    unsigned lines = 0;
    int code = used_pages(db, snapshots, &used);
    if (code == MDB_SUCCESS)
        code = mdb_env_info(db->lmdb, &info);
    if (code == MDB_SUCCESS)
        code = mdb_env_stat(db->lmdb, &stat);
    if (code != MDB_SUCCESS)
        return kv_lmdb_err(db->dir, code);
    mdb_reader_list(db->lmdb, count_reader, &lines);
    stats->readers = lines > 0 ? lines - 1 : 0; /* the first line is a heading, or says that there are none */
    stats->readers_max = READERS_MAX;
    stats->map_bytes = info.me_mapsize;
    uint64_t pages = info.me_last_pgno + 1; /* never fewer than a moment ago */
    stats->size_bytes = pages * stat.ms_psize;
    stats->used_pages = used;
    stats->free_pages = pages > used ? pages - used : 0;
    stats->used_bytes = used * stat.ms_psize;
    return OP_OK;
}

enum op_err kv_database_look(struct kv_database *db, struct kv_snapshots *snapshots, const void *ctx,
                             const char **ret_why)
{
    MDB_txn *txn;
    const struct kv_file *gone = !kv_file_is_there(&db->data) ? &db->data : !kv_file_is_there(&db->lock) ? &db->lock : NULL;
    if (gone != NULL) {
        *ret_why = mem_printf(ctx, "the environment %s is lost: %s was removed or replaced", kv_env_name(db->env),
                              gone->path);
        return OP_BROKEN;
    }
    int code = kv_lmdb_snapshot(snapshots, db->env, &txn);
    kv_snapshots_end(snapshots);
    if (code == MDB_SUCCESS)
        return OP_OK;
    *ret_why = mem_printf(ctx, "the environment %s cannot be read: %s", kv_env_name(db->env), mdb_strerror(code));
    return OP_BROKEN;
}

unsigned kv_database_clear_readers(struct kv_database *db)
{
    int dead = 0;
    return mdb_reader_check(db->lmdb, &dead) == MDB_SUCCESS && dead > 0 ? (unsigned)dead : 0;
}
