#include "runtime/http.h"

#include <assert.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>

#include "runtime/http_connection.h"
#include "runtime/http_peer.h"

enum {
    ACCEPT_PAUSE_MS = 100, /* after descriptors or memory ran out */
    SPARE_DESCRIPTORS = 128,
};

static void set_accepting(struct http_server *server, bool on)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        if (on)
            evconnlistener_enable(server->listeners[i]);
        else
            evconnlistener_disable(server->listeners[i]);
    }
}

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct http_server *server = arg;
    if (!server->full)
        set_accepting(server, true);
}

static void pause_accepting(struct http_server *server)
{
    struct timeval pause = http_milliseconds(ACCEPT_PAUSE_MS);
    server->stats.accept_failures++;
    set_accepting(server, false);
    event_add(server->accept_again, &pause);
}

static void tell_drained(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct http_server *server = arg;
    void (*drained)(void *) = server->drained;
    server->drained = NULL;
    if (drained != NULL)
        drained(server->drained_arg);
}

void http_ended(struct http_server *server)
{
    if (server->draining) {
        if (LIST_EMPTY(&server->connections) && LIST_EMPTY(&server->exchanges))
            event_active(server->drained_later, EV_TIMEOUT, 0);
    } else if (server->full && server->connection_count < server->limits.connections_max) {
        server->full = false;
        if (!event_pending(server->accept_again, EV_TIMEOUT, NULL))
            set_accepting(server, true);
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len, void *arg)
{
    (void)listener, (void)len;
    struct http_server *server = arg;
    int one = 1;
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    http_connection_new(server, fd, address);
    server->stats.accepted++;
    server->full = server->connection_count >= server->limits.connections_max;
    if (server->full) {
        server->stats.full++;
        set_accepting(server, false); /* until one ends; the kernel's queue holds the rest */
    }
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)listener;
    pause_accepting(arg);
}

static int socket_option(int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

enum op_err http_listen_fd(struct http_server *server, int fd)
{
    int family = socket_option(fd, SO_DOMAIN);
    if (socket_option(fd, SO_ACCEPTCONN) != 1 || socket_option(fd, SO_TYPE) != SOCK_STREAM ||
        (family != AF_INET && family != AF_INET6 && family != AF_UNIX))
        return OP_INVALID;
    /* The file description is shared with every process that has this socket, and with it O_NONBLOCK: whoever clears
     * it there must not make accept wait here. */
    const struct timeval at_once = {.tv_usec = 1};
    if (server->listener_count == HTTP_LISTENERS_MAX || evutil_make_socket_nonblocking(fd) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &at_once, sizeof at_once) != 0)
        return OP_INVALID;
    struct evconnlistener *listener = evconnlistener_new(server->base, on_accept, server,
                                                         LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (listener == NULL)
        return OP_INVALID;
    evconnlistener_set_error_cb(listener, on_accept_error);
    server->listeners[server->listener_count++] = listener;
    return OP_OK;
}

static void close_listeners(struct http_server *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        evconnlistener_free(server->listeners[i]);
    server->listener_count = 0;
}

static struct http_limits with_defaults(const struct http_limits *given)
{
    struct http_limits limits = *given;
#define DEFAULT(name, value) limits.name = limits.name == 0 ? (value) : limits.name
    DEFAULT(line_max, 8192);
    DEFAULT(head_max, 16384);
    DEFAULT(fields_max, 100);
    DEFAULT(body_max, 65536);
    DEFAULT(pipelined_max, 16);
    DEFAULT(connections_max, 1024);
    DEFAULT(head_ms, 10000);
    DEFAULT(body_ms, 20000);
    DEFAULT(idle_ms, 65000);
    DEFAULT(write_ms, 20000);
    DEFAULT(requests_max, 100);
    DEFAULT(drain_idle_ms, 7000);
    DEFAULT(linger_ms, 2000);
#undef DEFAULT
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
        rlim_t spare = files.rlim_cur > 2 * SPARE_DESCRIPTORS ? SPARE_DESCRIPTORS : files.rlim_cur / 2;
        if (limits.connections_max > files.rlim_cur - spare)
            limits.connections_max = (unsigned)(files.rlim_cur - spare);
    }
    return limits;
}

static int server_destroy(struct http_server *server)
{
    close_listeners(server);
    http_connections_end(server);
    event_free(server->accept_again);
    event_free(server->drained_later);
    return 0;
}

struct http_server *http_new(const void *ctx, struct event_base *base, const struct http_limits *limits,
                             const struct http_hooks *hooks, char *const *trusted, size_t trusted_count)
{
    struct http_server *server = mem_new(ctx, struct http_server);
    server->base = base;
    server->limits = with_defaults(limits);
    server->parse_limits.line_max = server->limits.line_max;
    server->parse_limits.head_max = server->limits.head_max;
    server->parse_limits.fields_max = server->limits.fields_max;
    server->hooks = *hooks;
    server->peers = http_peers_new(server, trusted, trusted_count);
    server->head = buf_make(server);
    server->accept_again = evtimer_new(base, accept_again, server);
    server->drained_later = evtimer_new(base, tell_drained, server);
    assert(server->accept_again != NULL && server->drained_later != NULL);
    LIST_INIT(&server->connections);
    LIST_INIT(&server->exchanges);
    talloc_set_destructor(server, server_destroy);
    signal(SIGPIPE, SIG_IGN);
    return server;
}

void http_drain(struct http_server *server, void (*drained)(void *arg), void *arg)
{
    server->draining = true;
    server->drained = drained;
    server->drained_arg = arg;
    event_del(server->accept_again);
    close_listeners(server);
    http_connections_drain(server);
    http_ended(server);
}

struct http_stats http_stats(const struct http_server *server)
{
    struct http_stats stats = server->stats;
    stats.connections = server->connection_count;
    stats.connections_max = server->limits.connections_max;
    return stats;
}
