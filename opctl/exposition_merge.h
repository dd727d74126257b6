#pragma once
/* What several processes say in their /.metrics as one text, in which each sample names its process. Pure. */
#include "base/mem.h"

struct exposition_part {
    const char *server, *instance; /* become labels of each sample */
    const char *text;              /* NULL: it said nothing */
};

/* A process vouches for nothing but its own samples: what is no sample of the metric it stands under, or names a server
 * or an instance itself, is left out, so that none can spoil what the others say. partita_up says of each whether it
 * spoke. Owned by ctx. */
char *exposition_merge(const void *ctx, const struct exposition_part *parts, size_t count);
