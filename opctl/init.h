#pragma once
/* opctl init: environments and credentials. */
#include "cli.h"

extern const struct cli_command INIT_COMMANDS[];
