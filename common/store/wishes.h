#pragma once
/* Wishes for documents from outside, one per URL, until op-async has fulfilled them. They lie in guard, which every
 * server may write; the documents in remote, which only op-async may. Times in ms are clock_now_ms(). */
#include "data/records.h"
#include "store/kv.h"

enum { WISH_LIFETIME = 60 }; /* seconds */

/* Wishes for the JSON document at url as it is at since_ms or later (0: one that is fresh), and rings. A wish that
 * is already there is renewed and keeps its claim. traceparent: of who wishes (NULL: nobody's); a wish keeps the one of
 * whoever left it first, or wanted it as it is later. */
must_check enum op_err wishes_leave(struct kv_txn *txn, const char *url, int64_t since_ms, const char *traceparent);
/* OP_ABSENT; OP_DENIED, OP_BROKEN. */
must_check enum op_err wishes_get(struct kv_txn *txn, const void *ctx, const char *url, Rec__Wish **ret);
/* Wishes that can be read, in the order of their keys, those after *key (empty: from the first), at most limit. *key
 * becomes that of the last one seen, or empty when there are no more. ret is an array owned by ctx, as is *key. */
must_check enum op_err wishes_list(struct kv_txn *txn, const void *ctx, struct bytes *key, size_t limit, Rec__Wish ***ret,
                                   size_t *ret_count);

/* True while a process fetches it. A claim from the future (the clock was set back) is none. */
bool wishes_is_claimed(const Rec__Wish *wish, int64_t now_ms);
/* One process fetches one URL: the wish is claim's until until_ms. OP_EXISTS: it is somebody else's; OP_ABSENT: there
 * is none any more. */
must_check enum op_err wishes_claim(struct kv_txn *txn, const char *url, struct bytes claim, int64_t now_ms,
                                    int64_t until_ms);
/* After a fetch that began at began_ms: the wish is gone, or, when it asks for later, free again for the next. Does
 * nothing where the wish is not claim's any more; an empty claim ends what nobody has claimed. */
must_check enum op_err wishes_end(struct kv_txn *txn, const char *url, struct bytes claim, int64_t began_ms);
