#pragma once
/* /admin/v1/outbox: messages that wait to leave the house, and dead letters. */
#include "admin.h"

extern const struct admin_operation ADMIN_OUTBOX[];
