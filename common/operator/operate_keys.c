#include "operator/operate_keys.h"

#include <string.h>

#include "store/keyring.h"

static json_t *key_json(const void *ctx, const Rec__SigningKey *key)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "kid", key->kid);
    if (key->needs > RECORDS_FORMAT) {
        json_set_string(object, "state", "unreadable");
        return object;
    }
    json_set_string(object, "alg", key->alg);
    json_set_string(object, "state", key->state);
    json_set_time(object, "created_at", key->created_at);
    json_set_time(object, "current_at", key->current_at);
    json_set_time(object, "retired_at", key->retired_at);
    json_set_time(object, "unpublish_at", key->unpublish_at);
    json_set_time(object, "delete_at", key->delete_at);
    return object;
}

enum op_err operate_keys_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit, struct listing *ret)
{
    Rec__SigningKey **keys;
    size_t count;
    enum op_err err = signing_keys_list(txn, ctx, &keys, &count);
    if (err != OP_OK)
        return err;
    struct listing listing = {.items = json_make_array(ctx)};
    const char *last = after;
    for (size_t i = 0; i < count && listing.next == NULL; i++) { /* there are few, so all are read each time */
        if (after != NULL && strcmp(keys[i]->kid, after) <= 0)
            continue;
        if (json_array_size(listing.items) == limit) {
            listing.next = last;
        } else {
            json_array_append(listing.items, key_json(ctx, keys[i]));
            last = keys[i]->kid;
        }
    }
    *ret = listing;
    return OP_OK;
}

enum op_err operate_keys_show(struct kv_txn *txn, const void *ctx, const char *kid, json_t **ret)
{
    Rec__SigningKey *key;
    json_t *jwk;
    enum op_err err = signing_keys_get(txn, ctx, kid, &key);
    if (err != OP_OK)
        return err;
    json_t *object = key_json(ctx, key);
    if (key->jwk != NULL && json_read(ctx, bytes_of(key->jwk), &jwk) == OP_OK)
        json_set(object, "jwk", jwk);
    *ret = object;
    return OP_OK;
}
