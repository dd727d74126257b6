#pragma once
/* What the command tables are turned into beside help: the manual page and completion for bash. */
#include "cli.h"

extern const struct cli_command MANUAL_COMMANDS[];
