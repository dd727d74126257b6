#include "runtime/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/admin.h"
#include "runtime/arguments.h"
#include "runtime/audit.h"
#include "runtime/limit.h"
#include "runtime/listen.h"
#include "runtime/stores.h"
#include "runtime/trouble.h"
#include "runtime/version.h"

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78, READERS_EVERY_S = 60, DRAIN_BEYOND_KEEPALIVE_MS = 2000,
       ADMIN_CONNECTIONS_MAX = 32, READY_LOOK_US = 50000 };
enum { EVENT_KV, EVENT_TICK, EVENT_WATCHDOG, EVENT_TERM, EVENT_INT, EVENT_LISTEN, EVENT_COUNT };

struct server {
    const struct server_description *description;
    struct arguments arguments;
    struct event_base *base;
    struct event *events[EVENT_COUNT];
    struct kv *kv;
    struct http_server *http;
    struct http_server *admin; /* NULL: no --admin */
    struct route_table table;
    struct route_table admin_table;
    size_t bound; /* how many of arguments.listen are ours */
    bool draining;
    bool failed; /* after its start */
    void *lost; /* owns what lost_store said last */
    char *told; /* the reason systemd and the log were told last; NULL: ready */
    bool told_once;
    unsigned ticks;
};

static struct server *the_server;

struct kv *server_kv(void)
{
    return the_server->kv;
}

struct event_base *server_base(void)
{
    return the_server->base;
}

struct server *server_self(void)
{
    return the_server;
}

/* --- configuration --- */

static int configure(struct server *server)
{
    const struct server_description *d = server->description;
    const struct arguments *args = &server->arguments;
    bool check = args->mode == ARGUMENTS_CHECK_CONFIG;
    struct conf_section sections[3] = {SETTINGS_SECTION, {d->name, d->conf, d->conf_count, false}};
    if (d->foreign_conf != NULL)
        sections[2] = *d->foreign_conf;
    struct conf_source source = {args->config, args->overrides, args->override_count, check, SETTINGS_PROGRAMS};
    char *problems, *warnings;
    enum op_err err = conf_read(server, &source, sections, d->foreign_conf == NULL ? 2 : 3, &problems, &warnings);
    fputs(problems, stderr);
    if (err != OP_OK)
        return EXIT_CONFIG;
    fputs(warnings, stderr);
    const char *wrong = d->check_conf == NULL ? NULL : d->check_conf();
    if (wrong == NULL)
        return 0;
    fprintf(stderr, "%s: [%s] %s\n", args->config, d->name, wrong);
    return EXIT_CONFIG;
}

/* --- stores and the audit trail --- */

static bool open_audit(struct server *server, const char **ret_why)
{
    return audit_open(server, settings.audit_dir, server->description->name, (unsigned)settings.audit_failures,
                      ret_why) == OP_OK;
}

static bool open_stores(struct server *server, const char **ret_why)
{
    const struct server_description *d = server->description;
    struct kv_config config = {
        .state_dir = settings.state_dir, .runtime_dir = settings.runtime_dir, .alarm = trouble_alarm};
    if (kv_open(server, &config, d->stores, d->store_count, &server->kv, ret_why) != OP_OK)
        return false;
    *ret_why = stores_check(server, server->kv, d->stores, d->store_count, server->arguments.config);
    (void)kv_clear_dead_readers(server->kv);
    return *ret_why == NULL;
}

/* Returns how many bytes, at most max; -1 and errno. */
static ssize_t read_all(const char *path, uint8_t *data, size_t max)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t got = read(fd, data, max);
    int reason = errno;
    close(fd);
    errno = reason;
    return got;
}

/* The credential's bytes, at most max, wiped with the server. remedy: what to do when there is no such file. */
static enum op_err read_credential(struct server *server, const char *name, size_t max, const char *remedy,
                                   struct bytes *ret, const char **ret_why)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (dir == NULL) {
        *ret_why = mem_printf(server, "the credential %s is missing: CREDENTIALS_DIRECTORY is not set, as systemd's "
                                      "LoadCredential= would", name);
        return OP_ABSENT;
    }
    const char *path = mem_printf(server, "%s/%s", dir, name);
    uint8_t *data = mem_secret(mem_array(server, uint8_t, max + 1));
    ssize_t got = read_all(path, data, max);
    if (got < 0) {
        int reason = errno;
        *ret_why = mem_printf(server, "%s cannot be read: %s: %s", path, strerror(reason),
                              reason == ENOENT ? remedy : "it must be a file that this server's user may read");
        return reason == ENOENT ? OP_ABSENT : OP_DENIED;
    }
    *ret = bytes_from(data, (size_t)got);
    return OP_OK;
}

enum op_err server_credential(struct server *server, const char *name, size_t len, const uint8_t **ret,
                              const char **ret_why)
{
    struct bytes key;
    enum op_err err = read_credential(server, name, len + 1,
                                      "make it with `opctl init --credentials DIR` and hand it to this server", &key,
                                      ret_why);
    if (err == OP_OK && key.len != len) {
        *ret_why = mem_printf(server, "%s/%s is not exactly %zu bytes long: put the one back that "
                                      "`opctl init --credentials` made", getenv("CREDENTIALS_DIRECTORY"), name, len);
        err = OP_INVALID;
    }
    if (err == OP_OK)
        *ret = key.data;
    return err;
}

enum op_err server_password(struct server *server, const char *name, size_t max, const char **ret, const char **ret_why)
{
    struct bytes text;
    enum op_err err = read_credential(server, name, max + 2, "put the secret there, as one line", &text, ret_why);
    if (err != OP_OK)
        return err;
    char *line = (char *)(uintptr_t)text.data;
    line[strcspn(line, "\r\n")] = '\0';
    if (*line == '\0' || strlen(line) > max) {
        *ret_why = mem_printf(server, "%s/%s does not begin with a line of 1 to %zu bytes",
                              getenv("CREDENTIALS_DIRECTORY"), name, max);
        return OP_INVALID;
    }
    *ret = line;
    return OP_OK;
}

/* --- readiness --- */

static bool draining(void)
{
    return the_server->draining;
}

/* NULL, or which environment is not what it was when it was opened. */
static const char *lost_store(struct server *server)
{
    const struct server_description *d = server->description;
    const char *why = NULL;
    talloc_free(server->lost);
    server->lost = talloc_new(server);
    for (size_t i = 0; i < d->store_count && why == NULL; i++)
        if (kv_look(server->kv, d->stores[i].env, server->lost, &why) == OP_OK)
            why = NULL;
    return why;
}

static const char *not_ready(void)
{
    if (draining())
        return "draining";
    const char *why = lost_store(the_server);
    const struct server_description *d = the_server->description;
    return why != NULL || d->not_ready == NULL ? why : d->not_ready(the_server);
}

/* What a new version must be able to do before an old one is stopped. Owned by ctx. */
static const char *self_test(const void *ctx)
{
    const struct server_description *d = the_server->description;
    const char *why = stores_check(ctx, the_server->kv, d->stores, d->store_count, the_server->arguments.config);
    return why != NULL || d->self_test == NULL ? why : d->self_test(ctx);
}

static bool same_reason(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Tells systemd and the log when readiness changed. */
static void tell_readiness(struct server *server)
{
    const char *why = not_ready();
    if (server->told_once && same_reason(why, server->told))
        return;
    server->told_once = true;
    talloc_free(server->told);
    server->told = why == NULL ? NULL : mem_strdup(server, why);
    why = server->told;
    log_event(LOG_LEVEL_INFO, why == NULL ? "ready" : "not_ready", NULL, NULL, "why", why, NULL);
    sd_notifyf(0, "STATUS=%s%s", why == NULL ? "ready" : "alive, not ready: ", why == NULL ? "" : why);
}

/* --- events --- */

static void on_kv(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    kv_dispatch(((struct server *)arg)->kv);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct server *server = arg;
    tell_readiness(server);
    audit_tick();
    if (++server->ticks % READERS_EVERY_S != 0)
        return;
    unsigned cleared = kv_clear_dead_readers(server->kv);
    char count[16];
    snprintf(count, sizeof count, "%u", cleared);
    if (cleared != 0)
        log_event(LOG_LEVEL_INFO, "dead_readers_cleared", NULL, NULL, "count", count, NULL);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    sd_notify(0, "WATCHDOG=1");
}

static void on_drained(void *arg)
{
    event_base_loopbreak(((struct server *)arg)->base);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct server *server = arg;
    if (server->draining) {
        event_base_loopbreak(server->base);
        return;
    }
    server->draining = true;
    sd_notify(0, "STOPPING=1\nSTATUS=draining");
    const char *connections = mem_printf(server, "%u", http_stats(server->http).connections);
    log_event(LOG_LEVEL_INFO, "draining", NULL, NULL, "connections", connections, NULL);
    http_drain(server->http, on_drained, server);
}

static void add_event(struct server *server, int slot, evutil_socket_t fd, short what, event_callback_fn callback,
                      uint64_t every_us)
{
    struct timeval every = {.tv_sec = (time_t)(every_us / 1000000), .tv_usec = (suseconds_t)(every_us % 1000000)};
    server->events[slot] = event_new(server->base, fd, (short)(what | EV_PERSIST), callback, server);
    if (server->events[slot] == NULL || event_add(server->events[slot], every_us == 0 ? NULL : &every) != 0)
        abort(); /* out of memory */
}

static void make_events(struct server *server)
{
    add_event(server, EVENT_KV, kv_event_fd(server->kv), EV_READ, on_kv, 0);
    add_event(server, EVENT_TICK, -1, 0, on_tick, 1000000);
    add_event(server, EVENT_TERM, SIGTERM, EV_SIGNAL, on_signal, 0);
    add_event(server, EVENT_INT, SIGINT, EV_SIGNAL, on_signal, 0);
    uint64_t watchdog_us = 0;
    if (sd_watchdog_enabled(0, &watchdog_us) > 0)
        add_event(server, EVENT_WATCHDOG, -1, 0, on_watchdog, watchdog_us / 2);
}

static struct event_base *make_base(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL || event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) != 0)
        abort(); /* out of memory */
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (base == NULL)
        abort();
    return base;
}

/* --- requests --- */

static void on_finished(const struct http_request *req, int status, size_t bytes, void *arg)
{
    (void)arg;
    int64_t us = clock_monotonic_us() - req->started_us;
    metrics_request(route_label(req), status, req->error, us);
    /* Errors with a name were logged by the one who answered them. */
    enum log_level level = status >= 500 && req->error == NULL ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;
    if ((int)level < settings.log_level)
        return;
    char numbers[3][24];
    snprintf(numbers[0], sizeof numbers[0], "%d", status);
    snprintf(numbers[1], sizeof numbers[1], "%zu", bytes);
    snprintf(numbers[2], sizeof numbers[2], "%lld", (long long)us);
    log_event(level, "request", req->request_id, req->trace, "route", route_label(req), "status", numbers[0],
              "bytes", numbers[1], "us", numbers[2], "address", req->client_address, "error", req->error, NULL);
}

static void on_breach(const struct http_request *req, int status, const char *what, const char *client_address, void *arg)
{
    (void)arg;
    char number[24];
    snprintf(number, sizeof number, "%d", status);
    metrics_request("framing", status, NULL, 0);
    log_event(LOG_LEVEL_WARNING, "bad_framing", req == NULL ? NULL : req->request_id, req == NULL ? NULL : req->trace,
              "status", number, "what", what, "address", client_address, NULL);
}

static const char *issuer_path(void)
{
    const char *path = strchr(strstr(settings.issuer, "://") + 3, '/'); /* its check saw to the scheme */
    return path == NULL ? "" : path;
}

static void make_http(struct server *server)
{
    const struct server_description *d = server->description;
    struct route *routes = mem_array(server, struct route, d->route_count + ADMIN_ROUTE_COUNT);
    memcpy(routes, ADMIN_ROUTES, ADMIN_ROUTE_COUNT * sizeof *routes);
    if (d->route_count != 0)
        memcpy(routes + ADMIN_ROUTE_COUNT, d->routes, d->route_count * sizeof *routes);
    server->table = (struct route_table){routes, d->route_count + ADMIN_ROUTE_COUNT, issuer_path(), server->kv,
                                         d->not_found};
    struct http_limits limits = {
        .connections_max = (unsigned)settings.connections_max,
        .drain_idle_ms = (unsigned)settings.balancer_keepalive * 1000 + DRAIN_BEYOND_KEEPALIVE_MS,
    };
    for (size_t i = 0; i < server->table.count; i++)
        if (routes[i].body_max > limits.body_max)
            limits.body_max = routes[i].body_max;
    struct http_hooks hooks = {route_head, route_request, on_finished, on_breach, &server->table};
    server->http = http_new(server, server->base, &limits, &hooks, settings.trusted_proxies.items,
                            settings.trusted_proxies.count);
    struct admin admin = {server->kv, d->stores, d->store_count, server->http, not_ready, draining, self_test};
    admin_setup(&admin);
    metrics_declare(d->metrics, d->metric_count);
}

static bool bind_to(struct server *server, const char *option, const char *address, int *ret_fd, const char **ret_why)
{
    const char *why;
    if (listen_bind(server, address, ret_fd, &why) == OP_OK)
        return true;
    *ret_why = mem_printf(server, "%s %s", option, why);
    return false;
}

/* A door of this one process, for its operator: it stays open while the process drains. */
static bool listen_for_operator(struct server *server, const char **ret_why)
{
    int fd;
    if (server->arguments.admin == NULL)
        return true;
    if (!bind_to(server, "--admin", server->arguments.admin, &fd, ret_why))
        return false;
    server->admin_table = (struct route_table){ADMIN_ROUTES, ADMIN_ROUTE_COUNT + ADMIN_ONLY_ROUTE_COUNT, "",
                                               server->kv, NULL};
    struct http_limits limits = {.connections_max = ADMIN_CONNECTIONS_MAX};
    struct http_hooks hooks = {.head = route_head, .request = route_request, .breach = on_breach,
                               .arg = &server->admin_table};
    server->admin = http_new(server, server->base, &limits, &hooks, NULL, 0);
    if (http_listen_fd(server->admin, fd) != OP_OK)
        abort(); /* we have just made it */
    return true;
}

static bool listen_on(struct server *server, const char **ret_why)
{
    int inherited = sd_listen_fds(1);
    for (int i = 0; i < inherited; i++) {
        if (http_listen_fd(server->http, SD_LISTEN_FDS_START + i) != OP_OK) {
            *ret_why = mem_printf(server, "descriptor %d of LISTEN_FDS is no listening stream socket",
                                  SD_LISTEN_FDS_START + i);
            return false;
        }
    }
    for (size_t i = 0; i < server->arguments.listen_count; i++) {
        int fd;
        if (!bind_to(server, "--listen", server->arguments.listen[i], &fd, ret_why))
            return false;
        server->bound++;
        if (http_listen_fd(server->http, fd) != OP_OK)
            abort(); /* we have just made it */
    }
    if (inherited <= 0 && server->arguments.listen_count == 0) {
        *ret_why = "there is no socket to listen on: none was handed over (LISTEN_FDS), and no --listen was given";
        return false;
    }
    return true;
}

static void on_listen(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct server *server = arg;
    const char *why;
    if (not_ready() != NULL)
        return;
    event_del(server->events[EVENT_LISTEN]);
    if (listen_on(server, &why))
        return;
    log_event(LOG_LEVEL_ERROR, "start_failed", NULL, NULL, "why", why, NULL);
    server->failed = true;
    event_base_loopbreak(server->base);
}

/* Instances share a socket: where the operator has one of its own to ask, an instance that is not ready yet leaves what
 * arrives there to those that are. */
static bool listen_when_ready(struct server *server, const char **ret_why)
{
    if (server->admin == NULL || not_ready() == NULL)
        return listen_on(server, ret_why);
    add_event(server, EVENT_LISTEN, -1, 0, on_listen, READY_LOOK_US);
    return true;
}

/* --- the run --- */

/* Returns NULL, or what is at fault. */
static const char *start(struct server *server)
{
    const struct server_description *d = server->description;
    const char *why = "of unknown cause";
    limit_raise_descriptors();
    if (!open_audit(server, &why) || !open_stores(server, &why))
        return why;
    server->base = make_base();
    make_events(server);
    if (d->start != NULL && d->start(server, &why) != OP_OK)
        return why;
    make_http(server);
    return listen_for_operator(server, &why) && listen_when_ready(server, &why) ? NULL : why;
}

static void finish(struct server *server)
{
    if (server->http != NULL && server->description->stop != NULL)
        server->description->stop(server);
    talloc_free(server->http);
    talloc_free(server->admin);
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if (server->events[i] != NULL)
            event_free(server->events[i]);
    talloc_free(server->kv);
    for (size_t i = 0; i < server->bound; i++)
        listen_remove(server->arguments.listen[i]);
    if (server->admin != NULL)
        listen_remove(server->arguments.admin);
}

static int serve(struct server *server)
{
    log_setup(server->description->name, (enum log_level)settings.log_level);
    const char *why = start(server);
    if (why != NULL) {
        log_event(LOG_LEVEL_ERROR, "start_failed", NULL, NULL, "why", why, NULL);
    } else {
        audit_write(AUDIT_STARTED, NULL, &(struct audit_facts){.object = PARTITA_VERSION});
        sd_notify(0, "READY=1");
        tell_readiness(server);
        event_base_dispatch(server->base);
        audit_write(AUDIT_ENDED, NULL, &(struct audit_facts){0});
    }
    finish(server);
    audit_close();
    return why == NULL && !server->failed ? 0 : 1;
}

static int run(struct server *server, int argc, char **argv)
{
    const struct server_description *d = server->description;
    const char *why;
    if (arguments_read(server, argc, argv, &server->arguments, &why) != OP_OK) {
        fprintf(stderr, "%s: %s\n", d->name, why);
        return EXIT_USAGE;
    }
    if (server->arguments.mode == ARGUMENTS_VERSION) {
        fputs(version_text(server, d->name), stdout);
        return 0;
    }
    if (server->arguments.mode == ARGUMENTS_HELP) {
        fputs(arguments_help(server, d), stdout);
        return 0;
    }
    int status = configure(server);
    return status != 0 || server->arguments.mode == ARGUMENTS_CHECK_CONFIG ? status : serve(server);
}

int server_run(const struct server_description *description, int argc, char **argv)
{
    struct server *server = mem_new(mem_root("server"), struct server);
    server->description = description;
    the_server = server;
    int status = run(server, argc, argv);
    /* What start hung on the server may have events: the base goes last. */
    struct event_base *base = server->base;
    talloc_free(talloc_parent(server));
    the_server = NULL;
    if (base != NULL)
        event_base_free(base);
    return status;
}
