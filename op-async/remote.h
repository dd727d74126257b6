#pragma once
/* Fulfils wishes (store/wishes.h): fetches what other servers wish for, one fetch of a URL at a time whatever the
 * number of instances, and keeps the answers in remote. A failure is remembered for a while, so that nobody asks again;
 * what was there before stays, stale, for those who can do with it. Everything runs on the event loop. */
#include "fetch.h"
#include "freshness.h"
#include "runtime/conf.h"
#include "store/kv.h"

struct remote_settings {
    struct conf_list allowed; /* for address_guard_new */
    const char *ca_file;      /* "" for the system's authorities */
    int64_t timeout, stall, size_max; /* as fetch_limits */
    int64_t fetches_max;      /* at a time ... */
    int64_t host_fetches_max; /* ... of them of one host */
    struct freshness_bounds freshness;
    int64_t failure_memory;   /* seconds */
    int64_t stale_lifetime;   /* seconds since it was fetched */
};
extern struct remote_settings remote_settings;

struct remote; /* owned by the ctx it was made in, which must outlive kv */

/* Begins. remote and guard must be open for writing. On failure *ret_why is one line, owned by ctx. */
must_check enum op_err remote_start(const void *ctx, struct event_base *base, struct kv *kv, struct remote **ret,
                                    const char **ret_why);
/* Gives up what is under way, for another instance to take over at once. Blocks for a commit. */
void remote_stop(struct remote *remote);
