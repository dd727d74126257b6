#pragma once
/* What other programs hash passwords with: bcrypt by libcrypt, PBKDF2 by OpenSSL. Blocks for as long as the hash
 * costs. Thread-safe. */
#include "data/password_phc.h"

/* bcrypt looks at no more of a password: a longer one is judged by its beginning, as the program that made the hash
 * did. */
enum { PASSWORD_BCRYPT_MAX = 72 };

/* OP_OK: it is the password; OP_MISMATCH: it is not; OP_INVALID: phc is not of bcrypt or PBKDF2. */
must_check enum op_err password_foreign_verify(const char *password, size_t len, const struct password_phc *phc);
