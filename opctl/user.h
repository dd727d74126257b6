#pragma once
/* opctl user: accounts and their passwords. */
#include "cli.h"

extern const struct cli_command USER_COMMANDS[];
