#pragma once
/* opctl key: signing keys; op-discovery makes them. */
#include "cli.h"

extern const struct cli_command KEY_COMMANDS[];
