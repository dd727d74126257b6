#include "store/remote.h"

#include "base/rand.h"
#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

const struct repository REPOSITORY_DOCUMENTS = {&TABLE_DOCUMENTS, &rec__document__descriptor, NULL};

bool remote_is_usable(const Rec__Document *document, int64_t since_ms, int64_t now_ms)
{
    return document != NULL && document->has_body && document->fetched_ms >= since_ms && document->fetched_ms <= now_ms;
}

enum remote_worth remote_judge(const Rec__Document *document, int64_t since_ms, int64_t now_ms)
{
    int64_t now = now_ms / 1000;
    if (remote_is_usable(document, since_ms, now_ms) && now < document->fresh_until)
        return REMOTE_FRESH;
    bool failing = document != NULL && document->retry_at > now && document->retry_at - now <= REMOTE_FAILURE_MAX;
    return failing ? REMOTE_FAILING : REMOTE_WANTED;
}

enum op_err remote_get(struct kv_txn *txn, const void *ctx, const char *url, Rec__Document **ret)
{
    return repository_get(txn, &REPOSITORY_DOCUMENTS, digest_sha256_of(ctx, url), ctx, ret);
}

enum op_err remote_put(struct kv_txn *txn, const Rec__Document *document)
{
    void *scratch = mem_root("remote_put");
    struct bytes key = digest_sha256_of(scratch, document->url);
    Rec__Document *stored;
    enum op_err err = repository_get(txn, &REPOSITORY_DOCUMENTS, key, scratch, &stored);
    if (err == OP_OK || err == OP_ABSENT || err == OP_BROKEN)
        err = repository_put(txn, &REPOSITORY_DOCUMENTS, key, document, document->expires_at);
    if (err == OP_OK)
        kv_ring(txn);
    talloc_free(scratch);
    return err;
}

struct victims {
    void *ctx;
    struct bytes *keys;
    size_t count;
};

static bool each_victim(struct bytes key, struct bytes value, void *arg)
{
    (void)value;
    struct victims *victims = arg;
    victims->keys[victims->count++] = mem_bytes(victims->ctx, key);
    return true;
}

enum op_err remote_evict(struct kv_txn *txn, size_t limit)
{
    uint8_t place[DIGEST_SHA256_LEN];
    rand_bytes(place, sizeof place);
    struct victims victims = {.ctx = mem_root("remote_evict")};
    victims.keys = mem_array(victims.ctx, struct bytes, limit);
    struct bytes all = bytes_of(NULL);
    enum op_err err = kv_scan(txn, &TABLE_DOCUMENTS, all, bytes_from(place, sizeof place), limit, each_victim, &victims);
    if (err == OP_OK && victims.count < limit) /* the keys are a circle */
        err = kv_scan(txn, &TABLE_DOCUMENTS, all, all, limit - victims.count, each_victim, &victims);
    for (size_t i = 0; i < victims.count && err == OP_OK; i++) {
        err = kv_delete(txn, &TABLE_DOCUMENTS, victims.keys[i]);
        if (err == OP_ABSENT)
            err = OP_OK; /* seen twice */
    }
    talloc_free(victims.ctx);
    return err;
}
