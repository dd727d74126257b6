#pragma once
/* Who is signed in. */
#include "data/records.h"
#include "store/kv.h"

struct who {
    Rec__Session *session; /* both NULL: nobody */
    Rec__User *user;
    bool denied; /* nobody, because only a newer version may act on the user */
};

/* The session behind a cookie (NULL: none was sent) and its user, when both are alive at the
 * transaction's time. A record that only a newer version may act on counts as nobody. OP_BROKEN and the like
 * only when the store fails. Owned by ctx. */
must_check enum op_err who_load(struct kv_txn *txn, const void *ctx, const char *cookie, struct who *ret);

/* When power is taken away, `since` moves past everything that was granted up to now: grants and sessions
 * count in whole seconds, and one of this very second must die too. What was granted since the last time may
 * carry that `since` as its time (see authorization_code), so all that a grant leans on is looked at. */
int64_t since_after(int64_t now, int64_t one_since, int64_t another_since);
/* The latest `since` among the user's consents, 0 without any. */
must_check enum op_err since_of_consents(struct kv_txn *txn, const void *ctx, const char *user_id, int64_t *ret);
