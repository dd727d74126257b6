#pragma once
/* Files that an operator names. */
#include "base/err.h"
#include "base/mem.h"

/* A whole file of text without NUL, owned by ctx. OP_INVALID: *ret_why is what is wrong with it (owned by ctx). Blocks. */
must_check enum op_err file_read_text(const void *ctx, const char *path, size_t max, char **ret, const char **ret_why);
