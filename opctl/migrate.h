#pragma once
#include "cli.h"

extern const struct cli_command MIGRATE_COMMANDS[];
