#pragma once
/* opctl sweep: expired entries of environments that lie idle. */
#include "cli.h"

extern const struct cli_command SWEEP_COMMANDS[];
