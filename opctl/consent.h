#pragma once
/* opctl consent: what people allowed clients. */
#include "cli.h"

extern const struct cli_command CONSENT_COMMANDS[];
