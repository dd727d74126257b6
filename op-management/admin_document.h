#pragma once
/* /admin/v1/openapi.json: what the administration API is, for programs (OpenAPI 3.1), made of the tables that the server
 * dispatches by. */
#include "admin.h"

extern const struct admin_operation ADMIN_DOCUMENT[];

/* The document of these operations, owned by ctx. Pure. */
json_t *admin_document(const void *ctx, const struct admin_operation *const *operations, size_t count,
                       const char *issuer);
