#include "store/codes.h"

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

const struct repository REPOSITORY_CODES = {&TABLE_CODES, &rec__code__descriptor, NULL};
const struct repository REPOSITORY_SPENT_CODES = {&TABLE_SPENT_CODES, &rec__spent_code__descriptor, NULL};

enum op_err codes_insert(struct kv_txn *txn, const char *code, const Rec__Code *record)
{
    uint8_t key[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(code), key);
    return repository_insert(txn, &REPOSITORY_CODES, bytes_from(key, sizeof key), record, record->expires_at);
}

enum op_err codes_get(struct kv_txn *txn, const void *ctx, const char *code, Rec__Code **ret)
{
    return repository_get(txn, &REPOSITORY_CODES, digest_sha256_of(ctx, code), ctx, ret);
}

enum op_err codes_take(struct kv_txn *txn, const void *ctx, const char *code, struct bytes family_id,
                       int64_t tombstone_expires_at, Rec__Code **ret)
{
    struct bytes key = digest_sha256_of(ctx, code);
    Rec__Code *record;
    enum op_err err = repository_get(txn, &REPOSITORY_CODES, key, ctx, &record);
    if (err == OP_OK)
        err = kv_delete(txn, &TABLE_CODES, key);
    if (err != OP_OK)
        return err;
    Rec__SpentCode *spent = records_new(ctx, &rec__spent_code__descriptor);
    struct bytes id = mem_bytes(spent, family_id);
    spent->has_family_id = true;
    spent->family_id = (ProtobufCBinaryData){.len = id.len, .data = (uint8_t *)id.data};
    if (record->grant != NULL)
        spent->client_id = record->grant->client_id;
    err = repository_put(txn, &REPOSITORY_SPENT_CODES, key, spent, tombstone_expires_at);
    if (err == OP_OK)
        *ret = record;
    return err;
}

enum op_err codes_get_spent(struct kv_txn *txn, const void *ctx, const char *code, Rec__SpentCode **ret)
{
    return repository_get(txn, &REPOSITORY_SPENT_CODES, digest_sha256_of(ctx, code), ctx, ret);
}
