#pragma once
/* The instances that run on this machine, as each tells of itself on its operator's socket. */
#include "base/err.h"
#include "cli.h"

/* Rows for the OPTIONS table of each command that asks them. */
#define RUNNING_OPTIONS                                                                                                \
    {"admin-dir", "DIR", false, "where the instances have their operator's sockets (default /run/partita-admin)", NULL}

struct running_instance {
    const char *name;   /* "op-token@1" */
    const char *server; /* "op-token" */
    bool ready, draining;
    const char *state;   /* "ready", "draining", "not ready", "silent" */
    const char *why;     /* not ready: what it lacks; silent: how; else "" */
    const char *metrics; /* what its /.metrics said; NULL: nothing */
};

/* Where they are, by the command line. */
const char *running_directory(const struct cli_line *line);

/* All of them, by name; owned by ctx. An instance whose socket nobody listens on is one, silent: it died. OP_ABSENT: the
 * directory cannot be read (errno). Blocks, 2 s at most. */
must_check enum op_err running_look(const void *ctx, const char *directory, struct running_instance **ret,
                                    size_t *ret_count);
