#pragma once
/* Accounts, found by user_id or by username whatever its case. */
#include "data/records.h"
#include "store/kv.h"

must_check enum op_err users_get(struct kv_txn *txn, const void *ctx, const char *user_id, Rec__User **ret);
/* By username, ASCII case folded. OP_ABSENT, OP_DENIED, OP_BROKEN. */
must_check enum op_err users_find(struct kv_txn *txn, const void *ctx, const char *username, Rec__User **ret);
/* The user_id behind a username, also of a record that needs a newer version or is damaged (to remove it). */
must_check enum op_err users_find_id(struct kv_txn *txn, const void *ctx, const char *username, char **ret);
/* OP_EXISTS: the user_id or username is taken. Sets version to 1. */
must_check enum op_err users_insert(struct kv_txn *txn, Rec__User *user);
/* As clients_update. The username may change: OP_EXISTS when it is somebody else's. */
must_check enum op_err users_update(struct kv_txn *txn, Rec__User *user);
/* Frees the username too. OP_ABSENT. Works whatever the record's needs. */
must_check enum op_err users_delete(struct kv_txn *txn, const char *user_id);
/* As clients_list: one that cannot be read is listed with user_id only. */
must_check enum op_err users_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit,
                                  Rec__User ***ret, size_t *ret_count);
