#pragma once
/* /admin/v1/keys: signing keys; they are rotated on the machine. */
#include "admin.h"

extern const struct admin_operation ADMIN_KEYS[];
