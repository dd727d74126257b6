#include "store/format.h"

/* A version before the first change of the record format. */
const struct format_program FORMAT_HERE = {.version = "0.1.9", .format = 1, .oldest = 1, .required = 0};
