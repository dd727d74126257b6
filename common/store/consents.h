#pragma once
/* What a person allowed a client. Withdrawing keeps the record, with withdrawn and since set. */
#include "data/records.h"
#include "store/kv.h"

must_check enum op_err consents_get(struct kv_txn *txn, const void *ctx, const char *user_id, const char *client_id,
                                    Rec__Consent **ret);
/* OP_DENIED: the one that is there needs a newer version and stays. */
must_check enum op_err consents_put(struct kv_txn *txn, const Rec__Consent *consent);
/* Withdraws: what was granted before `since` is dead. OP_ABSENT. Works whatever the record's needs. */
must_check enum op_err consents_withdraw(struct kv_txn *txn, const char *user_id, const char *client_id, int64_t since);
/* For a user who is removed. OP_ABSENT. Works whatever the record's needs. */
must_check enum op_err consents_delete(struct kv_txn *txn, const char *user_id, const char *client_id);
/* Those after client_id `after` (NULL: from the start). One that a newer version must read is listed with its two ids
 * only (and its needs is above RECORDS_FORMAT). */
must_check enum op_err consents_list_of_user(struct kv_txn *txn, const void *ctx, const char *user_id,
                                             const char *after, size_t limit, Rec__Consent ***ret, size_t *ret_count);
/* Everybody's, by user_id and client_id; those after the consent of these two (NULL: from the start). */
must_check enum op_err consents_list(struct kv_txn *txn, const void *ctx, const char *after_user,
                                     const char *after_client, size_t limit, Rec__Consent ***ret, size_t *ret_count);
