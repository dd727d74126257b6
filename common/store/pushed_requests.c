#include "store/pushed_requests.h"

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

const struct repository REPOSITORY_PUSHED_REQUESTS = {&TABLE_PUSHED_REQUESTS, &rec__pushed_request__descriptor, NULL};

enum op_err pushed_requests_insert(struct kv_txn *txn, const char *request_uri, const Rec__PushedRequest *record)
{
    uint8_t key[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(request_uri), key);
    return repository_insert(txn, &REPOSITORY_PUSHED_REQUESTS, bytes_from(key, sizeof key), record, record->expires_at);
}

enum op_err pushed_requests_get(struct kv_txn *txn, const void *ctx, const char *request_uri, Rec__PushedRequest **ret)
{
    return repository_get(txn, &REPOSITORY_PUSHED_REQUESTS, digest_sha256_of(ctx, request_uri), ctx, ret);
}

enum op_err pushed_requests_take(struct kv_txn *txn, const char *request_uri, int64_t until)
{
    uint8_t digest[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(request_uri), digest);
    struct bytes key = bytes_from(digest, sizeof digest);
    enum op_err err = kv_insert(txn, &TABLE_SPENT_REQUESTS, key, bytes_of(NULL), until);
    if (err == OP_OK)
        err = kv_delete(txn, &TABLE_PUSHED_REQUESTS, key);
    return err == OP_ABSENT ? OP_OK : err;
}
