#pragma once
/* What URLs outside answered. op-async writes it; whoever needs a document leaves a wish (store/wishes.h). */
#include "data/records.h"
#include "store/kv.h"

/* OP_ABSENT: never fetched, or long ago; OP_DENIED, OP_BROKEN. The record may be of a fetch that failed. */
must_check enum op_err remote_get(struct kv_txn *txn, const void *ctx, const char *url, Rec__Document **ret);
/* Writes it under its url, whatever was there but a newer version's (OP_DENIED), and rings. It expires at expires_at. */
must_check enum op_err remote_put(struct kv_txn *txn, const Rec__Document *document);
/* Makes room: removes up to limit documents from a random place on. They are fetched again when they are needed. */
must_check enum op_err remote_evict(struct kv_txn *txn, size_t limit);
