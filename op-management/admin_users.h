#pragma once
/* /admin/v1/users: accounts. */
#include "admin.h"
#include "runtime/password_pool.h"

extern const struct admin_operation ADMIN_USERS[];

/* Starts the thread that computes password hashes; it ends with ctx. */
void admin_users_start(const void *ctx);
