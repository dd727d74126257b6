#pragma once
/* The floor of the environments and who is below it: versions that are installed and can be started or rolled back to,
 * and processes that have an environment open. Everything but floor_judge blocks. */
#include "base/err.h"
#include "base/mem.h"

struct floor_version {
    const char *server;  /* "op-token" */
    const char *version; /* NULL: it does not say */
    uint32_t format;     /* 0: it does not say */
    long pid;            /* the process; 0: it is installed */
};

/* The first that is below the floor: NULL, or one line that names it and says what to do. Pure; owned by ctx. */
const char *floor_judge(const void *ctx, uint32_t floor, const struct floor_version *versions, size_t count);

/* Whether the durable environments' floor may be raised so high. OP_DENIED: *ret_why is one line, owned by ctx. */
must_check enum op_err floor_may_be(const void *ctx, uint32_t floor, const char **ret_why);

struct floor_state {
    uint32_t floor;
    const char *who_may; /* "version 0.2.0 or a newer one"; owned by ctx */
};
/* The highest floor of the durable environments, those that can be read; 1 when none can. */
struct floor_state floor_now(const void *ctx);
