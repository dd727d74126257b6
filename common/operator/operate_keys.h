#pragma once
/* What an operator sees of the signing keys: their public halves and where they stand. Inside work; nothing blocks. */
#include "operator/listing.h"
#include "store/kv.h"

/* In the order of kid, those after kid `after` (NULL: from the start), without their JWKs. Owned by ctx. */
must_check enum op_err operate_keys_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit,
                                         struct listing *ret);
/* With its public JWK. OP_ABSENT, OP_DENIED, OP_BROKEN. Owned by ctx. */
must_check enum op_err operate_keys_show(struct kv_txn *txn, const void *ctx, const char *kid, json_t **ret);
