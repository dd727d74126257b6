#pragma once
/* What a person allowed a client. Withdrawing keeps the record, with withdrawn and since set. */
#include "data/records.h"
#include "store/kv.h"

must_check enum op_err consents_get(struct kv_txn *txn, const void *ctx, const char *user_id, const char *client_id,
                                    Rec__Consent **ret);
must_check enum op_err consents_put(struct kv_txn *txn, const Rec__Consent *consent);
must_check enum op_err consents_list_of_user(struct kv_txn *txn, const void *ctx, const char *user_id, size_t limit,
                                             Rec__Consent ***ret, size_t *ret_count);
