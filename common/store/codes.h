#pragma once
/* Authorization codes: taken once, and the tombstone that says what the first use produced. */
#include "data/records.h"
#include "store/kv.h"

/* code is the secret as handed out; only its SHA-256 is stored. Expires at record->expires_at. */
must_check enum op_err codes_insert(struct kv_txn *txn, const char *code, const Rec__Code *record);
/* Reads it without taking it (to authenticate and compare before spending it). */
must_check enum op_err codes_get(struct kv_txn *txn, const void *ctx, const char *code, Rec__Code **ret);
/* Takes it and leaves a tombstone that names family_id until tombstone_expires_at.
 * OP_ABSENT: no such code (or expired, or spent: ask codes_get_spent). */
must_check enum op_err codes_take(struct kv_txn *txn, const void *ctx, const char *code, struct bytes family_id,
                                  int64_t tombstone_expires_at, Rec__Code **ret);
/* OP_ABSENT: it was never spent, or longer ago than tombstones live. */
must_check enum op_err codes_get_spent(struct kv_txn *txn, const void *ctx, const char *code, Rec__SpentCode **ret);
