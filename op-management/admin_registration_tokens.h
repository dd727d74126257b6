#pragma once
/* /admin/v1/registration-tokens: initial access tokens, with which clients register themselves. */
#include "admin.h"

extern const struct admin_operation ADMIN_REGISTRATION_TOKENS[];
