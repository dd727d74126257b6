#include "runtime/http.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "runtime/http_parse.h"
#include "runtime/http_peer.h"
#include "runtime/http_reply.h"

enum {
    READ_AHEAD = 16384,    /* bytes taken from a socket before they are looked at */
    REPLIES_AHEAD = 65536, /* bytes of replies a peer has not taken; no further request is begun above */
    LISTENERS_MAX = 16,
    ACCEPT_PAUSE_MS = 100, /* after descriptors or memory ran out */
    SPARE_DESCRIPTORS = 128,
};

static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* What a connection is doing. */
enum phase {
    READING,   /* a request, or waiting for one */
    WORKING,   /* a handler has the request; what else arrives stays in the buffer */
    FLUSHING,  /* the last reply is on its way */
    LINGERING, /* it is, and our side is shut; the peer's rest is thrown away, so that no reset overtakes the reply */
};

/* What its deadline is for. */
enum wait { WAIT_NONE, WAIT_IDLE, WAIT_HEAD, WAIT_BODY, WAIT_LINGER };

struct connection {
    struct http_server *server;
    LIST_ENTRY(connection) link;
    struct bufferevent *bev;
    struct event *deadline;
    enum phase phase;
    enum wait wait;
    bool running;             /* inside connection_run */
    bool eof;                 /* the peer sends nothing more; it may still read */
    struct http_peer peer;
    struct http_parse parse;
    struct http_request *reading; /* begun, not yet handed over */
    struct exchange *exchange;    /* the one of the request at hand, from its head on */
};

/* Ties a request to its connection and server, either of which may go first. */
struct exchange {
    LIST_ENTRY(exchange) link;
    struct http_server *server;
    struct connection *conn;
    bool close;        /* by the request's wish */
    bool body_unread;
};

struct http_server {
    struct event_base *base;
    struct http_limits limits;
    struct http_parse_limits parse_limits;
    struct http_hooks hooks;
    struct http_peers *peers;
    struct evconnlistener *listeners[LISTENERS_MAX];
    size_t listener_count;
    LIST_HEAD(, connection) connections;
    LIST_HEAD(, exchange) exchanges;
    unsigned connection_count;
    uint64_t accept_failures;
    struct event *accept_again;
    struct buf head; /* of the reply being sent */
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    struct event *drained_later;
};

static void connection_run(struct connection *conn);

static struct timeval milliseconds(unsigned ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* ---- the server's own state ---- */

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
    if (server->connection_count < server->limits.connections_max)
        set_accepting(server, true);
}

static void pause_accepting(struct http_server *server)
{
    struct timeval pause = milliseconds(ACCEPT_PAUSE_MS);
    server->accept_failures++;
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

static void check_drained(struct http_server *server)
{
    if (server->draining && LIST_EMPTY(&server->connections) && LIST_EMPTY(&server->exchanges))
        event_active(server->drained_later, EV_TIMEOUT, 0);
}

/* ---- exchanges ---- */

static struct exchange *exchange_new(struct connection *conn, struct http_request *req)
{
    struct exchange *exchange = mem_new(req, struct exchange);
    exchange->server = conn->server;
    exchange->conn = conn;
    exchange->close = conn->parse.close;
    exchange->body_unread = http_parse_has_body(&conn->parse);
    LIST_INSERT_HEAD(&conn->server->exchanges, exchange, link);
    conn->exchange = exchange;
    req->connection = exchange;
    return exchange;
}

static void exchange_end(struct exchange *exchange)
{
    LIST_REMOVE(exchange, link);
    if (exchange->conn != NULL)
        exchange->conn->exchange = NULL;
    check_drained(exchange->server);
}

/* ---- connections ---- */

/* The end of a connection, whoever frees it. */
static int connection_destroy(struct connection *conn)
{
    struct http_server *server = conn->server;
    struct exchange *exchange = conn->exchange;
    if (exchange != NULL) {
        exchange->conn = NULL;
        if (conn->reading != NULL)
            exchange_end(exchange); /* no handler has seen the request yet */
    }
    talloc_free(conn->reading);
    event_free(conn->deadline);
    bufferevent_free(conn->bev);
    LIST_REMOVE(conn, link);
    server->connection_count--;
    if (!server->draining && !event_pending(server->accept_again, EV_TIMEOUT, NULL))
        set_accepting(server, true);
    check_drained(server);
    return 0;
}

static void set_deadline(struct connection *conn, enum wait wait, unsigned ms)
{
    if (conn->wait == wait)
        return;
    conn->wait = wait;
    struct timeval in = milliseconds(ms);
    if (wait == WAIT_NONE)
        event_del(conn->deadline);
    else
        event_add(conn->deadline, &in);
}

static void discard_input(struct connection *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    evbuffer_drain(input, evbuffer_get_length(input));
}

/* Writes at once what the socket takes, which spares the loop a turn; the rest waits in the buffer, and an
 * error comes back from there. */
static void transmit(struct connection *conn, struct bytes head, struct bytes body)
{
    struct iovec parts[] = {{.iov_base = (void *)(uintptr_t)head.data, .iov_len = head.len},
                            {.iov_base = (void *)(uintptr_t)body.data, .iov_len = body.len}};
    ssize_t written = 0;
    if (evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0)
        written = writev(bufferevent_getfd(conn->bev), parts, 2);
    size_t sent = written > 0 ? (size_t)written : 0;
    if (sent < head.len)
        bufferevent_write(conn->bev, head.data + sent, head.len - sent);
    sent -= sent < head.len ? sent : head.len;
    if (sent < body.len)
        bufferevent_write(conn->bev, body.data + sent, body.len - sent);
}

/* Sends a reply; after the last one of a connection nothing more is read from it. */
static void send_reply(struct connection *conn, struct http_reply_head *head, bool with_content, struct bytes body)
{
    struct buf *out = &conn->server->head;
    out->len = 0;
    head->close = head->close || conn->server->draining;
    head->content_length = body.len;
    http_reply_write_head(out, head);
    if (!with_content || !http_reply_has_content(head->status))
        body.len = 0;
    transmit(conn, buf_bytes(out), body);
    conn->phase = head->close ? FLUSHING : READING;
}

/* Answers what cannot be read, and closes. */
static void connection_breach(struct connection *conn, int status, const char *what)
{
    struct http_server *server = conn->server;
    struct http_reply_head head = {.status = status, .content_type = "text/plain; charset=utf-8", .close = true};
    struct http_request *req = conn->reading;
    bool identified = req != NULL && req->client_address != NULL;
    if (server->hooks.breach != NULL)
        server->hooks.breach(status, what, identified ? req->client_address : conn->peer.text, server->hooks.arg);
    char *text = mem_printf(conn, "%d %s: %s\n", status, http_reply_reason(status), what);
    send_reply(conn, &head, req == NULL || req->method != HTTP_HEAD, bytes_of(text));
    talloc_free(text);
    if (conn->exchange != NULL)
        exchange_end(conn->exchange);
    talloc_free(conn->reading);
    conn->reading = NULL;
    discard_input(conn);
}

static void begin_request(struct connection *conn)
{
    conn->reading = mem_new(NULL, struct http_request);
    talloc_set_name_const(conn->reading, "http_request");
    conn->reading->started_us = clock_monotonic_us();
    http_parse_begin(&conn->parse, conn->reading, &conn->server->parse_limits);
    conn->wait = WAIT_NONE; /* each request has its own deadlines */
}

/* The whole request is here: hands it over. */
static void end_body(struct connection *conn)
{
    struct http_request *req = conn->reading;
    conn->reading = NULL;
    conn->exchange->body_unread = false;
    conn->phase = WORKING;
    conn->server->hooks.request(req, conn->server->hooks.arg);
}

static void end_head(struct connection *conn)
{
    struct http_server *server = conn->server;
    struct http_request *req = conn->reading;
    http_peers_identify(server->peers, &conn->peer, req);
    exchange_new(conn, req);
    conn->reading = NULL;
    conn->phase = WORKING;
    long max = server->hooks.head(req, server->hooks.arg);
    if (max < 0)
        return; /* answered; req may be gone */
    conn->reading = req;
    conn->phase = READING;
    http_parse_body(&conn->parse, (size_t)max < server->limits.body_max ? (size_t)max : server->limits.body_max);
    bool waiting = evbuffer_get_length(bufferevent_get_input(conn->bev)) == 0;
    if (conn->parse.phase == HTTP_PARSE_BODY && conn->parse.expects_continue && waiting)
        bufferevent_write(conn->bev, CONTINUE, sizeof CONTINUE - 1);
}

/* Reads on in what has arrived. Returns false when there is nothing. */
static bool connection_step(struct connection *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t n = evbuffer_get_contiguous_space(input);
    if (n == 0)
        return false;
    if (conn->reading == NULL)
        begin_request(conn);
    evbuffer_drain(input, http_parse_feed(&conn->parse, bytes_from(evbuffer_pullup(input, (ev_ssize_t)n), n)));
    if (conn->parse.phase == HTTP_PARSE_HEAD_DONE)
        end_head(conn);
    if (conn->reading != NULL && conn->parse.phase == HTTP_PARSE_DONE)
        end_body(conn);
    else if (conn->reading != NULL && conn->parse.phase == HTTP_PARSE_BREACH)
        connection_breach(conn, conn->parse.status, conn->parse.what);
    return true;
}

/* The last reply has left: shuts our side and waits for the peer to do the same. */
static void connection_linger(struct connection *conn)
{
    conn->phase = LINGERING;
    if (conn->eof || shutdown(bufferevent_getfd(conn->bev), SHUT_WR) != 0) {
        talloc_free(conn);
        return;
    }
    discard_input(conn);
    set_deadline(conn, WAIT_LINGER, conn->server->limits.linger_ms);
}

static void await_request(struct connection *conn)
{
    const struct http_limits *limits = &conn->server->limits;
    bool started = conn->reading != NULL && http_parse_started(&conn->parse);
    if (!started)
        set_deadline(conn, WAIT_IDLE, conn->server->draining ? limits->drain_idle_ms : limits->idle_ms);
    else if (conn->parse.phase == HTTP_PARSE_HEAD)
        set_deadline(conn, WAIT_HEAD, limits->head_ms);
    else
        set_deadline(conn, WAIT_BODY, limits->body_ms);
}

/* Nothing more can be done now: what is to be waited for? May free the connection. */
static void connection_settle(struct connection *conn)
{
    bool input = evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0;
    bool started = conn->reading != NULL && http_parse_started(&conn->parse);
    if (conn->phase == READING && conn->eof && !input) {
        if (started)
            connection_breach(conn, 400, "request ended early");
        else
            conn->phase = FLUSHING;
    }
    if (conn->phase == READING) {
        await_request(conn);
        return;
    }
    set_deadline(conn, WAIT_NONE, 0);
    if (conn->phase == FLUSHING && evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0)
        connection_linger(conn);
}

/* Goes as far as it can. May free the connection. */
static void connection_run(struct connection *conn)
{
    if (conn->running)
        return;
    conn->running = true;
    struct evbuffer *output = bufferevent_get_output(conn->bev);
    unsigned begun = 0;
    while (conn->phase == READING && evbuffer_get_length(output) < REPLIES_AHEAD) {
        if (conn->reading == NULL && begun++ == conn->server->limits.pipelined_max) {
            bufferevent_trigger(conn->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
            break; /* let the others have their turn */
        }
        if (!connection_step(conn))
            break;
    }
    conn->running = false;
    connection_settle(conn);
}

static void on_input(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct connection *conn = arg;
    if (conn->phase == FLUSHING || conn->phase == LINGERING)
        discard_input(conn);
    else
        connection_run(conn);
}

static void on_output_empty(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct connection *conn = arg;
    if (conn->phase == READING || conn->phase == FLUSHING)
        connection_run(conn);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct connection *conn = arg;
    bool ended = (what & BEV_EVENT_EOF) != 0 && conn->phase != LINGERING;
    if (!ended) {
        talloc_free(conn); /* broken, a peer that takes nothing, or the end of lingering */
        return;
    }
    conn->eof = true;
    connection_run(conn);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct connection *conn = arg;
    enum wait wait = conn->wait;
    conn->wait = WAIT_NONE;
    if (wait == WAIT_HEAD || wait == WAIT_BODY) {
        connection_breach(conn, 408, wait == WAIT_HEAD ? "request head too slow" : "request body too slow");
        connection_settle(conn);
    } else if (wait != WAIT_NONE) {
        talloc_free(conn);
    }
}

static void connection_new(struct http_server *server, evutil_socket_t fd, const struct sockaddr *address)
{
    struct connection *conn = mem_new(server, struct connection);
    struct timeval write_timeout = milliseconds(server->limits.write_ms);
    conn->server = server;
    conn->peer = http_peer_of(address);
    conn->bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    conn->deadline = evtimer_new(server->base, on_deadline, conn);
    assert(conn->bev != NULL && conn->deadline != NULL);
    LIST_INSERT_HEAD(&server->connections, conn, link);
    server->connection_count++;
    talloc_set_destructor(conn, connection_destroy);
    bufferevent_setcb(conn->bev, on_input, on_output_empty, on_event, conn);
    bufferevent_set_timeouts(conn->bev, NULL, &write_timeout);
    bufferevent_setwatermark(conn->bev, EV_READ, 0, READ_AHEAD);
    bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
    connection_settle(conn);
}

/* ---- listeners ---- */

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len, void *arg)
{
    (void)listener, (void)len;
    struct http_server *server = arg;
    int one = 1;
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connection_new(server, fd, address);
    if (server->connection_count >= server->limits.connections_max)
        set_accepting(server, false); /* until one ends; the kernel's queue holds the rest */
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
    if (server->listener_count == LISTENERS_MAX || evutil_make_socket_nonblocking(fd) != 0)
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

/* ---- the whole ---- */

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
    struct connection *conn;
    struct exchange *exchange;
    close_listeners(server);
    while ((conn = LIST_FIRST(&server->connections)) != NULL)
        talloc_free(conn);
    while ((exchange = LIST_FIRST(&server->exchanges)) != NULL) {
        LIST_REMOVE(exchange, link);
        exchange->server = NULL;
    }
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
    server->parse_limits = (struct http_parse_limits){
        .line_max = server->limits.line_max, .head_max = server->limits.head_max, .fields_max = server->limits.fields_max};
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
    struct connection *conn;
    LIST_FOREACH(conn, &server->connections, link) {
        if (conn->wait == WAIT_IDLE) {
            conn->wait = WAIT_NONE;
            await_request(conn);
        }
    }
    check_drained(server);
}

unsigned http_connections(const struct http_server *server)
{
    return server->connection_count;
}

uint64_t http_accept_failures(const struct http_server *server)
{
    return server->accept_failures;
}

void http_reply(struct http_request *req, int status, const char *content_type, struct bytes body)
{
    struct exchange *exchange = req->connection;
    struct http_server *server = exchange == NULL ? NULL : exchange->server;
    struct connection *conn = exchange == NULL ? NULL : exchange->conn;
    if (server != NULL && server->hooks.finished != NULL)
        server->hooks.finished(req, status, body.len, server->hooks.arg);
    if (conn != NULL) {
        struct http_reply_head head = {.status = status, .content_type = content_type, .fields = req->reply_fields,
                                       .field_count = req->reply_field_count,
                                       .close = exchange->close || exchange->body_unread};
        send_reply(conn, &head, req->method != HTTP_HEAD, body);
    }
    if (server != NULL)
        exchange_end(exchange);
    talloc_free(req);
    if (conn != NULL)
        connection_run(conn);
}
