#pragma once
/* A key as jose holds it, for jose.c (signatures) and jose_key.c (JWKs). */
#include <cjose/cjose.h>
#include <openssl/evp.h>

#include "data/jose.h"

struct jose_algorithm {
    const char *name, *kty, *crv;
    const char *members[5]; /* RFC 7638 §3.2, RFC 8037 §2, in the order of RFC 7638 §3.3 */
    unsigned hash_bits;
    size_t key_len;       /* bytes of x, y and d; the least of k; 0 for RSA */
    size_t signature_len; /* 0: that of the modulus */
};
/* NULL for JOSE_ALG_NONE and for what is no algorithm. */
const struct jose_algorithm *jose_algorithm(enum jose_alg alg);

struct jose_key {
    enum jose_alg alg;
    const struct jose_algorithm *algorithm;
    bool is_private; /* it can sign */
    char *kid;
    json_t *members; /* the algorithm's; the secret itself for a symmetric key */
    size_t signature_len;
    cjose_jwk_t *cjose; /* all but EdDSA */
    EVP_PKEY *evp;      /* EdDSA */
};
