#pragma once
/* opctl deploy, rollback, scale: the versions and the instances of one server. */
#include "cli.h"

extern const struct cli_command DEPLOY_COMMANDS[];
