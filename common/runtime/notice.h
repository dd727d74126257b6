#pragma once
/* Messages that tell people what happened to their accounts, written into the outbox around the change itself: held
 * back before it, let out after it, withdrawn when it did not come about. Whoever is killed in between leaves a message
 * that leaves by itself soon after (OUTBOX_HOLD_MS), so no change goes untold; and an outbox that is full, broken or
 * busy never keeps anybody from the change. */
#include "base/trace.h"
#include "data/records.h"
#include "store/kv.h"

/* The mail after a change of password. locale: the language of the page it was changed on, for people whose account
 * says nothing of theirs; NULL: none. Owned by ctx. NULL: nobody is to be told, because there is no mail server or the
 * account has no verified e-mail address. */
Rec__Message *notice_password_changed(const void *ctx, const Rec__User *user, const char *locale, int64_t now);

/* The two halves inside work, for those who wait for their transactions (opctl): the Rec__Message becomes held back; it
 * is let out, or withdrawn. */
must_check enum op_err notice_hold_work(struct kv_txn *txn, void *message);
must_check enum op_err notice_settle_work(struct kv_txn *txn, const Rec__Message *message, bool happened);

/* Before the change, on the event loop: holds the message back and calls done once that stands or has failed, which
 * keeps nobody from going on; the message must live until then. Trouble is logged when it begins. message may be NULL:
 * done is called at once, as if it were held. The environment outbox must be open for writing. */
typedef void notice_done(bool is_held, void *arg);
void notice_hold(struct kv *kv, Rec__Message *message, const char *request_id, const struct trace *trace, notice_done *done,
                 void *arg);
/* After it: lets the message out, or withdraws it. Returns at once; NULL and what was not held are nothing. */
void notice_settle(struct kv *kv, const Rec__Message *message, bool happened);
