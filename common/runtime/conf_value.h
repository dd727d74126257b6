#pragma once
/* One setting's text, read into its target by its type. Pure but for the target. */
#include "runtime/conf.h"

/* Returns NULL and sets item->target, or what is wrong (owned by ctx; the target is untouched).
 * Strings and lists are owned by ctx. */
const char *conf_value_read(const void *ctx, const struct conf_item *item, const char *text);

/* "a duration such as 60s, 10min, 12h, 30d or 1y, 1s to 10min": for problems and documentation. Owned by ctx. */
char *conf_value_describe(const void *ctx, const struct conf_item *item);
