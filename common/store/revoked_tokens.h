#pragma once
/* Access tokens that were revoked by their jti: those that name no family which could be killed
 * (client_credentials). */
#include "store/kv.h"

/* exp is the token's: the mark outlives it. Revoking twice is fine. */
must_check enum op_err revoked_tokens_add(struct kv_txn *txn, const char *jti, int64_t exp);
must_check enum op_err revoked_tokens_has(struct kv_txn *txn, const char *jti, bool *ret);
