#pragma once
/* opctl outbox: what waits to leave the house, and dead letters. */
#include "cli.h"

extern const struct cli_command OUTBOX_COMMANDS[];
