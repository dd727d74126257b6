#pragma once
/* /admin/v1/families: families of refresh tokens, and with them the access tokens of one sign-in at one client. */
#include "admin.h"

extern const struct admin_operation ADMIN_FAMILIES[];
