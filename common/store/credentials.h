#pragma once
/* Password hashes by user_id. */
#include "data/records.h"
#include "store/kv.h"

must_check enum op_err credentials_get_password(struct kv_txn *txn, const void *ctx, const char *user_id, Rec__Password **ret);
/* OP_DENIED: the one that is there needs a newer version and stays. */
must_check enum op_err credentials_put_password(struct kv_txn *txn, const Rec__Password *password);
/* OP_ABSENT. Works whatever the record's needs. */
must_check enum op_err credentials_delete_password(struct kv_txn *txn, const char *user_id);
