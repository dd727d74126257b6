#include "store/kv.h"

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/num.h"
#include "store/kv_files.h"
#include "store/kv_process.h"
#include "store/kv_table.h"
#include "store/kv_writer.h"

enum {
    READERS_MAX = 1024,
    RESERVE_PAGES = 256, /* kept for changing and deleting what is there; less of a small map */
    RESERVE_PAGES_LEAST = 32,
    COUNTED_PAGES = 8192, /* more free pages than these need no counting */
    TOUCHED_PER_WORK = 32, /* pages that a work rewrites without growing anything; few are more */
    DISK_IS_FULL_BELOW = 4 * 1024 * 1024,
};

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
static bool disk_is_full(const struct kv_database *db)
{
    struct statvfs fs;
    return statvfs(db->dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < DISK_IS_FULL_BELOW;
}

static enum op_err from_lmdb(const struct kv_database *db, int code)
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
        return disk_is_full(db) ? OP_FULL : OP_BROKEN;
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
        struct kv_database db = {.dir = dir};
        *ret_why = mem_printf(ctx, "%s/data.mdb cannot be made: %s", dir, mdb_strerror(code));
        return from_lmdb(&db, code);
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

/* Remembers what the operator is to be told. Writer's thread only. */
static enum op_err database_result(struct kv_database *db, int code)
{
    if (code != MDB_SUCCESS) {
        size_t len = strnlen(mdb_strerror(code), sizeof db->error_buffer - 1);
        memcpy(db->error_buffer, mdb_strerror(code), len);
        db->error_buffer[len] = '\0';
        db->error = db->error_buffer;
    }
    return from_lmdb(db, code);
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

static int snapshot(struct kv_snapshots *snapshots, enum kv_env env, MDB_txn **ret)
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
        return snapshot(txn->snapshots, env, ret);
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
    return kv_latch(txn, txn->write != NULL && env == txn->write_env ? database_result(db, code) : from_lmdb(db, code));
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

/* Free pages inside the used part of the file that a transaction may take which comes after those
 * before `until`, counted up to enough. */
static int free_pages(MDB_txn *txn, size_t until, size_t enough, size_t *ret)
{
    enum { FREE_LIST = 0 }; /* LMDB's table of them: transaction -> count, page numbers */
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(txn, FREE_LIST, &cursor);
    if (code != MDB_SUCCESS)
        return code;
    size_t pages = 0, count, id;
    while (pages < enough && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        memcpy(&id, key.mv_data, sizeof id);
        memcpy(&count, value.mv_data, sizeof count);
        if (id < until)
            pages += count;
    }
    mdb_cursor_close(cursor);
    if (code == MDB_SUCCESS || code == MDB_NOTFOUND)
        *ret = pages;
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static size_t reserve_of(size_t map_pages)
{
    size_t part = map_pages / 16;
    if (part > RESERVE_PAGES)
        return RESERVE_PAGES;
    return part < RESERVE_PAGES_LEAST ? RESERVE_PAGES_LEAST : part;
}

/* Pages of the entries themselves, so far as txn has written. */
static int pages_of(const struct kv_database *db, MDB_txn *txn, size_t *ret)
{
    MDB_stat stat;
    int code = mdb_stat(txn, db->main, &stat);
    if (code == MDB_SUCCESS)
        *ret = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    return code;
}

/* How much more fits, while the writer lock is held. What the last transaction freed is not to be had
 * before the next one has been committed. */
static int batch_measure(struct kv_batch *batch, const MDB_envinfo *info)
{
    MDB_stat stat;
    int code = mdb_env_stat(batch->db->lmdb, &stat);
    if (code != MDB_SUCCESS)
        return code;
    size_t map_pages = info->me_mapsize / stat.ms_psize, room = map_pages - (info->me_last_pgno + 1), inside = 0;
    code = pages_of(batch->db, batch->parent, &batch->pages);
    if (code == MDB_SUCCESS && room < COUNTED_PAGES) {
        MDB_txn *txn;
        code = snapshot(batch->snapshots, batch->db->env, &txn);
        if (code == MDB_SUCCESS)
            code = free_pages(txn, info->me_last_txnid, COUNTED_PAGES - room, &inside);
        kv_snapshots_end(batch->snapshots);
        if (code == MDB_READERS_FULL) /* then what cannot be counted is not used */
            code = MDB_SUCCESS;
    }
    room += inside;
    size_t reserve = reserve_of(map_pages);
    batch->spare_pages = room < reserve ? 0 : room - reserve;
    batch->change_pages = room < reserve / 2 ? 0 : room - reserve / 2;
    batch->sweep_max = reserve / 2;
    batch->nearly_full = batch->spare_pages < 2 * TOUCHED_PER_WORK;
    batch->works_max = batch->spare_pages / (2 * TOUCHED_PER_WORK) + 1;
    return code;
}

/* What somebody did to the files, or NULL. */
static const char *find_tampering(const struct kv_database *db, MDB_txn *parent, const MDB_envinfo *info)
{
    if (!kv_file_is_there(&db->lock))
        return "lock.mdb was removed or replaced";
    if (!kv_file_is_there(&db->data))
        return "data.mdb was removed or replaced";
    if (mdb_txn_id(parent) != info->me_last_txnid + 1)
        return "lock.mdb was written to by something else (its transaction id does not follow data.mdb's)";
    return NULL;
}

enum op_err kv_batch_begin(struct kv_database *db, struct kv_snapshots *snapshots, struct kv_batch *ret)
{
    MDB_txn *parent;
    MDB_envinfo info;
    int code = mdb_txn_begin(db->lmdb, NULL, 0, &parent);
    if (code != MDB_SUCCESS)
        return database_result(db, code);
    struct kv_batch batch = {.db = db, .snapshots = snapshots, .parent = parent};
    const char *tampering = NULL;
    code = mdb_env_info(db->lmdb, &info);
    if (code == MDB_SUCCESS)
        tampering = find_tampering(db, parent, &info);
    if (code == MDB_SUCCESS && tampering == NULL)
        code = batch_measure(&batch, &info);
    if (code == MDB_SUCCESS && tampering == NULL) {
        *ret = batch;
        return OP_OK;
    }
    mdb_txn_abort(parent);
    if (tampering == NULL)
        return database_result(db, code);
    db->error = tampering;
    return OP_MISMATCH;
}

static size_t less(size_t from, size_t amount)
{
    return amount < from ? from - amount : 0;
}

/* A work that adds entries may not grow the environment into the reserve, one that changes some only into half
 * of it: who is there already can still be served, and revoked. Shrinking is always allowed. */
static int batch_charge(struct kv_batch *batch, MDB_txn *child, bool adds)
{
    size_t pages;
    int code = pages_of(batch->db, child, &pages);
    if (code != MDB_SUCCESS)
        return code;
    size_t growth = pages > batch->pages ? pages - batch->pages : 0, price = growth + TOUCHED_PER_WORK;
    if (growth > 0 && (adds ? price > batch->spare_pages : growth > batch->change_pages))
        return MDB_MAP_FULL;
    batch->spare_pages = less(batch->spare_pages, price);
    batch->change_pages = less(batch->change_pages, growth);
    batch->pages = pages;
    return MDB_SUCCESS;
}

static enum op_err batch_end_work(struct kv_batch *batch, MDB_txn *child, bool adds, enum op_err err)
{
    if (err == OP_OK)
        err = database_result(batch->db, batch_charge(batch, child, adds));
    if (err == OP_OK)
        return database_result(batch->db, mdb_txn_commit(child));
    mdb_txn_abort(child);
    return err;
}

enum op_err kv_batch_work(struct kv_batch *batch, kv_work *work, void *arg, bool *ret_rings, bool *ret_refused)
{
    MDB_txn *child;
    struct kv_database *db = batch->db;
    enum op_err own = OP_OK, err = database_result(db, mdb_txn_begin(db->lmdb, batch->parent, 0, &child));
    struct kv_txn txn = {.snapshots = batch->snapshots, .write = child, .write_env = db->env, .now = clock_now()};
    if (err == OP_OK) {
        own = work(&txn, arg);
        kv_snapshots_end(batch->snapshots);
        if (txn.latched != OP_OK)
            own = txn.latched == OP_TOO_LARGE ? OP_TOO_LARGE : OP_OK;
        err = batch_end_work(batch, child, txn.added > 0, txn.latched != OP_OK ? txn.latched : own);
    }
    *ret_refused = err != own;
    if (*ret_refused && batch->refused == OP_OK)
        batch->refused = err;
    *ret_rings = err == OP_OK && txn.ring;
    return err;
}

enum op_err kv_batch_commit(struct kv_batch *batch)
{
    return database_result(batch->db, mdb_txn_commit(batch->parent));
}

enum op_err kv_sweep_work(struct kv_txn *txn, void *arg)
{
    struct kv_sweeping *sweeping = arg;
    sweeping->removed = kv_sweep(txn, txn->write_env, sweeping->limit);
    return OP_OK;
}

/* --- looking after --- */

static int count_reader(const char *line, void *arg)
{
    (void)line;
    ++*(unsigned *)arg;
    return 0;
}

enum op_err kv_database_stats(struct kv_database *db, struct kv_snapshots *snapshots, struct kv_stats *stats)
{
    MDB_txn *txn;
    MDB_envinfo info;
    MDB_stat stat;
    size_t unused = 0;
    unsigned lines = 0;
    int code = snapshot(snapshots, db->env, &txn);
    if (code == MDB_SUCCESS)
        code = free_pages(txn, SIZE_MAX, SIZE_MAX, &unused);
    kv_snapshots_end(snapshots);
    if (code == MDB_SUCCESS)
        code = mdb_env_info(db->lmdb, &info);
    if (code == MDB_SUCCESS)
        code = mdb_env_stat(db->lmdb, &stat);
    if (code != MDB_SUCCESS)
        return from_lmdb(db, code);
    mdb_reader_list(db->lmdb, count_reader, &lines);
    stats->readers = lines > 0 ? lines - 1 : 0; /* the first line is a heading, or says that there are none */
    stats->map_bytes = info.me_mapsize;
    size_t used = info.me_last_pgno + 1;
    stats->used_bytes = (used > unused ? used - unused : 0) * stat.ms_psize;
    return OP_OK;
}

unsigned kv_database_clear_readers(struct kv_database *db)
{
    int dead = 0;
    return mdb_reader_check(db->lmdb, &dead) == MDB_SUCCESS && dead > 0 ? (unsigned)dead : 0;
}
