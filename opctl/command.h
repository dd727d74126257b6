#pragma once
/* Other programs that opctl runs: systemctl, systemd-creds, and the servers themselves with --version and --check-config. */
#include "base/err.h"
#include "base/mem.h"

struct command_result {
    int status;   /* the exit status; 128 + the signal that ended it; 127: it could not be run */
    char *output; /* what it printed, at most 64 KiB, NUL-terminated; owned by ctx */
    size_t len;   /* of the output */
};

/* Runs argv (NULL-terminated; argv[0] is looked up in PATH) with standard input closed; the output is that of standard
 * output and error. Blocks until it ends. */
struct command_result command_run(const void *ctx, const char *const *argv);

enum { COMMAND_INPUT_MAX = 4096 }; /* a pipe takes it whole */
/* The same with this standard input, which may be secret, as the output may; what it says on standard error goes to ours. */
struct command_result command_pipe(const void *ctx, const char *const *argv, struct bytes input);
