#pragma once
/* HTTP/1.1, read strictly (RFC 9112), on libevent's listeners and bufferevents. The one home of
 * event2/listener.h. Everything runs on the event loop; nothing blocks.
 *
 * A request is a talloc root: everything that belongs to it hangs on it, and it is freed after its
 * reply was sent. Handlers may reply later (after a store commit); the peer may be gone by then, which
 * http_reply notices and the handler need not. Every request gets exactly one reply. */
#include <event2/event.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/trace.h"

enum http_method {
    HTTP_GET = 1, HTTP_HEAD = 2, HTTP_POST = 4, HTTP_PUT = 8, HTTP_PATCH = 16, HTTP_DELETE = 32, HTTP_OPTIONS = 64,
    HTTP_OTHER = 128,
};

struct http_field {
    const char *name;  /* lower case */
    const char *value; /* without surrounding white space */
};

struct http_request {
    enum http_method method;
    const char *path;            /* before '?', percent-encoding as sent, starts with '/'; or "*" of OPTIONS * */
    struct bytes query;          /* after '?', empty when absent */
    bool has_query;
    const struct http_field *fields;
    size_t field_count;
    struct bytes body;           /* whole, decoded from chunks */
    const char *client_address;  /* textual; from X-Forwarded-For only when the peer is a trusted proxy; "" unknown */
    const char *request_id;      /* made here, or a trusted proxy's X-Request-Id when it is 8..64 of [A-Za-z0-9._-] */
    const struct trace *trace;   /* of a trusted proxy's traceparent, or begun here */
    int64_t started_us;          /* clock_monotonic_us at its first byte */
    const void *route;           /* for route.c */
    const char *error;           /* static: the error code reply.c answered, for metrics and access log; NULL none */
    void *connection;            /* for http.c; NULL in a request made by a test: http_reply then only frees it */
    struct http_field *reply_fields; /* for http.c: what http_set_field collected */
    size_t reply_field_count;
};

/* The field's value, or NULL. With several of that name: the first (see http_field_count). */
const char *http_field(const struct http_request *req, const char *lower_case_name);
size_t http_field_count(const struct http_request *req, const char *lower_case_name);
/* The value of one cookie (RFC 6265 §5.4), owned by req; NULL when absent or sent more than once. */
const char *http_cookie(struct http_request *req, const char *name);
/* True when the body's media type is this one, whatever its parameters and case. */
bool http_content_type_is(const struct http_request *req, const char *media_type);

/* Collects one field of the reply; strings are copied. Control characters in value are a bug (assert). */
void http_set_field(struct http_request *req, const char *name, const char *value);
void http_set_fieldf(struct http_request *req, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sends the reply and frees req. body is copied. Content-Length, Date and, when needed, Connection
 * are added; a HEAD gets no body. Calls the finished hook first. */
void http_reply(struct http_request *req, int status, const char *content_type, struct bytes body);

struct http_limits {
    size_t line_max;          /* request line, bytes with CRLF; 0 takes the default, as everywhere here: 8192 */
    size_t head_max;          /* all field lines, bytes with CRLF; 16384 */
    size_t fields_max;        /* 100 */
    size_t body_max;          /* the largest any route may allow, bytes; 65536 */
    unsigned pipelined_max;   /* requests of one connection begun in one turn of the loop, then others get theirs; one
                                 is in work at a time, at most 16 KiB of those behind it are read ahead; 16 */
    unsigned connections_max; /* at this many accepting stops until one ends; lowered to the descriptor limit less 128;
                                 1024 */
    unsigned head_ms;         /* from the first byte of a head to its end; 10000 */
    unsigned body_ms;         /* from the head's end to the body's; 20000 */
    unsigned idle_ms;         /* between requests of one connection; 65000 */
    unsigned write_ms;        /* a peer that takes nothing; 20000 */
    unsigned requests_max;    /* of one connection; the reply to the last says Connection: close, unless more have come
                                 already. So a balancer that never lets go of connections finds new instances; 100 */
    unsigned drain_idle_ms;   /* while draining, an idle connection stays this long; 7000 */
    unsigned linger_ms;       /* after the last reply, for the peer to close its side; 2000 */
};

struct http_server;

struct http_hooks {
    /* The head has been read, the body not: returns the body limit in bytes for this request, or
     * replies itself (an error before the body is sent) and returns -1; where a body was announced the
     * connection then closes. req->route may be set. */
    long (*head)(struct http_request *req, void *arg);
    /* The whole request is here. */
    void (*request)(struct http_request *req, void *arg);
    /* Just before the reply leaves: for metrics and the access log. status, body bytes. */
    void (*finished)(const struct http_request *req, int status, size_t bytes, void *arg);
    /* A breach of framing is answered with status (400, 408, 413, 414, 417, 431, 501, 505) and the connection
     * closed. It has no finished call. req is NULL when its head was not read. */
    void (*breach)(const struct http_request *req, int status, const char *what, const char *client_address, void *arg);
    void *arg;
};

/* Owned by ctx; freeing it closes everything (requests in work stay, their replies go nowhere). trusted
 * is a list of addresses, networks, "unix"; what http_trusted_check() refuses is trusted by nobody.
 * base should have been made with EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST. SIGPIPE is set to be ignored. */
struct http_server *http_new(const void *ctx, struct event_base *base, const struct http_limits *limits,
                             const struct http_hooks *hooks, char *const *trusted, size_t trusted_count);
/* For the CONF table: NULL, or what is wrong with a list of trusted proxies (static text). */
const char *http_trusted_check(const char *text);
/* Takes over a listening stream socket (TCP or Unix; made non-blocking). OP_INVALID: it is none. */
must_check enum op_err http_listen_fd(struct http_server *server, int fd);
/* Stops accepting; accepted connections are served on, each next reply says Connection: close, idle
 * ones are closed after drain_idle_ms. drained is called when none is left. */
void http_drain(struct http_server *server, void (*drained)(void *arg), void *arg);

/* What monitoring wants to know. */
struct http_stats {
    unsigned connections, connections_max; /* open; how many may be */
    unsigned requests;         /* whose head has been read, and whose reply has not been sent */
    uint64_t accepted;         /* connections */
    uint64_t full;             /* how often accepting was paused because there were connections_max */
    uint64_t accept_failures;  /* and for 100 ms, for want of descriptors or memory */
};
struct http_stats http_stats(const struct http_server *server);
