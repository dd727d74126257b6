#pragma once
/* What an operator does with initial access tokens (RFC 7591 §3): with them clients register themselves. Inside work,
 * but for the check; nothing blocks. */
#include "data/records.h"
#include "operator/listing.h"
#include "operator/refusal.h"
#include "store/kv.h"

enum {
    OPERATE_TOKEN_BYTES = 32, /* random ones, of rand_token, make a token */
    OPERATE_TOKEN_USES = 1, OPERATE_TOKEN_USES_MAX = 1000000, OPERATE_TOKEN_NOTE_MAX = 200,
    OPERATE_TOKEN_LIFETIME = 7 * 86400, OPERATE_TOKEN_LIFETIME_MAX = 10 * 365 * 86400,
};

/* A token to be made. The members are called so where it is written as JSON. */
struct operate_registration_token {
    const char *note;   /* NULL: none */
    int64_t uses;       /* clients that it may register; 0: any number */
    int64_t expires_in; /* seconds; 0: it never expires */
};
/* False: a member is outside its bounds, and *ret_refusal says which. Pure. */
bool operate_registration_token_check(const struct operate_registration_token *wanted, struct refusal *ret_refusal);

/* Stores it under token. *ret is what is shown, without the token; owned by ctx. OP_EXISTS. */
must_check enum op_err operate_registration_tokens_add(struct kv_txn *txn, const void *ctx, const char *token,
                                                       const struct operate_registration_token *wanted, json_t **ret);
/* Those that can still be used, in the order of their id, those after id `after` (NULL: from the start). OP_INVALID:
 * `after` is no id. Owned by ctx. */
must_check enum op_err operate_registration_tokens_list(struct kv_txn *txn, const void *ctx, const char *after,
                                                        size_t limit, struct listing *ret);
/* Clients that it registered stay. OP_INVALID: no id of one; OP_ABSENT. */
must_check enum op_err operate_registration_tokens_revoke(struct kv_txn *txn, const void *ctx, const char *id);
