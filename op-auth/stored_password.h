#pragma once
/* The password hash of an account, as it is stored. */
#include "data/records.h"
#include "store/kv.h"

struct stored_password {
    const char *user_id;
    const char *old_phc; /* the hash that the password was verified against */
    const char *new_phc;
};
/* A kv_work on the credentials environment; arg is struct stored_password *. OP_MISMATCH: somebody changed
 * it meanwhile, and it stays. */
enum op_err stored_password_replace(struct kv_txn *txn, void *arg);
/* Stores a hash made anew at today's cost, some time soon: the old one is as good. */
void stored_password_refresh(const char *user_id, const char *old_phc, const char *new_phc);

/* OP_OK when phc is still the stored one, OP_MISMATCH when it is not. */
must_check enum op_err stored_password_still(struct kv_txn *txn, const void *ctx, const char *user_id, const char *phc);
