#include "store/device_requests.h"

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

/* Until somebody has decided. */
static void derive_user_code(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines)
{
    (void)expires_at;
    const Rec__DeviceRequest *request = record;
    if (request->user_code != NULL && !request->denied && request->grant == NULL)
        repository_add_line(lines, bytes_of(request->user_code), key, request->expires_at);
}

static const struct repository_index INDEXES[] = {{&TABLE_USER_CODES, derive_user_code, repository_target_value}};
const struct repository REPOSITORY_DEVICE_REQUESTS = {
    &TABLE_DEVICE_REQUESTS, &rec__device_request__descriptor, NULL, REPOSITORY_INDEXES(INDEXES)};

static enum op_err write_request(struct kv_txn *txn, struct bytes key, const Rec__DeviceRequest *record)
{
    int64_t remembered_until = record->expires_at + DEVICE_REQUEST_REMEMBERED;
    return repository_put(txn, &REPOSITORY_DEVICE_REQUESTS, key, record, remembered_until);
}

enum op_err device_requests_insert(struct kv_txn *txn, const char *device_code, const Rec__DeviceRequest *record)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(device_code), hash);
    struct bytes key = bytes_from(hash, sizeof hash);
    void *scratch = mem_root("device_requests_insert");
    struct bytes other;
    enum op_err err = kv_get(txn, &TABLE_USER_CODES, bytes_of(record->user_code), scratch, &other);
    talloc_free(scratch);
    if (err == OP_ABSENT)
        return write_request(txn, key, record);
    return err == OP_OK ? OP_EXISTS : err;
}

enum op_err device_requests_get(struct kv_txn *txn, const void *ctx, const char *device_code, Rec__DeviceRequest **ret)
{
    return repository_get(txn, &REPOSITORY_DEVICE_REQUESTS, digest_sha256_of(ctx, device_code), ctx, ret);
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
    enum op_err err = repository_get(txn, &REPOSITORY_DEVICE_REQUESTS, key, ctx, &record);
    if (err == OP_OK)
        err = repository_delete(txn, &REPOSITORY_DEVICE_REQUESTS, key);
    if (err == OP_OK)
        *ret = record;
    return err;
}

enum op_err device_requests_find(struct kv_txn *txn, const void *ctx, const char *user_code, Rec__DeviceRequest **ret)
{
    struct bytes key;
    enum op_err err = kv_get(txn, &TABLE_USER_CODES, bytes_of(user_code), ctx, &key);
    return err != OP_OK ? err : repository_get(txn, &REPOSITORY_DEVICE_REQUESTS, key, ctx, ret);
}

enum op_err device_requests_decide(struct kv_txn *txn, const Rec__DeviceRequest *record)
{
    void *scratch = mem_root("device_requests_decide");
    struct bytes key;
    enum op_err err = kv_get(txn, &TABLE_USER_CODES, bytes_of(record->user_code), scratch, &key);
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
