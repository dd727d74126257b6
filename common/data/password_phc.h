#pragma once
/* Password hashes as they are stored: argon2 in the form of the Password Hashing Competition, bcrypt in its own
 * ($2a$, $2b$, $2y$), PBKDF2 as $pbkdf2-sha256$i=ITERATIONS$SALT$HASH (also -sha1, -sha512). Pure. */
#include "data/password.h"

enum password_scheme {
    PASSWORD_ARGON2ID,
    PASSWORD_ARGON2I,
    PASSWORD_ARGON2D,
    PASSWORD_BCRYPT,
    PASSWORD_PBKDF2_SHA1,
    PASSWORD_PBKDF2_SHA256,
    PASSWORD_PBKDF2_SHA512,
};

enum {
    PASSWORD_SALT_MIN = 8, /* bytes of a salt and of a hash */
    PASSWORD_HASH_MIN = 8,
    PASSWORD_PART_MAX = 64,
    PASSWORD_BCRYPT_LEN = 60,         /* characters of the whole, of which these ... */
    PASSWORD_BCRYPT_SETTING_LEN = 29, /* ... are version, cost and salt */
};

struct password_phc {
    enum password_scheme scheme;
    struct password_cost cost; /* argon2; of PBKDF2 only iterations; of bcrypt iterations is 4..31, a power of two */
    struct bytes salt, hash;   /* of argon2 and PBKDF2, in the given context */
    char bcrypt[PASSWORD_BCRYPT_LEN + 1];
};

/* OP_INVALID: none of these forms, or over what argon2 may ask for (1 GiB, 64 iterations, 16 lanes). */
must_check enum op_err password_phc_read(const void *ctx, const char *text, struct password_phc *ret);
/* bcrypt at the beginning of text, which must end there. Stray bits of its last characters are cleared. OP_INVALID. */
must_check enum op_err password_phc_read_bcrypt(const char *text, struct password_phc *ret);
/* The stored form, owned by ctx. Of PBKDF2 the hash is cut to the first block that its digest makes: no more is
 * needed to know the password, and any more costs whoever verifies, not whoever guesses. */
char *password_phc_text(const void *ctx, const struct password_phc *phc);

/* Bytes of base64 without padding. OP_INVALID, also when it is not min to PASSWORD_PART_MAX bytes. */
must_check enum op_err password_phc_decode(const void *ctx, struct bytes text, size_t min, struct bytes *ret);
