#pragma once
/* opctl credential: the servers' secrets as they lie on a machine, sealed to it. */
#include "cli.h"

extern const struct cli_command CREDENTIAL_COMMANDS[];
