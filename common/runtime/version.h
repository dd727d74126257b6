#pragma once
/* What --version says: the version, the release it follows (going back to that one is promised), the build id that the
 * linker wrote, the record format. */
#include "base/mem.h"

/* The build id that the linker wrote, in hex. Owned by ctx. */
char *version_build(const void *ctx);

/* "op-token 0.2.0\nfollows 0.1.0\nbuild 0123...\nrecords 1\n"; "follows none" for the first release. Owned by ctx. */
char *version_text(const void *ctx, const char *program);
