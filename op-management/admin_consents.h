#pragma once
/* /admin/v1/consents: what people allowed clients. */
#include "admin.h"

extern const struct admin_operation ADMIN_CONSENTS[];
