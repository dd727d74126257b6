#pragma once
/* opctl registration-token: initial access tokens, with which clients are registered (RFC 7591). */
#include "cli.h"

extern const struct cli_command REGISTRATION_TOKEN_COMMANDS[];
