#pragma once
/* What URLs outside answered. op-async writes it; whoever needs a document leaves a wish (store/wishes.h). */
#include "data/records.h"
#include "store/kv.h"

/* What a document (NULL: none) is worth to somebody who wants it as it is at since_ms or later (0: any that is fresh).
 * Times in ms are clock_now_ms(). Pure. */
enum remote_worth {
    REMOTE_FRESH,   /* to be used */
    REMOTE_FAILING, /* the last fetch failed a moment ago: ask nobody again before retry_at */
    REMOTE_WANTED,  /* to be fetched */
};
enum remote_worth remote_judge(const Rec__Document *document, int64_t since_ms, int64_t now_ms);
/* True when its body, though perhaps stale, is of since_ms or later. Pure. */
bool remote_is_usable(const Rec__Document *document, int64_t since_ms, int64_t now_ms);
enum { REMOTE_FAILURE_MAX = 3600 }; /* seconds: no retry_at is further away, unless the clock was set back */

/* OP_ABSENT: never fetched, or long ago; OP_DENIED, OP_BROKEN. The record may be of a fetch that failed. */
must_check enum op_err remote_get(struct kv_txn *txn, const void *ctx, const char *url, Rec__Document **ret);
/* Writes it under its url, whatever was there but a newer version's (OP_DENIED), and rings. It expires at expires_at. */
must_check enum op_err remote_put(struct kv_txn *txn, const Rec__Document *document);
/* Makes room: removes up to limit documents from a random place on. They are fetched again when they are needed. */
must_check enum op_err remote_evict(struct kv_txn *txn, size_t limit);
