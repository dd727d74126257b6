#pragma once
/* What must be seen once and what must not be tried too often, across all instances. */
#include "store/kv.h"

/* OP_EXISTS: this jti of this issuer was used before. Call it only once the signature verified. */
must_check enum op_err guard_use_jti(struct kv_txn *txn, const char *issuer, const char *jti, int64_t expires_at);

/* When this environment was made: assertions issued before are refused. */
must_check enum op_err guard_made_at(struct kv_txn *txn, int64_t *ret);

/* A counter that forgets: a fixed number of hashed slots, each a level that drains to zero over
 * window_seconds. kind says what is counted ("password/account"), subject whom (a username, an
 * address). Two subjects may share a slot; none can fill the map. Which slot is a subject's depends on a random key
 * that the first count of a new environment leaves in it: nobody outside can look for a name that shares another's. */
struct guard_limit {
    const char *kind;
    unsigned limit;          /* how many at once */
    unsigned window_seconds; /* in which a full slot drains */
};
/* How many seconds until one more is allowed: 0 now. Reads only. */
must_check enum op_err guard_wait(struct kv_txn *txn, const struct guard_limit *limit, const char *subject,
                                   unsigned *ret_seconds);
/* Counts one. */
must_check enum op_err guard_count(struct kv_txn *txn, const struct guard_limit *limit, const char *subject);
/* Counts one unless the slot is full, in the same transaction (a check and a count cannot be
 * raced apart): ret_seconds is 0 when it was counted, else the wait. */
must_check enum op_err guard_try(struct kv_txn *txn, const struct guard_limit *limit, const char *subject,
                                  unsigned *ret_seconds);
/* Takes one count back (what was counted before it was tried, and was right). Where several subjects share the
 * slot nothing changes: it drains by itself. */
must_check enum op_err guard_take_back(struct kv_txn *txn, const struct guard_limit *limit, const char *subject);
/* Forgets a subject's count (a sign-in that succeeded). */
must_check enum op_err guard_reset(struct kv_txn *txn, const struct guard_limit *limit, const char *subject);

/* Whom an address is counted as: IPv6 by its /64, since one customer has all of it. Owned by ctx. */
char *guard_address(const void *ctx, const char *address);
