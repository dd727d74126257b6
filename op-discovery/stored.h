#pragma once
/* The stored signing keys as the rotation sees them, and back. Inside transactions; nothing blocks. */
#include "data/records.h"
#include "rotation.h"
#include "store/kv.h"

struct stored_keys {
    struct rotation_key *keys;
    Rec__SigningKey **records; /* beside keys */
    size_t count;
};

/* Those that this version may act on. Owned by ctx. OP_BROKEN, OP_FULL. */
must_check enum op_err stored_load(struct kv_txn *txn, const void *ctx, struct stored_keys *ret);

/* The operator's wish. OP_BROKEN, OP_FULL, OP_DENIED. */
must_check enum op_err stored_wish(struct kv_txn *txn, const void *ctx, enum rotation_wish *ret,
                                   int64_t *ret_wished_at);

/* The record that says what key says, made of record (changed in place, so that fields a newer
 * version wrote survive) or, where that is NULL, anew in ctx. */
Rec__SigningKey *stored_record(const void *ctx, Rec__SigningKey *record, const struct rotation_key *key);

const char *stored_state_name(enum rotation_state state);
