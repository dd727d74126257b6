#pragma once
/* What an operator does with consents: what people allowed clients. Inside work; nothing blocks. */
#include "data/records.h"
#include "operator/listing.h"
#include "store/kv.h"

/* As it is shown; state is given, withdrawn or unreadable. Owned by ctx. */
json_t *operate_consent_json(const void *ctx, const Rec__Consent *consent);

struct operate_consents_filter {
    const char *user_id, *client_id; /* only those; NULL: any */
};
/* In the order of user_id and client_id, those after what a listing before named as next (NULL: from the start). At
 * most limit, and perhaps fewer though more follow: of other clients' consents no more than a few thousand are looked at
 * at once. OP_INVALID: `after` is nothing that a listing named. Owned by ctx. */
must_check enum op_err operate_consents_list(struct kv_txn *txn, const void *ctx,
                                             const struct operate_consents_filter *filter, const char *after,
                                             size_t limit, struct listing *ret);
/* OP_ABSENT, OP_DENIED, OP_BROKEN. Owned by ctx. */
must_check enum op_err operate_consents_show(struct kv_txn *txn, const void *ctx, const char *user_id,
                                             const char *client_id, json_t **ret);
/* Withdraws: what was granted before *ret_since is dead for good. OP_ABSENT. Works whatever the record's needs. */
must_check enum op_err operate_consents_withdraw(struct kv_txn *txn, const void *ctx, const char *user_id,
                                                 const char *client_id, int64_t *ret_since);
