#pragma once
/* ROUTES: which handler has which path, what it admits, and CORS, decided before the body is read. */
#include "runtime/http.h"
#include "store/kv.h"

/* Who may call: for errors and documentation; handlers authenticate. */
enum route_caller {
    CALLER_NOBODY,   /* no program: people with a browser, whose errors are pages */
    CALLER_CLIENT,   /* a client that authenticates, as it is registered */
    CALLER_BEARER,   /* who sends a bearer token */
    CALLER_ANYONE,   /* any program, unauthenticated */
    CALLER_ADMINISTRATOR, /* a client to which the operator gave power over a noun */
    CALLER_OPERATOR, /* who reaches the socket itself, behind the balancer */
};
enum route_cors {
    CORS_NONE,
    CORS_ANYONE,         /* Access-Control-Allow-Origin: * */
    CORS_CLIENT_ORIGINS, /* the origins of registered redirect URIs; needs the clients environment */
};

struct route {
    unsigned methods;    /* HTTP_GET | HTTP_POST ...; HEAD comes with GET; OPTIONS is answered here */
    const char *path;    /* exact; a segment "{NAME}" matches any one, a last "*" any one or more */
    void (*handle)(struct http_request *req);
    size_t body_max;     /* bytes */
    enum route_caller caller;
    enum route_cors cors;
    const char *what; /* one sentence for --help and the documentation, with the specification it is from */
};

/* Several rows may have one path, each with methods of its own; their cors is the same. */
struct route_table {
    const struct route *routes;
    size_t count;
    const char *prefix; /* the path of the issuer, "" for none: left out of req->path before routes are compared */
    struct kv *kv;
    void (*not_found)(struct http_request *req, int status);
};

/* What happens to a request, by the table alone. */
struct route_plan {
    const struct route *route; /* the row of this path and method, or any row of this path; NULL: none has the path */
    int status;                /* 0: the row's handler; 204: OPTIONS, of "*" too; 404; 405 */
    unsigned allowed;          /* methods of the path, HEAD and OPTIONS among them */
};
/* path without the prefix, where it starts with it. Points into path. */
const char *route_path(const char *prefix, const char *path);
struct route_plan route_decide(const struct route *routes, size_t count, enum http_method method, const char *path);

/* What stands in path, which matches pattern, at the segment {name}: decoded, owned by ctx. NULL: no such segment, or
 * it is not well-formed (a bad escape, a NUL, not UTF-8). */
char *route_parameter(const void *ctx, const char *pattern, const char *path, const char *name);

/* The CORS fields of a reply (Fetch standard §3.2). origin_known matters for CORS_CLIENT_ORIGINS only. */
struct route_cors_plan {
    const char *allow_origin; /* NULL: no CORS field */
    bool vary;                /* Vary: Origin */
    bool preflight;           /* answer with methods and fields, too */
};
struct route_cors_plan route_cors_decide(enum route_cors cors, enum http_method method, const char *origin,
                                         bool origin_known, bool asks_method);

/* "clients; pages at the origins of redirect URIs", for documentation. Static. */
const char *route_caller_text(enum route_caller caller);
const char *route_cors_text(enum route_cors cors);

/* "GET, HEAD, OPTIONS", owned by ctx. */
char *route_methods_text(const void *ctx, unsigned methods);

/* The head and request hooks of http.h; arg is the struct route_table. kv may be NULL where no route
 * is CORS_CLIENT_ORIGINS. Unknown path 404, wrong method 405 with Allow, body over body_max 413; as
 * JSON {error, error_description} for all but CALLER_NOBODY (a 413 only where the length was
 * announced: one that shows while chunks arrive is plain text from http.c); `not_found` (may be NULL: JSON
 * too) renders the 404 and 405 of the rest as a page. Never with credentials. */
long route_head(struct http_request *req, void *table);
void route_request(struct http_request *req, void *table);
/* The path of the route a request matched, for metrics; "other" when none. */
const char *route_label(const struct http_request *req);
