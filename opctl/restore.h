#pragma once
#include "cli.h"

extern const struct cli_command RESTORE_COMMANDS[];
