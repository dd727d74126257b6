#pragma once
/* What an operator does with messages that wait to leave the house, and with dead letters. Inside work; nothing blocks.
 * A message is named by its id, 32 hex digits. OP_INVALID: that is no id. Results are owned by ctx. */
#include "data/json.h"
#include "operator/listing.h"
#include "store/kv.h"

/* The oldest first, dead letters among them or alone; those after id `after` (NULL: from the start). */
must_check enum op_err operate_outbox_list(struct kv_txn *txn, const void *ctx, bool only_dead, const char *after,
                                           size_t limit, struct listing *ret);
/* OP_ABSENT, OP_DENIED. */
must_check enum op_err operate_outbox_show(struct kv_txn *txn, const void *ctx, const char *id, json_t **ret);
/* Delivered now, with as many tries as a new one has. OP_EXISTS: it is being delivered; OP_ABSENT, OP_DENIED. */
must_check enum op_err operate_outbox_retry(struct kv_txn *txn, const void *ctx, const char *id, json_t **ret);
/* OP_ABSENT, OP_DENIED. */
must_check enum op_err operate_outbox_drop(struct kv_txn *txn, const void *ctx, const char *id);
