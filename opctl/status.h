#pragma once
/* opctl status and opctl top: every instance that runs on this machine, as it tells on its operator's socket. */
#include "cli.h"

extern const struct cli_command STATUS_COMMANDS[];
