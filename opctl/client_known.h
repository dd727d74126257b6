#pragma once
/* What a client is called and proves itself with: made here, or known from the provider that had it before. */
#include "cli.h"
#include "operator/operate_clients.h"

/* Options of opctl client add. */
#define CLIENT_KNOWN_OPTIONS \
    {"client-id", "ID", false, "the client_id that it has at another provider (default: a new one)", NULL}, \
    {"secret-file", "FILE", false, "the secret that it has there, 16 characters at least (- for standard input)", NULL}

/* As the line says, else fresh ones; owned by ctx, the secret wiped with it. NULL, or what is wrong (owned by ctx).
 * Blocks (files). */
must_check const char *client_known_read(const void *ctx, const struct cli_line *line, struct operate_client_fresh *ret);
