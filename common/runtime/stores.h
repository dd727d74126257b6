#pragma once
/* Whether a server's environments are the ones it was configured for. */
#include "store/kv.h"

/* Reads the record of each environment in one transaction: NULL, or one line on the first that was never initialised,
 * cannot be read, for which this version is too old or too new, or that belongs to another issuer than settings.issuer,
 * which the file config gave. Owned by ctx. */
const char *stores_check(const void *ctx, struct kv *kv, const struct kv_store *stores, size_t count,
                         const char *config);
