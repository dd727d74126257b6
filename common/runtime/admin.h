#pragma once
/* What every server answers for its operator: /.live, /.ready, /.metrics on all its sockets, which the balancer never
 * exposes; /.self-test on its --admin socket only. */
#include "runtime/route.h"

struct admin {
    struct kv *kv;
    const struct kv_store *stores;
    size_t store_count;
    const struct http_server *http;
    const char *(*not_ready)(void); /* NULL when ready, else why not */
    bool (*draining)(void);
    const char *(*self_test)(const void *ctx); /* NULL when all went well, else what did not; owned by ctx */
};

/* Keeps a copy. Called once, before the first request. */
void admin_setup(const struct admin *admin);

/* Those of every socket come first. */
enum { ADMIN_ROUTE_COUNT = 3, ADMIN_ONLY_ROUTE_COUNT = 1 };
extern const struct route ADMIN_ROUTES[ADMIN_ROUTE_COUNT + ADMIN_ONLY_ROUTE_COUNT];
