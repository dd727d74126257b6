#pragma once
/* What the endpoints of op-management share: what start makes, read-only afterwards. */
#include "store/keyring.h"

struct management_process {
    struct keyring *keyring; /* verifies access tokens; never signs */
};
extern struct management_process management_process;
