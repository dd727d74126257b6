#include "store/inspect.h"

#include <string.h>

#include "store/kv_tools.h"

static const struct {
    const char *name;
    bool wrong, mended;
} KINDS[INSPECT_KIND_COUNT] = {
    [INSPECT_UNREADABLE] = {"unreadable", true, false}, [INSPECT_NEWER] = {"newer", false, false},
    [INSPECT_MISSING] = {"missing", true, true},        [INSPECT_WRONG] = {"wrong", true, true},
    [INSPECT_CONTESTED] = {"contested", true, false},   [INSPECT_STALE] = {"stale", true, true},
};

const char *inspect_kind_name(enum inspect_kind kind)
{
    return KINDS[kind].name;
}

bool inspect_is_wrong(enum inspect_kind kind)
{
    return KINDS[kind].wrong;
}

bool inspect_is_mended(enum inspect_kind kind)
{
    return KINDS[kind].mended;
}

/* An entry as it was read: what is written must not be read from the map. */
struct item {
    struct bytes key, value;
    int64_t expires_at;
};

struct look {
    struct kv_txn *txn;
    struct inspection *inspection;
    const struct repository *repository;
    void *scratch;
    struct item *items;
    size_t count;
};

static bool collect(struct bytes key, struct bytes value, int64_t expires_at, void *arg)
{
    struct look *look = arg;
    look->items[look->count++] = (struct item){
        .key = mem_bytes(look->scratch, key), .value = mem_bytes(look->scratch, value), .expires_at = expires_at};
    return true;
}

static void find(struct look *look, enum inspect_kind kind, const struct kv_table *table, struct bytes key)
{
    struct inspection *all = look->inspection;
    all->findings = mem_grow(all->ctx, all->findings, struct inspect_finding, all->finding_count + 1);
    all->findings[all->finding_count++] =
        (struct inspect_finding){.kind = kind, .table = table, .key = mem_bytes(all->ctx, key)};
}

/* Whether the record under key has this line; of one that cannot be judged it is believed. */
static enum op_err claims(struct look *look, const struct repository_index *index, struct bytes record_key,
                          struct bytes line_key, bool *ret)
{
    struct bytes value;
    int64_t expires_at;
    void *record;
    bool claimed = false;
    enum op_err err = kv_get_entry(look->txn, look->repository->table, record_key, look->scratch, &value, &expires_at);
    if (err != OP_OK && err != OP_ABSENT)
        return err;
    if (err == OP_OK && records_unpack(look->scratch, look->repository->type, value, &record) != OP_OK) {
        claimed = true;
    } else if (err == OP_OK) {
        struct repository_lines lines =
            repository_derive(look->txn, look->scratch, index, record_key, record, expires_at);
        for (size_t i = 0; i < lines.count; i++)
            claimed = claimed || bytes_equal(lines.items[i].key, line_key);
    }
    *ret = claimed;
    return OP_OK;
}

/* --- from a record to its lines --- */

static enum op_err check_line(struct look *look, const struct repository_index *index,
                              const struct repository_line *line)
{
    struct bytes value;
    int64_t expires_at;
    enum inspect_kind kind = INSPECT_MISSING;
    enum op_err err = kv_get_entry(look->txn, index->table, line->key, look->scratch, &value, &expires_at);
    if (err == OP_OK && bytes_equal(value, line->value)) {
        if (expires_at == line->expires_at)
            return OP_OK;
        kind = INSPECT_WRONG;
    } else if (err == OP_OK) {
        bool contested;
        err = claims(look, index, index->target(line->key, value), line->key, &contested);
        kind = contested ? INSPECT_CONTESTED : INSPECT_WRONG;
    }
    if (err != OP_OK && err != OP_ABSENT)
        return err;
    find(look, kind, index->table, line->key);
    if (!look->inspection->repair || !inspect_is_mended(kind))
        return OP_OK;
    return kv_put(look->txn, index->table, line->key, line->value, line->expires_at);
}

static enum op_err check_record(struct look *look, const struct item *item)
{
    void *record;
    enum op_err err = records_unpack(look->scratch, look->repository->type, item->value, &record);
    if (err != OP_OK) {
        find(look, err == OP_DENIED ? INSPECT_NEWER : INSPECT_UNREADABLE, look->repository->table, item->key);
        return OP_OK;
    }
    for (size_t i = 0; i < look->repository->index_count && err == OP_OK; i++) {
        const struct repository_index *index = &look->repository->indexes[i];
        struct repository_lines lines =
            repository_derive(look->txn, look->scratch, index, item->key, record, item->expires_at);
        for (size_t l = 0; l < lines.count && err == OP_OK; l++)
            err = check_line(look, index, &lines.items[l]);
    }
    return err;
}

/* --- from a line to its record --- */

static const struct repository_index *index_of(const struct catalogue_row *row)
{
    const struct repository_index *index = row->repository->indexes;
    while (!catalogue_same_table(index->table, row->table))
        index++;
    return index;
}

static enum op_err check_target(struct look *look, const struct item *item)
{
    const struct repository_index *index = index_of(look->inspection->row);
    struct bytes target = index->target(item->key, item->value);
    bool claimed = false;
    enum op_err err = target.len == 0 ? OP_OK : claims(look, index, target, item->key, &claimed);
    if (err != OP_OK || claimed)
        return err;
    find(look, INSPECT_STALE, index->table, item->key);
    return look->inspection->repair ? kv_delete(look->txn, index->table, item->key) : OP_OK;
}

enum op_err inspect_next(struct kv_txn *txn, size_t limit, struct inspection *inspection)
{
    const struct catalogue_row *row = inspection->row;
    struct look look = {.txn = txn, .inspection = inspection, .repository = row->repository};
    look.scratch = mem_root("inspect");
    inspection->findings = NULL;
    inspection->finding_count = 0;
    look.items = mem_array(look.scratch, struct item, limit);
    enum op_err err = kv_entries(txn, row->table, inspection->position, limit, collect, &look);
    for (size_t i = 0; i < look.count && err == OP_OK && row->repository != NULL; i++)
        err = catalogue_is_index(row) ? check_target(&look, &look.items[i]) : check_record(&look, &look.items[i]);
    if (err == OP_OK) {
        inspection->entries += look.count;
        inspection->complete = look.count < limit;
        if (look.count > 0)
            inspection->position = mem_bytes(inspection->ctx, look.items[look.count - 1].key);
    }
    talloc_free(look.scratch);
    return err;
}
