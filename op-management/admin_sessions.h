#pragma once
/* /admin/v1/sessions: sign-on sessions, everybody's or a user's. */
#include "admin.h"

extern const struct admin_operation ADMIN_SESSIONS[];
