#pragma once
/* What is to leave the house, until op-async has delivered it: at least once, whoever is killed when. One process at a
 * time delivers a message: it claims it, which makes it due again only later, so that a claim lapses by itself. What
 * cannot be delivered stays as a dead letter for a while. A record that only a newer version may act on is left alone:
 * never due, OP_DENIED for all the rest. Everything that makes a message due rings. */
#include "data/records.h"
#include "store/kv.h"

enum {
    OUTBOX_ID_LEN = 16,
    /* Longer than what a message tells of may take to be written, once the message was. */
    OUTBOX_HOLD_MS = 10000,
};

/* Gives the message its id and time. It is due at due_ms: at once, or held back for OUTBOX_HOLD_MS while what it tells
 * of is written, and then made due (outbox_make_due) or dropped. Should nobody come to do so it is due by itself. */
must_check enum op_err outbox_insert(struct kv_txn *txn, Rec__Message *message, int64_t now_ms, int64_t due_ms);

/* OP_ABSENT, OP_DENIED, OP_BROKEN. */
must_check enum op_err outbox_get(struct kv_txn *txn, const void *ctx, struct bytes id, Rec__Message **ret);
/* All, dead letters too, the oldest first, those after the id `after`. One that cannot be read is listed with its id
 * only and needs above RECORDS_FORMAT. */
must_check enum op_err outbox_list(struct kv_txn *txn, const void *ctx, struct bytes after, size_t limit,
                                   Rec__Message ***ret, size_t *ret_count);
/* The same of dead letters alone. */
must_check enum op_err outbox_list_dead(struct kv_txn *txn, const void *ctx, struct bytes after, size_t limit,
                                        Rec__Message ***ret, size_t *ret_count);

/* One page of what is due at now_ms, longest due first. place is where the page begins, empty for the first, and is
 * moved behind it, or emptied when nothing is left that is due; *ret_next_ms is then when the next message will be, 0
 * for never. */
struct outbox_page {
    struct bytes place; /* owned by ctx */
    Rec__Message **messages;
    size_t count;
    int64_t next_ms;
};
must_check enum op_err outbox_due(struct kv_txn *txn, const void *ctx, int64_t now_ms, size_t limit,
                                  struct outbox_page *page);

/* The message is claim's until until_ms, and that is one more try. OP_EXISTS: it is not due, so somebody else has it or
 * it waits for its next try; OP_ABSENT: it is gone or dead. */
must_check enum op_err outbox_claim(struct kv_txn *txn, const void *ctx, struct bytes id, struct bytes claim,
                                    int64_t now_ms, int64_t until_ms, Rec__Message **ret);
/* The ends of a claimed message: gone; due again later; a dead letter. OP_MISMATCH: it is not claim's any more, and
 * nothing is changed; OP_ABSENT. */
must_check enum op_err outbox_delivered(struct kv_txn *txn, struct bytes id, struct bytes claim);
must_check enum op_err outbox_postpone(struct kv_txn *txn, struct bytes id, struct bytes claim, int64_t due_ms,
                                       const char *failure);
/* It is kept for so many seconds; of more dead letters than max the oldest are forgotten. */
must_check enum op_err outbox_bury(struct kv_txn *txn, struct bytes id, struct bytes claim, const char *failure,
                                   int64_t keep_seconds, size_t max);
/* The try was given up before it could end: the message is due again and the try was none. */
must_check enum op_err outbox_let_go(struct kv_txn *txn, struct bytes id, struct bytes claim, int64_t now_ms);

/* Due at once, and as many tries again: what was held back, what waits, a dead letter. OP_EXISTS: it is being delivered
 * right now; OP_ABSENT. */
must_check enum op_err outbox_make_due(struct kv_txn *txn, struct bytes id, int64_t now_ms);
/* OP_ABSENT. One that is being delivered may arrive all the same. */
must_check enum op_err outbox_drop(struct kv_txn *txn, struct bytes id);

/* Being delivered at now_ms. */
bool outbox_is_claimed(const Rec__Message *message, int64_t now_ms);

struct outbox_counts {
    uint64_t waiting, dead;
    int64_t oldest_ms; /* when the oldest that waits was written; 0: none does */
};
/* Counted up to OUTBOX_COUNT_MAX each. */
enum { OUTBOX_COUNT_MAX = 100000 };
must_check enum op_err outbox_count(struct kv_txn *txn, struct outbox_counts *ret);
