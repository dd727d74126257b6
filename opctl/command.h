#pragma once
/* Other programs that opctl runs: systemctl, and the servers themselves with --version and --check-config. */
#include "base/err.h"
#include "base/mem.h"

struct command_result {
    int status;   /* the exit status; 128 + the signal that ended it; 127: it could not be run */
    char *output; /* standard output and error, at most 64 KiB of them; owned by ctx */
};

/* Runs argv (NULL-terminated; argv[0] is looked up in PATH) with standard input closed. Blocks until it ends. */
struct command_result command_run(const void *ctx, const char *const *argv);
