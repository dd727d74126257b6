#pragma once
/* The Environment record that `opctl init` leaves in each environment. */
#include "data/records.h"
#include "store/kv.h"

/* OP_ABSENT: made but not initialised; OP_DENIED, OP_BROKEN. */
must_check enum op_err environment_get(struct kv_txn *txn, enum kv_env env, const void *ctx, Rec__Environment **ret);
/* Insert-if-absent. OP_EXISTS. */
must_check enum op_err environment_insert(struct kv_txn *txn, enum kv_env env, const Rec__Environment *record);
