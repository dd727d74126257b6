#pragma once
/* URIs (RFC 3986), as much as redirect URIs, issuers and origins need. Nothing blocks. */
#include "base/buf.h"
#include "base/err.h"

struct uri {
    const char *scheme;   /* lower case */
    const char *host;     /* lower case; IPv6 without brackets; NULL without an authority */
    int port;             /* -1 when absent */
    const char *path;     /* as written, "" when absent */
    const char *query;    /* as written, NULL when absent */
    bool has_fragment;
    bool has_userinfo;
    bool host_is_ipv6;
};

/* Parses an absolute URI into strings owned by ctx. OP_INVALID: not one by the grammar, characters
 * outside it, a port over 65535, an address literal that is not IPv6; for http and https also no
 * host or one with percent escapes. OP_TOO_LARGE: over 2048 bytes. */
must_check enum op_err uri_parse(const void *ctx, const char *text, struct uri *ret);

/* scheme://host[:port], the default port left out (RFC 6454 §6.2). OP_INVALID: not http or https. */
must_check enum op_err uri_origin(const void *ctx, const char *text, char **ret);

/* 127.0.0.0/8, ::1 or localhost (and names below it). */
bool uri_host_is_loopback(const char *host);

/* base with name=value pairs appended to its query (its own query is kept); owned by ctx.
 * encoded is already form-encoded. */
char *uri_with_query(const void *ctx, const char *base, const char *encoded);
/* The same in the fragment. */
char *uri_with_fragment(const void *ctx, const char *base, const char *encoded);
