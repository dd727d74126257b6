#pragma once
/* The socket on which one process of a server answers its operator (--admin of the server). */
#include "base/err.h"
#include "base/mem.h"

/* GET path. The body is NUL-terminated and owned by ctx. Blocks, 5 s at most for each step.
 * OP_ABSENT: nobody listens there; OP_BUSY: no answer in time; OP_INVALID: it is no answer of ours. */
must_check enum op_err operator_socket_get(const void *ctx, const char *socket_path, const char *path, int *ret_status,
                                           char **ret_body);
