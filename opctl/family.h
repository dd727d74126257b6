#pragma once
/* opctl family: families of refresh tokens, and all that was made from them. */
#include "cli.h"

extern const struct cli_command FAMILY_COMMANDS[];
