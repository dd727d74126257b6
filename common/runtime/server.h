#pragma once
/* A server's main: tables, then one call. Arguments (--config FILE, --check-config, --version, --help,
 * --listen ADDRESS (HOST:PORT or unix:PATH; otherwise the sockets of LISTEN_FDS), --admin ADDRESS, --set NAME=VALUE),
 * configuration, log, stores, sockets (with --admin, accepted on once the server is ready), ready notice (sd_notify), one event loop, watchdog, drain.
 * Its own routes /.live, /.ready and /.metrics are served beside the description's. */
#include "runtime/conf.h"
#include "runtime/http.h"
#include "runtime/metrics.h"
#include "runtime/route.h"
#include "runtime/settings.h"
#include "store/kv.h"

struct server;

struct server_description {
    const char *name;     /* "op-token" */
    const char *purpose;  /* one sentence, for --help */
    const struct conf_item *conf;
    size_t conf_count;
    const struct conf_section *foreign_conf; /* another server's section, the settings of it that matter here; or NULL */
    const struct kv_store *stores;
    size_t store_count;
    const struct route *routes;
    size_t route_count;
    const struct metric *metrics; /* what it counts itself */
    size_t metric_count;
    /* All the hooks may be NULL. check_conf judges settings that must fit each other, once all are
     * read (also for --check-config): NULL, or what is wrong (static text). */
    const char *(*check_conf)(void);
    /* start runs once everything is open, before requests; on failure *ret_why is one line that
     * names what is at fault (owned by the server) and the process ends with 1. */
    enum op_err (*start)(struct server *server, const char **ret_why);
    /* stop runs when the last connection is gone, before the stores are closed. */
    void (*stop)(struct server *server);
    /* Asked for readiness (/.ready on the sockets answers 200 or 503): NULL when ready, else why not. */
    const char *(*not_ready)(struct server *server);
    /* Beside a read of every environment, what this version must be able to do before an old one is stopped for it:
     * NULL, or what failed (owned by ctx). Blocks no longer than a signature takes. */
    const char *(*self_test)(const void *ctx);
    void (*not_found)(struct http_request *req, int status);
};

/* The tables of a description, each with its length. */
#define SERVER_CONF(table) .conf = (table), .conf_count = sizeof (table) / sizeof *(table)
#define SERVER_STORES(table) .stores = (table), .store_count = sizeof (table) / sizeof *(table)
#define SERVER_ROUTES(table) .routes = (table), .route_count = sizeof (table) / sizeof *(table)
#define SERVER_METRICS(table) .metrics = (table), .metric_count = sizeof (table) / sizeof *(table)

/* Returns the exit status: 0 drained, 64 usage, 78 bad configuration, 1 anything else. */
int server_run(const struct server_description *description, int argc, char **argv);

/* For hooks and handlers of the one server of this process. */
struct kv *server_kv(void);
struct event_base *server_base(void);
struct server *server_self(void); /* a talloc context that lives as long as the process serves */

/* A secret of its own: $CREDENTIALS_DIRECTORY/NAME, exactly len bytes raw. On failure *ret_why is
 * one line that names the path. The memory is owned by server and wiped at the end. */
must_check enum op_err server_credential(struct server *server, const char *name, size_t len, const uint8_t **ret,
                                         const char **ret_why);
/* The same for a secret that somebody else chose: text, up to the end of its first line, 1 to max bytes. */
must_check enum op_err server_password(struct server *server, const char *name, size_t max, const char **ret,
                                       const char **ret_why);
