#pragma once
/* Loads what protocol/family.h judges, in the caller's transaction: the same for redemption, refresh,
 * introspection and userinfo. */
#include "protocol/family.h"
#include "store/kv.h"

/* Session, consent, user and client that the grant names; absent ones are NULL. family (may be NULL)
 * and offline are the caller's knowledge and are passed on; now is the transaction's. Records are owned
 * by ctx; grant and family are not copied. Needs clients, users and sessions open. Does not block.
 * OP_DENIED: one of them needs a newer version (it may hold a restriction that this one cannot read);
 * OP_BROKEN. */
must_check enum op_err alive_load(struct kv_txn *txn, const void *ctx, const Rec__Grant *grant,
                                  const Rec__Family *family, bool offline, struct family_facts *ret);
