#include "base/err.h"

const char *op_err_name(enum op_err err)
{
    static const char *const names[] = {
        [OP_OK] = "ok",           [OP_ABSENT] = "absent",       [OP_EXISTS] = "exists",
        [OP_MISMATCH] = "mismatch", [OP_DENIED] = "denied",     [OP_INVALID] = "invalid",
        [OP_TOO_LARGE] = "too_large", [OP_EXPIRED] = "expired", [OP_BUSY] = "busy",
        [OP_FULL] = "full",       [OP_BROKEN] = "broken",
    };
    return (unsigned)err < sizeof names / sizeof *names ? names[err] : "unknown";
}
