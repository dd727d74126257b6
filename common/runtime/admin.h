#pragma once
/* What every server answers for its operator: /.live, /.ready, /.metrics. The balancer never exposes them. */
#include "runtime/route.h"

struct admin {
    struct kv *kv;
    const struct kv_store *stores;
    size_t store_count;
    const struct http_server *http;
    const char *(*not_ready)(void); /* NULL when ready, else why not */
};

/* Keeps a copy. Called once, before the first request. */
void admin_setup(const struct admin *admin);

enum { ADMIN_ROUTE_COUNT = 3 };
extern const struct route ADMIN_ROUTES[ADMIN_ROUTE_COUNT];
