#pragma once
/* Compact JWS and JWK (RFC 7515, 7517, 7518, 7519), through libcjose and, for EdDSA, OpenSSL's EVP.
 * The one home of cjose. The algorithm is pinned by the caller or by the key before anything is
 * verified; crit, b64, RSA under 2048 bits and alg none are refused. Nothing blocks (an RS256
 * signature takes about a millisecond of CPU). */
#include "data/json.h"

enum jose_alg {
    JOSE_ALG_NONE = 0, /* no algorithm: never signs, never verifies */
    JOSE_RS256,
    JOSE_PS256,
    JOSE_ES256,
    JOSE_ES384,
    JOSE_EDDSA, /* Ed25519 */
    JOSE_HS256,
};

/* "ES256" and the like; NULL for JOSE_ALG_NONE. */
const char *jose_alg_name(enum jose_alg alg);
/* JOSE_ALG_NONE when the name is not one of ours. */
enum jose_alg jose_alg_from_name(const char *name);
/* Size of the algorithm's hash in bits, for at_hash (OpenID Connect Core §3.1.3.6). */
unsigned jose_alg_hash_bits(enum jose_alg alg);

struct jose_key; /* one parsed key, private, public or symmetric; owned by the ctx it was made in */

/* A new private key for alg (RSA 2048 bits). kid is its RFC 7638 thumbprint. RSA takes up to a
 * second of CPU: not for a request. OP_INVALID: JOSE_ALG_NONE; OP_BROKEN: OpenSSL refused. */
must_check enum op_err jose_key_generate(const void *ctx, enum jose_alg alg, struct jose_key **ret);

/* From a JWK as JSON text, private or public. alg says what the key may be used for; a key whose
 * type, curve, size (RSA 2048 to 8192 bits), use, key_ops or own alg do not fit gives OP_INVALID. */
must_check enum op_err jose_key_from_jwk(const void *ctx, struct bytes jwk, enum jose_alg alg, struct jose_key **ret);

const char *jose_key_kid(const struct jose_key *key); /* NULL when the JWK has none */
enum jose_alg jose_key_alg(const struct jose_key *key);

/* JWK text owned by ctx, with kid (when the key has one), use=sig and alg. The public one is not for
 * symmetric keys. The private one is a secret (it is wiped when freed), not for public keys. */
char *jose_key_public_jwk(const void *ctx, const struct jose_key *key);
char *jose_key_private_jwk(const void *ctx, const struct jose_key *key);

/* The RFC 7638 thumbprint with SHA-256, base64url, owned by ctx. */
char *jose_key_thumbprint(const void *ctx, const struct jose_key *key);

/* Signs claims; the header is {alg, kid, typ}; typ may be NULL. The token is owned by ctx.
 * OP_INVALID: the key is a public one; OP_BROKEN: OpenSSL refused. */
must_check enum op_err jose_sign(const void *ctx, const struct jose_key *key, const char *typ,
                                 const json_t *claims, char **ret_token);

struct jose_header {
    enum jose_alg alg; /* JOSE_ALG_NONE for names that are not ours, "none" among them */
    const char *kid;   /* NULL when absent */
    const char *typ;   /* NULL when absent; "application/" left out (RFC 7515 §4.1.9) */
};

/* Reads the protected header of a compact JWS without believing it, to choose the key.
 * OP_INVALID: not a compact JWS, crit or b64 present, header not a JSON object; OP_TOO_LARGE: over 16 KiB. */
must_check enum op_err jose_peek(const void *ctx, const char *token, struct jose_header *ret);

/* Reads the claims of a compact JWS without believing them, to find out whose key to verify it with. They are owned by
 * ctx and are a JSON object. OP_INVALID, OP_TOO_LARGE: as jose_peek, or the claims are no such object. */
must_check enum op_err jose_peek_claims(const void *ctx, const char *token, json_t **ret_claims);

/* Verifies token with key, whose algorithm must be the token's. The claims are owned by ctx and
 * are a JSON object. exp, aud and the rest are the caller's to judge.
 * OP_INVALID, OP_TOO_LARGE: malformed or refused as by jose_peek, or the claims are no such object;
 * OP_MISMATCH: another alg or a bad signature. */
must_check enum op_err jose_verify(const void *ctx, const char *token, const struct jose_key *key, json_t **ret_claims);
