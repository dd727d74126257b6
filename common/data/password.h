#pragma once
/* Password hashes: argon2id PHC strings, by libargon2. Hashing blocks for tens of milliseconds and
 * takes megabytes (mapped and given back each time): only on a thread pool or in opctl, never on an
 * event loop. Thread-safe. */
#include "base/err.h"
#include "base/mem.h"

struct password_cost {
    uint32_t memory_kib;
    uint32_t iterations;
    uint32_t lanes;
};

/* 19 MiB, 2 iterations, 1 lane (OWASP's floor for argon2id). */
extern const struct password_cost PASSWORD_COST_DEFAULT;

/* A PHC string with a random 16-byte salt, owned by ctx. OP_TOO_LARGE: over 1024 bytes; OP_INVALID:
 * a cost that argon2 does not take. */
must_check enum op_err password_hash(const void *ctx, const char *password, struct password_cost cost, char **ret);

/* OP_OK: it is the password; OP_MISMATCH: it is not; OP_INVALID: phc is no hash we know (argon2id
 * version 19, at most 1 GiB, 64 iterations, 16 lanes). phc == NULL stands for an unknown account:
 * always OP_MISMATCH, and costs what a hash of the given cost does. */
must_check enum op_err password_verify(const char *password, const char *phc, struct password_cost cost);

/* True when phc was made with another cost than this and should be made anew. */
bool password_is_stale(const char *phc, struct password_cost cost);
