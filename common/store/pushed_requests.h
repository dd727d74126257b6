#pragma once
/* Pushed authorization requests (RFC 9126): kept until they expire, taken once. */
#include "data/records.h"
#include "store/kv.h"

/* request_uri is the whole URI as handed out; only its SHA-256 is stored. Expires at record->expires_at. */
must_check enum op_err pushed_requests_insert(struct kv_txn *txn, const char *request_uri,
                                              const Rec__PushedRequest *record);
/* Reads it without taking it: a sign-in page may be reloaded. OP_ABSENT: no such request, or expired, or taken. */
must_check enum op_err pushed_requests_get(struct kv_txn *txn, const void *ctx, const char *request_uri,
                                           Rec__PushedRequest **ret);
/* Takes it for good; also one that expired while a person who began in time was signing in. OP_EXISTS: it was
 * taken before, which is remembered until `until`. */
must_check enum op_err pushed_requests_take(struct kv_txn *txn, const char *request_uri, int64_t until);
