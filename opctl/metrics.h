#pragma once
/* opctl metrics: what all instances say in their /.metrics, for Prometheus. */
#include "cli.h"

extern const struct cli_command METRICS_COMMANDS[];
