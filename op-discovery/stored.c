#include "stored.h"

#include <string.h>

#include "store/keyring.h"

static const char *const STATES[] = {[ROTATION_NEXT] = "next", [ROTATION_CURRENT] = "current",
                                     [ROTATION_RETIRED] = "retired"};

const char *stored_state_name(enum rotation_state state)
{
    return STATES[state];
}

static bool read_state(const char *name, enum rotation_state *ret)
{
    for (size_t i = 0; name != NULL && i < sizeof STATES / sizeof *STATES; i++) {
        if (strcmp(name, STATES[i]) == 0) {
            *ret = (enum rotation_state)i;
            return true;
        }
    }
    return false;
}

/* False: a newer version's, or damaged; left alone. */
static bool read_key(const Rec__SigningKey *record, struct rotation_key *ret)
{
    struct rotation_key key = {
        .kid = record->kid, .alg = jose_alg_from_name(record->alg), .created_at = record->created_at,
        .current_at = record->current_at, .retired_at = record->retired_at, .unpublish_at = record->unpublish_at,
        .delete_at = record->delete_at,
    };
    if (record->needs > RECORDS_FORMAT || record->kid == NULL || record->jwk == NULL || key.alg == JOSE_ALG_NONE ||
        !read_state(record->state, &key.state))
        return false;
    *ret = key;
    return true;
}

enum op_err stored_load(struct kv_txn *txn, const void *ctx, struct stored_keys *ret)
{
    Rec__SigningKey **records;
    size_t count;
    enum op_err err = signing_keys_list(txn, ctx, &records, &count);
    if (err != OP_OK)
        return err;
    struct stored_keys out = {.keys = mem_array(ctx, struct rotation_key, count), .records = records};
    for (size_t i = 0; i < count; i++) {
        struct rotation_key *key = &out.keys[out.count];
        if (!read_key(records[i], key))
            continue;
        Rec__PrivateKey *private;
        err = private_keys_get(txn, ctx, key->kid, &private);
        if (err == OP_FULL)
            return err;
        key->signs = err == OP_OK;
        out.records[out.count++] = records[i];
    }
    *ret = out;
    return OP_OK;
}

enum op_err stored_wish(struct kv_txn *txn, const void *ctx, enum rotation_wish *ret, int64_t *ret_wished_at)
{
    Rec__RotationWish *wish;
    enum op_err err = rotation_wish_get(txn, ctx, &wish);
    if (err != OP_OK && err != OP_ABSENT)
        return err;
    *ret = err == OP_ABSENT ? ROTATION_NO_WISH : wish->at_once ? ROTATION_AT_ONCE : ROTATION_NOW;
    *ret_wished_at = err == OP_ABSENT ? 0 : wish->wished_at;
    return OP_OK;
}

Rec__SigningKey *stored_record(const void *ctx, Rec__SigningKey *record, const struct rotation_key *key)
{
    if (record == NULL) {
        record = records_new(ctx, &rec__signing_key__descriptor);
        record->kid = mem_strdup(ctx, key->kid);
        record->alg = mem_strdup(ctx, jose_alg_name(key->alg));
    }
    record->state = mem_strdup(ctx, stored_state_name(key->state));
    record->has_created_at = record->has_current_at = true;
    record->created_at = key->created_at;
    record->current_at = key->current_at;
    record->has_retired_at = record->has_unpublish_at = record->has_delete_at = key->state == ROTATION_RETIRED;
    record->retired_at = key->retired_at;
    record->unpublish_at = key->unpublish_at;
    record->delete_at = key->delete_at;
    return record;
}
