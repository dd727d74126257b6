#pragma once
/* The keys that belong to one server each and are never in a store. Blocks (files). */
#include "base/err.h"
#include "base/mem.h"

enum { CREDENTIALS_COUNT = 3 };
extern const char *const CREDENTIALS_NAMES[]; /* seal-key, token-key, form-key; NULL-terminated */
/* 32 random bytes, owned by ctx and wiped with it. */
struct bytes credentials_fresh(const void *ctx);

/* Writes those of seal-key, token-key and form-key that are not there into dir (made, 0700, when absent):
 * 32 random bytes, 0400. ret_made: the names of those that were made. OP_BROKEN: *ret_why names the path. */
must_check enum op_err credentials_make(const void *ctx, const char *dir, const char *ret_made[CREDENTIALS_COUNT], unsigned *ret_count,
                                        const char **ret_why);
