#pragma once
/* Initial access tokens (RFC 7591 §3): they let somebody register clients, so many and until then. Stored as SHA-256. */
#include "data/records.h"
#include "store/kv.h"

enum { INITIAL_ACCESS_TOKEN_ID_LEN = 8 }; /* bytes of the hash: how an operator names one */

/* Stores record, whose token_hash is set here. OP_EXISTS. */
must_check enum op_err initial_access_tokens_insert(struct kv_txn *txn, const char *token,
                                                    Rec__InitialAccessToken *record);
/* OP_ABSENT: no such token, expired or used up; OP_DENIED, OP_BROKEN. */
must_check enum op_err initial_access_tokens_get(struct kv_txn *txn, const void *ctx, const char *token,
                                                 Rec__InitialAccessToken **ret);
/* Takes one use, in the transaction that makes what it is for; the last one deletes the token. Results as
 * initial_access_tokens_get. */
must_check enum op_err initial_access_tokens_use(struct kv_txn *txn, const char *token);
/* Those after `after` (a hash; empty: from the first), at most limit, into an array owned by ctx. One that cannot be
 * read has its token_hash, and needs above RECORDS_FORMAT. */
must_check enum op_err initial_access_tokens_list(struct kv_txn *txn, const void *ctx, struct bytes after, size_t limit,
                                                  Rec__InitialAccessToken ***ret, size_t *ret_count);
/* Deletes the one whose hash begins with the id. OP_ABSENT. */
must_check enum op_err initial_access_tokens_delete(struct kv_txn *txn,
                                                    const uint8_t id[INITIAL_ACCESS_TOKEN_ID_LEN]);
