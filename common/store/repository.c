#include "store/repository.h"

#include <string.h>

enum op_err repository_get(struct kv_txn *txn, const struct repository *repository, struct bytes key, const void *ctx,
                           void *ret)
{
    struct bytes value;
    enum op_err err = kv_get(txn, repository->table, key, ctx, &value);
    return err != OP_OK ? err : records_unpack(ctx, repository->type, value, ret);
}

enum op_err repository_get_any(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                               const void *ctx, void *ret)
{
    struct bytes value;
    enum op_err err = kv_get(txn, repository->table, key, ctx, &value);
    return err != OP_OK ? err : records_unpack_any(ctx, repository->type, value, ret);
}

/* --- indexes --- */

void repository_add_line(struct repository_lines *lines, struct bytes key, struct bytes value, int64_t expires_at)
{
    lines->items = mem_grow(lines->ctx, lines->items, struct repository_line, lines->count + 1);
    lines->items[lines->count++] = (struct repository_line){
        .key = mem_bytes(lines->ctx, key), .value = mem_bytes(lines->ctx, value), .expires_at = expires_at};
}

struct bytes repository_target_owned(struct bytes key, struct bytes value)
{
    (void)value;
    size_t owner_len = strnlen((const char *)key.data, key.len);
    return owner_len < key.len ? bytes_from(key.data + owner_len + 1, key.len - owner_len - 1) : bytes_of(NULL);
}

struct bytes repository_target_value(struct bytes key, struct bytes value)
{
    (void)key;
    return value;
}

static bool has_line(const struct repository_lines *lines, struct bytes key)
{
    for (size_t i = 0; i < lines->count; i++)
        if (bytes_equal(lines->items[i].key, key))
            return true;
    return false;
}

struct repository_lines repository_derive(const struct kv_txn *txn, const void *ctx,
                                          const struct repository_index *index, struct bytes key, const void *record,
                                          int64_t expires_at)
{
    struct repository_lines lines = {.ctx = ctx};
    index->derive(key, record, expires_at, &lines);
    size_t kept = 0;
    for (size_t i = 0; i < lines.count; i++)
        if (lines.items[i].expires_at == 0 || lines.items[i].expires_at > kv_now(txn)) {
            struct repository_lines before = {.items = lines.items, .count = kept};
            if (!has_line(&before, lines.items[i].key))
                lines.items[kept++] = lines.items[i];
        }
    lines.count = kept;
    return lines;
}

/* Removes the old lines that the record has no more. */
static void remove_lines(struct kv_txn *txn, const struct kv_table *table, const struct repository_lines *old,
                         const struct repository_lines *now)
{
    struct bytes value;
    for (size_t i = 0; i < old->count; i++)
        if (!has_line(now, old->items[i].key) &&
            kv_get(txn, table, old->items[i].key, old->ctx, &value) == OP_OK &&
            bytes_equal(value, old->items[i].value))
            kv_delete(txn, table, old->items[i].key);
}

/* old and now may be NULL: there was no record, there is none any more. Hard errors are latched. */
static enum op_err keep_indexes(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                const void *old, const void *now, int64_t expires_at)
{
    enum op_err err = OP_OK;
    void *scratch = mem_root("keep_indexes");
    for (size_t i = 0; i < repository->index_count; i++) {
        const struct repository_index *index = &repository->indexes[i];
        struct repository_lines before = {.ctx = scratch}, after = {.ctx = scratch};
        if (old != NULL) /* those that have expired too */
            index->derive(key, old, expires_at, &before);
        if (now != NULL)
            after = repository_derive(txn, scratch, index, key, now, expires_at);
        remove_lines(txn, index->table, &before, &after);
        for (size_t l = 0; l < after.count && err == OP_OK; l++)
            err = kv_put(txn, index->table, after.items[l].key, after.items[l].value, after.items[l].expires_at);
    }
    talloc_free(scratch);
    return err;
}

enum op_err repository_insert(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                              const void *record, int64_t expires_at)
{
    void *scratch = mem_root("repository_insert");
    enum op_err err = kv_insert(txn, repository->table, key, records_pack(scratch, record), expires_at);
    if (err == OP_OK)
        err = keep_indexes(txn, repository, key, NULL, record, expires_at);
    talloc_free(scratch);
    return err;
}

enum op_err repository_put(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                           const void *record, int64_t expires_at)
{
    void *scratch = mem_root("repository_put"), *old = NULL;
    enum op_err err = OP_OK;
    if (repository->index_count > 0)
        err = repository_get_any(txn, repository, key, scratch, &old);
    if (err == OP_OK || err == OP_ABSENT || err == OP_BROKEN)
        err = kv_put(txn, repository->table, key, records_pack(scratch, record), expires_at);
    if (err == OP_OK)
        err = keep_indexes(txn, repository, key, old, record, expires_at);
    talloc_free(scratch);
    return err;
}

enum op_err repository_delete(struct kv_txn *txn, const struct repository *repository, struct bytes key)
{
    void *scratch = mem_root("repository_delete"), *old = NULL;
    enum op_err err = repository_get_any(txn, repository, key, scratch, &old);
    if (err == OP_OK)
        err = keep_indexes(txn, repository, key, old, NULL, 0);
    if (err == OP_OK || err == OP_BROKEN)
        err = kv_delete(txn, repository->table, key);
    talloc_free(scratch);
    return err;
}

struct list {
    const struct repository *repository;
    const void *ctx;
    void **records;
    size_t count;
};

static void list_add(struct list *list, struct bytes key, struct bytes value)
{
    void *record;
    if (records_unpack(list->ctx, list->repository->type, value, &record) != OP_OK)
        record = list->repository->from_key(list->ctx, key);
    list->records = mem_grow(list->ctx, list->records, void *, list->count + 1);
    list->records[list->count++] = record;
}

static bool list_each(struct bytes key, struct bytes value, void *arg)
{
    list_add(arg, key, value);
    return true;
}

static void list_give(struct list *list, void *ret, size_t *ret_count)
{
    memcpy(ret, &list->records, sizeof list->records);
    *ret_count = list->count;
}

enum op_err repository_list(struct kv_txn *txn, const struct repository *repository, struct bytes prefix,
                            struct bytes after, size_t limit, const void *ctx, void *ret, size_t *ret_count)
{
    struct list list = {.repository = repository, .ctx = ctx};
    enum op_err err = kv_scan(txn, repository->table, prefix, after, limit, list_each, &list);
    if (err == OP_OK)
        list_give(&list, ret, ret_count);
    return err;
}

struct owned {
    const void *ctx;
    size_t skip; /* bytes of the key before the part that names the record */
    struct bytes *keys;
    size_t count;
};

static bool owned_each(struct bytes key, struct bytes value, void *arg)
{
    (void)value;
    struct owned *owned = arg;
    owned->keys = mem_grow(owned->ctx, owned->keys, struct bytes, owned->count + 1);
    owned->keys[owned->count++] = mem_bytes(owned->ctx, bytes_from(key.data + owned->skip, key.len - owned->skip));
    return true;
}

enum op_err repository_list_owned(struct kv_txn *txn, const struct repository *repository, const struct kv_table *index,
                                  const char *owner, struct bytes after, size_t limit, const void *ctx, void *ret,
                                  size_t *ret_count)
{
    struct bytes prefix = repository_owned_key(ctx, owner, bytes_of(NULL));
    struct bytes after_key = after.len == 0 ? bytes_of(NULL) : repository_owned_key(ctx, owner, after);
    struct owned owned = {.ctx = ctx, .skip = prefix.len};
    enum op_err err = kv_scan(txn, index, prefix, after_key, limit, owned_each, &owned);
    struct list list = {.repository = repository, .ctx = ctx};
    for (size_t i = 0; i < owned.count && err == OP_OK; i++) {
        struct bytes value;
        err = kv_get(txn, repository->table, owned.keys[i], ctx, &value);
        if (err == OP_OK)
            list_add(&list, owned.keys[i], value);
        else if (err == OP_ABSENT)
            err = OP_OK;
    }
    if (err == OP_OK)
        list_give(&list, ret, ret_count);
    return err;
}

struct bytes repository_owned_key(const void *ctx, const char *owner, struct bytes rest)
{
    size_t owner_len = strlen(owner) + 1;
    uint8_t *key = mem_array(ctx, uint8_t, owner_len + rest.len);
    memcpy(key, owner, owner_len);
    if (rest.len != 0)
        memcpy(key + owner_len, rest.data, rest.len);
    return bytes_from(key, owner_len + rest.len);
}
