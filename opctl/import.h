#pragma once
/* opctl import: users of another provider, with their password hashes. */
#include "cli.h"

extern const struct cli_command IMPORT_COMMANDS[];
