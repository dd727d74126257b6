#pragma once
/* opctl session: who is signed in. */
#include "cli.h"

extern const struct cli_command SESSION_COMMANDS[];
