#pragma once
/* The socket on which one process of a server answers its operator (--admin of the server). */
#include "base/err.h"
#include "base/mem.h"

struct operator_question {
    const char *socket_path, *path;
    /* How it was answered. OP_ABSENT: nobody listens there; OP_BUSY: no answer in time; OP_INVALID: it is no answer of
     * ours. */
    enum op_err err;
    int status;
    char *body; /* OP_OK: lines of visible ASCII, what else was there is "?"; NUL-terminated, owned by ctx */
};

/* GETs them all at the same time, so that those that do not answer cost no more than one. Blocks, wait_ms at most. */
void operator_socket_ask(const void *ctx, struct operator_question *questions, size_t count, unsigned wait_ms);

/* One of them. Blocks, 5 s at most. */
must_check enum op_err operator_socket_get(const void *ctx, const char *socket_path, const char *path, int *ret_status,
                                           char **ret_body);
