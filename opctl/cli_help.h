#pragma once
/* What the command tables say of themselves: help, synopses, completion. Results are text owned by ctx. */
#include "cli.h"

/* Help for the whole, a noun or a command: what the line names. */
char *cli_help(const void *ctx, const struct cli *cli, const struct cli_line *line);
/* "opctl user add NAME [--email ADDRESS]" */
char *cli_synopsis(const void *ctx, const struct cli *cli, const struct cli_command *command);
/* What the last of the words may become, one per line. words are those after the program's name. */
char *cli_complete(const void *ctx, const struct cli *cli, const char *const *words, size_t count);
