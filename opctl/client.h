#pragma once
/* opctl client: the applications that people sign in to. */
#include "cli.h"

extern const struct cli_command CLIENT_COMMANDS[];
