#include "runtime/http_connection.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "runtime/http_peer.h"
#include "runtime/http_reply.h"

enum {
    READ_AHEAD = 16384,    /* bytes taken from a socket before they are looked at */
    REPLIES_AHEAD = 65536, /* bytes of replies a peer has not taken; no further request is begun above */
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

struct http_connection {
    struct http_server *server;
    LIST_ENTRY(http_connection) link;
    struct bufferevent *bev;
    struct event *deadline;
    enum phase phase;
    enum wait wait;
    unsigned answered; /* requests */
    bool running; /* inside connection_run */
    bool eof;     /* the peer sends nothing more; it may still read */
    struct http_peer peer;
    struct http_parse parse;
    struct http_request *reading;   /* begun, not yet handed over */
    struct http_exchange *exchange; /* of the request at hand, from its head to its reply */
};

/* Ties a request to its connection and server, either of which may go first. */
struct http_exchange {
    LIST_ENTRY(http_exchange) link;
    struct http_server *server;
    struct http_connection *conn;
    bool close; /* by the request's wish */
    bool body_unread;
};

static void connection_run(struct http_connection *conn);

static struct http_exchange *exchange_new(struct http_connection *conn, struct http_request *req)
{
    struct http_exchange *exchange = mem_new(req, struct http_exchange);
    exchange->server = conn->server;
    exchange->conn = conn;
    exchange->close = conn->parse.close;
    exchange->body_unread = http_parse_has_body(&conn->parse);
    LIST_INSERT_HEAD(&conn->server->exchanges, exchange, link);
    conn->server->stats.requests++;
    conn->exchange = exchange;
    req->connection = exchange;
    return exchange;
}

static void exchange_end(struct http_exchange *exchange)
{
    LIST_REMOVE(exchange, link);
    exchange->server->stats.requests--;
    if (exchange->conn != NULL)
        exchange->conn->exchange = NULL;
    http_ended(exchange->server);
}

/* The end of a connection, whoever frees it. */
static int connection_destroy(struct http_connection *conn)
{
    struct http_server *server = conn->server;
    struct http_exchange *exchange = conn->exchange;
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
    http_ended(server);
    return 0;
}

static void set_deadline(struct http_connection *conn, enum wait wait, unsigned ms)
{
    if (conn->wait == wait)
        return;
    conn->wait = wait;
    struct timeval in = http_milliseconds(ms);
    if (wait == WAIT_NONE)
        event_del(conn->deadline);
    else
        event_add(conn->deadline, &in);
}

/* Requests carry passwords, codes and tokens: nothing of them stays behind in the buffers of the socket. */
static void wipe_and_drain(struct evbuffer *input, size_t len)
{
    size_t left = len;
    while (left > 0) {
        struct evbuffer_iovec part;
        if (evbuffer_peek(input, -1, NULL, &part, 1) < 1)
            break;
        size_t n = part.iov_len < left ? part.iov_len : left;
        mem_wipe(part.iov_base, n);
        evbuffer_drain(input, n);
        left -= n;
    }
}

static void discard_input(struct http_connection *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    wipe_and_drain(input, evbuffer_get_length(input));
}

/* Writes at once what the socket takes, which spares the loop a turn; the rest waits in the buffer, and an
 * error comes back from there. */
static void transmit(struct http_connection *conn, struct bytes head, struct bytes body)
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

/* It has answered as many requests as one connection may have, and none waits behind them. */
static bool has_served(struct http_connection *conn)
{
    return ++conn->answered >= conn->server->limits.requests_max && evbuffer_get_length(bufferevent_get_input(conn->bev)) == 0;
}

/* Sends a reply; after the last one of a connection nothing more is read from it. */
static void send_reply(struct http_connection *conn, struct http_reply_head *head, bool with_content, struct bytes body)
{
    struct buf *out = &conn->server->head;
    out->len = 0;
    head->close = has_served(conn) || head->close || conn->server->draining;
    head->content_length = body.len;
    http_reply_write_head(out, head);
    if (!with_content || !http_reply_has_content(head->status))
        body.len = 0;
    transmit(conn, buf_bytes(out), body);
    mem_wipe(out->data, out->len);
    conn->phase = head->close ? FLUSHING : READING;
}

/* Answers what cannot be read, and closes. */
static void connection_breach(struct http_connection *conn, int status, const char *what)
{
    struct http_server *server = conn->server;
    struct http_reply_head head = {.status = status, .content_type = "text/plain; charset=utf-8", .close = true};
    struct http_request *req = conn->reading;
    bool identified = req != NULL && req->client_address != NULL;
    if (server->hooks.breach != NULL)
        server->hooks.breach(identified ? req : NULL, status, what, identified ? req->client_address : conn->peer.text, server->hooks.arg);
    char *text = mem_printf(conn, "%d %s: %s\n", status, http_reply_reason(status), what);
    send_reply(conn, &head, req == NULL || req->method != HTTP_HEAD, bytes_of(text));
    talloc_free(text);
    if (conn->exchange != NULL)
        exchange_end(conn->exchange);
    talloc_free(conn->reading);
    conn->reading = NULL;
    discard_input(conn);
}

static void begin_request(struct http_connection *conn)
{
    conn->reading = mem_new(NULL, struct http_request);
    talloc_set_name_const(conn->reading, "http_request");
    conn->reading->started_us = clock_monotonic_us();
    http_parse_begin(&conn->parse, conn->reading, &conn->server->parse_limits);
    conn->wait = WAIT_NONE; /* each request has its own deadlines; one that is left over is ignored */
}

/* The whole request is here: hands it over. */
static void end_body(struct http_connection *conn)
{
    struct http_request *req = conn->reading;
    conn->reading = NULL;
    conn->exchange->body_unread = false;
    conn->phase = WORKING;
    conn->server->hooks.request(req, conn->server->hooks.arg);
}

static void end_head(struct http_connection *conn)
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
static bool connection_step(struct http_connection *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t n = evbuffer_get_contiguous_space(input);
    if (n == 0)
        return false;
    if (conn->reading == NULL)
        begin_request(conn);
    wipe_and_drain(input, http_parse_feed(&conn->parse, bytes_from(evbuffer_pullup(input, (ev_ssize_t)n), n)));
    if (conn->parse.phase == HTTP_PARSE_HEAD_DONE)
        end_head(conn);
    if (conn->reading != NULL && conn->parse.phase == HTTP_PARSE_DONE)
        end_body(conn);
    else if (conn->reading != NULL && conn->parse.phase == HTTP_PARSE_BREACH)
        connection_breach(conn, conn->parse.status, conn->parse.what);
    return true;
}

/* The last reply has left: shuts our side and waits for the peer to do the same. */
static void connection_linger(struct http_connection *conn)
{
    conn->phase = LINGERING;
    if (conn->eof || shutdown(bufferevent_getfd(conn->bev), SHUT_WR) != 0) {
        talloc_free(conn);
        return;
    }
    discard_input(conn);
    set_deadline(conn, WAIT_LINGER, conn->server->limits.linger_ms);
}

static void await_request(struct http_connection *conn)
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
static void connection_settle(struct http_connection *conn)
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
static void connection_run(struct http_connection *conn)
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
    struct http_connection *conn = arg;
    if (conn->phase == FLUSHING || conn->phase == LINGERING)
        discard_input(conn);
    else
        connection_run(conn);
}

static void on_output_empty(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct http_connection *conn = arg;
    if (conn->phase == READING || conn->phase == FLUSHING)
        connection_run(conn);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct http_connection *conn = arg;
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
    struct http_connection *conn = arg;
    enum wait wait = conn->wait;
    conn->wait = WAIT_NONE;
    if (wait == WAIT_HEAD || wait == WAIT_BODY) {
        connection_breach(conn, 408, wait == WAIT_HEAD ? "request head too slow" : "request body too slow");
        connection_settle(conn);
    } else if (wait != WAIT_NONE) {
        talloc_free(conn);
    }
}

void http_connection_new(struct http_server *server, int fd, const struct sockaddr *address)
{
    struct http_connection *conn = mem_new(server, struct http_connection);
    struct timeval write_timeout = http_milliseconds(server->limits.write_ms);
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

void http_connections_drain(struct http_server *server)
{
    struct http_connection *conn;
    LIST_FOREACH(conn, &server->connections, link) {
        if (conn->wait == WAIT_IDLE) {
            conn->wait = WAIT_NONE;
            await_request(conn);
        }
    }
}

void http_connections_end(struct http_server *server)
{
    struct http_connection *conn;
    struct http_exchange *exchange;
    while ((conn = LIST_FIRST(&server->connections)) != NULL)
        talloc_free(conn);
    while ((exchange = LIST_FIRST(&server->exchanges)) != NULL) {
        LIST_REMOVE(exchange, link);
        exchange->server = NULL;
    }
}

void http_reply(struct http_request *req, int status, const char *content_type, struct bytes body)
{
    struct http_exchange *exchange = req->connection;
    struct http_server *server = exchange == NULL ? NULL : exchange->server;
    struct http_connection *conn = exchange == NULL ? NULL : exchange->conn;
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
