#include "store/device_requests.h"

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

static const struct repository REQUESTS = {&TABLE_DEVICE_REQUESTS, &rec__device_request__descriptor, NULL};

static enum op_err write_request(struct kv_txn *txn, struct bytes key, const Rec__DeviceRequest *record)
{
    return repository_put(txn, &REQUESTS, key, record, record->expires_at + DEVICE_REQUEST_REMEMBERED);
}

enum op_err device_requests_insert(struct kv_txn *txn, const char *device_code, const Rec__DeviceRequest *record)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(device_code), hash);
    struct bytes key = bytes_from(hash, sizeof hash);
    enum op_err err = kv_insert(txn, &TABLE_USER_CODES, bytes_of(record->user_code), key, record->expires_at);
    return err != OP_OK ? err : write_request(txn, key, record);
}

enum op_err device_requests_get(struct kv_txn *txn, const void *ctx, const char *device_code, Rec__DeviceRequest **ret)
{
    return repository_get(txn, &REQUESTS, digest_sha256_of(ctx, device_code), ctx, ret);
}

enum op_err device_requests_update(struct kv_txn *txn, const char *device_code, const Rec__DeviceRequest *record)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(device_code), hash);
    return write_request(txn, bytes_from(hash, sizeof hash), record);
}

enum op_err device_requests_take(struct kv_txn *txn, const void *ctx, const char *device_code, Rec__DeviceRequest **ret)
{
    Rec__DeviceRequest *record;
    struct bytes key = digest_sha256_of(ctx, device_code);
    enum op_err err = repository_get(txn, &REQUESTS, key, ctx, &record);
    if (err == OP_OK)
        err = kv_delete(txn, &TABLE_DEVICE_REQUESTS, key);
    if (err == OP_OK)
        *ret = record;
    return err;
}

enum op_err device_requests_find(struct kv_txn *txn, const void *ctx, const char *user_code, Rec__DeviceRequest **ret)
{
    struct bytes key;
    enum op_err err = kv_get(txn, &TABLE_USER_CODES, bytes_of(user_code), ctx, &key);
    return err != OP_OK ? err : repository_get(txn, &REQUESTS, key, ctx, ret);
}

enum op_err device_requests_decide(struct kv_txn *txn, const Rec__DeviceRequest *record)
{
    void *scratch = mem_root("device_requests_decide");
    struct bytes key;
    enum op_err err = kv_take(txn, &TABLE_USER_CODES, bytes_of(record->user_code), scratch, &key);
    if (err == OP_OK)
        err = write_request(txn, key, record);
    talloc_free(scratch);
    return err;
}

enum op_err device_requests_try(struct kv_txn *txn, const void *ctx, const struct guard_limit *limit,
                                const char *subject, const char *user_code, unsigned *ret_wait, Rec__DeviceRequest **ret)
{
    unsigned wait;
    Rec__DeviceRequest *record = NULL;
    enum op_err err = guard_wait(txn, limit, subject, &wait);
    if (err == OP_OK && wait == 0) {
        err = device_requests_find(txn, ctx, user_code, &record);
        if (err == OP_ABSENT || err == OP_DENIED)
            err = guard_count(txn, limit, subject);
    }
    if (err != OP_OK)
        return err;
    *ret_wait = wait;
    *ret = record;
    return OP_OK;
}
