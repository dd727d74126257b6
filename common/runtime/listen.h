#pragma once
/* Listening sockets that a server binds by itself (--listen). */
#include "base/err.h"
#include "base/mem.h"

/* Binds HOST:PORT, [IPV6]:PORT or unix:PATH and listens. A socket file that nobody listens on any
 * more is replaced. On failure *ret_why is one line that names the address and the cause (owned by
 * ctx): OP_INVALID: not such an address; OP_EXISTS: in use; OP_BROKEN: anything else. May block (name lookup). */
must_check enum op_err listen_bind(const void *ctx, const char *address, int *ret_fd, const char **ret_why);

/* Removes the socket file of a unix: address; does nothing for others. */
void listen_remove(const char *address);
