#pragma once
/* Lists that are read part by part, each in a transaction of its own, and printed in full. */
#include "app.h"
#include "operator/listing.h"

/* Inside work: the part after `after` (NULL: the first), of at most limit entries. arg is parts_list's. */
typedef enum op_err parts_read(struct kv_txn *txn, const void *ctx, const void *arg, const char *after, size_t limit,
                               struct listing *ret);

/* Reads all parts and prints them; what names the list: "the list of sessions". Returns APP_OK, or an exit status after
 * having said why. Blocks. */
int parts_list(const struct app *app, parts_read *read, const void *arg, const char *const *columns, const char *what);
