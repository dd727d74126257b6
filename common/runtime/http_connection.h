#pragma once
/* The two halves of http.h: http.c has the listeners and the server's life, http_connection.c what
 * happens on one connection. Private to these two. */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "runtime/http_parse.h"

struct evconnlistener;
struct http_connection;
struct http_exchange;
struct http_peers;

enum { HTTP_LISTENERS_MAX = 16 };

struct http_server {
    struct event_base *base;
    struct http_limits limits;
    struct http_parse_limits parse_limits;
    struct http_hooks hooks;
    struct http_peers *peers;
    LIST_HEAD(, http_connection) connections;
    unsigned connection_count;
    LIST_HEAD(, http_exchange) exchanges; /* requests whose head was read and whose reply is not yet sent */
    struct buf head;                      /* of the reply being sent */
    struct http_stats stats;              /* but for its connections */
    bool draining;

    /* http.c only. */
    struct evconnlistener *listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    bool full;                  /* as many connections as may be: not accepting */
    struct event *accept_again; /* pending: not accepting, for want of descriptors */
    void (*drained)(void *arg);
    void *drained_arg;
    struct event *drained_later;
};

static inline struct timeval http_milliseconds(unsigned ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* Serves an accepted socket; owned by server. */
void http_connection_new(struct http_server *server, int fd, const struct sockaddr *address);
/* The server has begun to drain: the idle connections get their new deadline. */
void http_connections_drain(struct http_server *server);
/* Ends all connections; the requests in work stay, without a server. */
void http_connections_end(struct http_server *server);

/* In http.c: told after each end of a connection or of a request in work. */
void http_ended(struct http_server *server);
