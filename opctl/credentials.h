#pragma once
/* The keys that belong to one server each and are never in a store. Blocks (files). */
#include "base/err.h"

/* Writes those of seal-key, token-key and form-key that are not there into dir (made, 0700, when absent):
 * 32 random bytes, 0400. ret_made has room for 3 names, those that were made. OP_BROKEN: *ret_why names the path. */
must_check enum op_err credentials_make(const void *ctx, const char *dir, const char *ret_made[3], unsigned *ret_count,
                                        const char **ret_why);
