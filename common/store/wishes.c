#include "store/wishes.h"

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

const struct repository REPOSITORY_WISHES = {&TABLE_WISHES, &rec__wish__descriptor, NULL};

static enum op_err put(struct kv_txn *txn, struct bytes key, const Rec__Wish *wish)
{
    return repository_put(txn, &REPOSITORY_WISHES, key, wish, kv_now(txn) + WISH_LIFETIME);
}

enum op_err wishes_leave(struct kv_txn *txn, const char *url, int64_t since_ms, const char *traceparent)
{
    void *scratch = mem_root("wishes_leave");
    struct bytes key = digest_sha256_of(scratch, url);
    Rec__Wish *wish;
    enum op_err err = repository_get(txn, &REPOSITORY_WISHES, key, scratch, &wish);
    if (err == OP_ABSENT || err == OP_BROKEN) {
        wish = records_new(scratch, &rec__wish__descriptor);
        wish->url = mem_strdup(wish, url);
        err = OP_OK;
    }
    if (err == OP_OK && (!wish->has_since_ms || since_ms > wish->since_ms)) {
        wish->has_since_ms = true;
        wish->since_ms = since_ms;
        wish->traceparent = traceparent == NULL ? NULL : mem_strdup(wish, traceparent);
    }
    if (err == OP_OK)
        err = put(txn, key, wish);
    if (err == OP_OK)
        kv_ring(txn);
    talloc_free(scratch);
    return err;
}

enum op_err wishes_get(struct kv_txn *txn, const void *ctx, const char *url, Rec__Wish **ret)
{
    return repository_get(txn, &REPOSITORY_WISHES, digest_sha256_of(ctx, url), ctx, ret);
}

struct list {
    const void *ctx;
    Rec__Wish **wishes;
    size_t count;
    struct bytes last;
};

static bool each_wish(struct bytes key, struct bytes value, void *arg)
{
    struct list *list = arg;
    list->last = mem_bytes(list->ctx, key);
    if (records_unpack(list->ctx, REPOSITORY_WISHES.type, value, &list->wishes[list->count]) == OP_OK &&
        list->wishes[list->count]->url != NULL)
        list->count++;
    return true;
}

enum op_err wishes_list(struct kv_txn *txn, const void *ctx, struct bytes *key, size_t limit, Rec__Wish ***ret,
                        size_t *ret_count)
{
    struct list list = {.ctx = ctx, .wishes = mem_array(ctx, Rec__Wish *, limit)};
    enum op_err err = kv_scan(txn, REPOSITORY_WISHES.table, bytes_of(NULL), *key, limit, each_wish, &list);
    if (err != OP_OK)
        return err;
    *key = list.last;
    *ret = list.wishes;
    *ret_count = list.count;
    return OP_OK;
}

static struct bytes claim_of(const Rec__Wish *wish)
{
    return bytes_from(wish->claim.data, wish->has_claim ? wish->claim.len : 0);
}

bool wishes_is_claimed(const Rec__Wish *wish, int64_t now_ms)
{
    return wish->claimed_until_ms > now_ms && wish->claimed_until_ms - now_ms <= WISH_LIFETIME * 1000;
}

enum op_err wishes_claim(struct kv_txn *txn, const char *url, struct bytes claim, int64_t now_ms, int64_t until_ms)
{
    void *scratch = mem_root("wishes_claim");
    Rec__Wish *wish;
    enum op_err err = wishes_get(txn, scratch, url, &wish);
    if (err == OP_OK && wishes_is_claimed(wish, now_ms) && !bytes_equal(claim_of(wish), claim))
        err = OP_EXISTS;
    if (err == OP_OK) {
        struct bytes copy = mem_bytes(wish, claim);
        wish->has_claim = wish->has_claimed_until_ms = true;
        wish->claim = (ProtobufCBinaryData){.len = copy.len, .data = (uint8_t *)copy.data};
        wish->claimed_until_ms = until_ms;
        err = put(txn, digest_sha256_of(scratch, url), wish);
    }
    talloc_free(scratch);
    return err;
}

enum op_err wishes_end(struct kv_txn *txn, const char *url, struct bytes claim, int64_t began_ms)
{
    void *scratch = mem_root("wishes_end");
    struct bytes key = digest_sha256_of(scratch, url);
    Rec__Wish *wish;
    enum op_err err = repository_get(txn, &REPOSITORY_WISHES, key, scratch, &wish);
    if (err == OP_OK && bytes_equal(claim_of(wish), claim)) {
        wish->has_claim = wish->has_claimed_until_ms = false;
        bool later = wish->since_ms > began_ms && wish->since_ms / 1000 <= kv_now(txn); /* else the clock was set back */
        err = later ? put(txn, key, wish) : kv_delete(txn, &TABLE_WISHES, key);
    }
    talloc_free(scratch);
    return err == OP_ABSENT ? OP_OK : err;
}
