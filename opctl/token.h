#pragma once
/* opctl token: families of refresh tokens, and all that was made from them. */
#include "cli.h"

extern const struct cli_command TOKEN_COMMANDS[];
