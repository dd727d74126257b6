#pragma once
/* Password hashes. Ours are argon2id PHC strings, by libargon2; those that were imported (password_import.h) are
 * verified as they are: argon2id, argon2i, argon2d, bcrypt, PBKDF2. Hashing blocks for tens of milliseconds and more,
 * and argon2 takes megabytes (mapped and given back each time): only on a thread pool or in opctl, never on an event
 * loop. Thread-safe. */
#include "base/err.h"
#include "base/mem.h"

struct password_cost {
    uint32_t memory_kib;
    uint32_t iterations;
    uint32_t lanes;
};

/* A PHC string with a random 16-byte salt, owned by ctx. OP_TOO_LARGE: over 1024 bytes; OP_INVALID:
 * a cost that argon2 does not take. */
must_check enum op_err password_hash(const void *ctx, const char *password, struct password_cost cost, char **ret);

/* OP_OK: it is the password; OP_MISMATCH: it is not; OP_INVALID: phc is none of the stored forms (password_phc.h).
 * phc == NULL stands for an unknown account: always OP_MISMATCH, and costs what a hash of the given cost does. */
must_check enum op_err password_verify(const char *password, const char *phc, struct password_cost cost);

/* True when phc is not argon2id of this cost and should be made anew. */
bool password_is_stale(const char *phc, struct password_cost cost);
/* Of a password that phc verified: false when phc cannot tell what its end is (bcrypt looks at 72 bytes). No other
 * hash is made of it then, which would hold a mistyped end to be part of the password. */
bool password_is_known_whole(const char *password, const char *phc);
