#pragma once
/* Access tokens that are presented to us: is it one of ours, and what does it lean on? The same for
 * userinfo, introspection and revocation. */
#include "protocol/access_token.h"
#include "protocol/family.h"
#include "store/keyring.h"

/* Verifies and reads a token. Results are owned by ctx. Runs its own transaction: not for use inside one.
 * OP_INVALID with invalid_token: not an access token of this issuer, or expired; OP_BROKEN, OP_FULL: the
 * keys cannot be read. */
must_check enum op_err access_verify(struct keyring *ring, const void *ctx, const char *text, struct access_token *ret,
                                     struct oauth_error *ret_error);

/* What family_alive() is to judge: the family that the token names, where one is stored, whether its jti
 * was revoked, and all that alive_load() finds. Needs tokens open beside what alive_load() needs; results as
 * there. */
must_check enum op_err access_load(struct kv_txn *txn, const void *ctx, const struct access_token *token,
                                   struct family_facts *ret);
