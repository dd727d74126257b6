#pragma once
/* opctl init: environments and credentials. */
#include "app.h"

/* Makes the volatile environments with these map sizes (0: the default) and says nothing when it goes well. Returns an
 * exit status. Blocks. */
int init_volatile(const struct app *app, bool unowned, const uint64_t sizes[KV_ENV_COUNT]);

extern const struct cli_command INIT_COMMANDS[];
