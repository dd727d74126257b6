/* Writing in batches: how much fits, what one work may take, and what somebody else did to the files (kv_writer.h). */
#include <string.h>

#include "base/clock.h"
#include "store/kv_lmdb.h"

enum {
    RESERVE_PAGES = 256, /* kept for changing and deleting what is there; less of a small map */
    RESERVE_PAGES_LEAST = 32,
    COUNTED_PAGES = 8192, /* more free pages than these need no counting */
    TOUCHED_PER_WORK = 32, /* pages that a work rewrites without growing anything; few are more */
};

int kv_lmdb_free_pages(MDB_txn *txn, size_t until, size_t enough, size_t *ret)
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
        code = kv_lmdb_snapshot(batch->snapshots, batch->db->env, &txn);
        if (code == MDB_SUCCESS)
            code = kv_lmdb_free_pages(txn, info->me_last_txnid, COUNTED_PAGES - room, &inside);
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
        return kv_lmdb_result(db, code);
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
        return kv_lmdb_result(db, code);
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
        err = kv_lmdb_result(batch->db, batch_charge(batch, child, adds));
    if (err == OP_OK)
        return kv_lmdb_result(batch->db, mdb_txn_commit(child));
    mdb_txn_abort(child);
    return err;
}

enum op_err kv_batch_work(struct kv_batch *batch, kv_work *work, void *arg, bool *ret_rings, bool *ret_refused)
{
    MDB_txn *child;
    struct kv_database *db = batch->db;
    enum op_err own = OP_OK, err = kv_lmdb_result(db, mdb_txn_begin(db->lmdb, batch->parent, 0, &child));
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
    return kv_lmdb_result(batch->db, mdb_txn_commit(batch->parent));
}

enum op_err kv_sweep_work(struct kv_txn *txn, void *arg)
{
    struct kv_sweeping *sweeping = arg;
    sweeping->removed = kv_sweep(txn, txn->write_env, sweeping->limit);
    return OP_OK;
}
