#pragma once
/* The Environment record that `opctl init` leaves in each environment. */
#include "data/records.h"
#include "store/kv.h"

/* OP_ABSENT: made but not initialised; OP_DENIED, OP_BROKEN. */
must_check enum op_err environment_get(struct kv_txn *txn, enum kv_env env, const void *ctx, Rec__Environment **ret);
/* The same whatever its floor: to say what it is. OP_ABSENT, OP_BROKEN. */
must_check enum op_err environment_get_any(struct kv_txn *txn, enum kv_env env, const void *ctx, Rec__Environment **ret);
/* Insert-if-absent. OP_EXISTS. */
must_check enum op_err environment_insert(struct kv_txn *txn, enum kv_env env, const Rec__Environment *record);
/* Replaces the record by one that was read in the same transaction. */
must_check enum op_err environment_update(struct kv_txn *txn, enum kv_env env, const Rec__Environment *record);
