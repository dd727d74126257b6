#pragma once
/* Signing keys: the public halves and their states in jwks, the sealed private halves in keys.
 * `sign(kid, bytes)` is behind keyring_sign, so that a signer process can take its place. */
#include "data/jose.h"
#include "data/records.h"
#include "store/kv.h"

/* --- repositories --- */
must_check enum op_err signing_keys_get(struct kv_txn *txn, const void *ctx, const char *kid, Rec__SigningKey **ret);
/* Replaces what is there. OP_DENIED: that needs a newer version, and stays. */
must_check enum op_err signing_keys_put(struct kv_txn *txn, const Rec__SigningKey *key);
must_check enum op_err signing_keys_delete(struct kv_txn *txn, const char *kid);
/* All of them, published or not, at most 64. One that cannot be read has its kid and needs only. */
must_check enum op_err signing_keys_list(struct kv_txn *txn, const void *ctx, Rec__SigningKey ***ret,
                                         size_t *ret_count);
/* What monitoring wants to know of each algorithm that there are keys of, current or next; owned by ctx. */
struct signing_key_age {
    enum jose_alg alg;
    bool has_current, has_next;
    int64_t current_at; /* since when the newest current one has been so */
};
must_check enum op_err signing_keys_ages(struct kv_txn *txn, const void *ctx, struct signing_key_age **ret,
                                         size_t *ret_count);
must_check enum op_err private_keys_get(struct kv_txn *txn, const void *ctx, const char *kid, Rec__PrivateKey **ret);
/* OP_EXISTS. Comes before the public half, so that whoever sees that can sign. */
must_check enum op_err private_keys_insert(struct kv_txn *txn, const Rec__PrivateKey *key);
must_check enum op_err private_keys_delete(struct kv_txn *txn, const char *kid);
/* At most 128. One that cannot be read has its kid and needs only. */
must_check enum op_err private_keys_list(struct kv_txn *txn, const void *ctx, Rec__PrivateKey ***ret,
                                         size_t *ret_count);
/* OP_ABSENT: nobody wishes anything. */
must_check enum op_err rotation_wish_get(struct kv_txn *txn, const void *ctx, Rec__RotationWish **ret);
/* Replaces what is there, and rings. OP_DENIED: that needs a newer version, and stays. */
must_check enum op_err rotation_wish_put(struct kv_txn *txn, const Rec__RotationWish *wish);
must_check enum op_err rotation_wish_take(struct kv_txn *txn, const void *ctx, Rec__RotationWish **ret);

/* --- a process's parsed keys, reread when the environment changed --- */
struct keyring;

/* seal_key is NULL for a process that only verifies; else 32 bytes, copied and wiped with ctx. */
struct keyring *keyring_new(const void *ctx, struct kv *kv, const uint8_t *seal_key);

/* Signs with the current key of alg, the one that became so last if there are several. Runs its own
 * transaction: not for use inside one. The token is owned by ctx.
 * OP_ABSENT: no current key of this algorithm (the server is not ready); OP_BROKEN: it cannot be
 * unsealed, or the store cannot be read; OP_FULL. */
must_check enum op_err keyring_sign(struct keyring *ring, const void *ctx, enum jose_alg alg, const char *typ,
                                    const json_t *claims, char **ret_token);
/* True when a current key of alg can sign now. */
bool keyring_ready(struct keyring *ring, enum jose_alg alg);
/* NULL when there is a current key of each of these algorithms which can sign now, or verify where the process only
 * does that; else what is missing, owned by ring until the next call. */
const char *keyring_not_ready(struct keyring *ring, const enum jose_alg *algs, size_t count);

/* Verifies a token that we issued: kid must name a key of ours, published or not, and typ must be
 * the one given (case-insensitive; NULL: absent or "JWT"). Claims owned by ctx.
 * A key that leaked must therefore be deleted, not retired. Runs its own transaction.
 * OP_INVALID, OP_TOO_LARGE: no JWS with a kid; OP_MISMATCH: another typ or alg, or a bad signature;
 * OP_ABSENT: unknown kid; OP_BROKEN, OP_FULL: the store cannot be read. exp is the caller's to judge. */
must_check enum op_err keyring_verify(struct keyring *ring, const void *ctx, const char *token, const char *typ,
                                      json_t **ret_claims);
