#pragma once
/* /admin/v1/clients: registrations of clients. */
#include "admin.h"

extern const struct admin_operation ADMIN_CLIENTS[];
