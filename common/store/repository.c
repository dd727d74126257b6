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

enum op_err repository_insert(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                              const void *record, int64_t expires_at)
{
    void *scratch = mem_root("repository_insert");
    enum op_err err = kv_insert(txn, repository->table, key, records_pack(scratch, record), expires_at);
    talloc_free(scratch);
    return err;
}

enum op_err repository_put(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                           const void *record, int64_t expires_at)
{
    void *scratch = mem_root("repository_put");
    enum op_err err = kv_put(txn, repository->table, key, records_pack(scratch, record), expires_at);
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
                                  const char *owner, size_t limit, const void *ctx, void *ret, size_t *ret_count)
{
    struct bytes prefix = repository_owned_key(ctx, owner, bytes_of(NULL));
    struct owned owned = {.ctx = ctx, .skip = prefix.len};
    enum op_err err = kv_scan(txn, index, prefix, bytes_of(NULL), limit, owned_each, &owned);
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
