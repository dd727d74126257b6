#include "store/format.h"

/* A version that leans on a migration and has dropped the first record format. */
const struct format_program FORMAT_HERE = {.version = "9.1.0", .format = 9, .oldest = 2, .required = 1};
