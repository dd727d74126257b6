#pragma once
/* A JSON document for everyone: ETag, Cache-Control, 304. */
#include "runtime/http.h"

struct document {
    const char *body;
    const char *etag; /* strong, quoted */
};

/* body is kept, not copied; the ETag is owned by ctx. */
struct document document_make(const void *ctx, const char *body);

/* RFC 9110 §13.1.2: If-None-Match lists etag (compared weakly) or is "*". Pure. */
bool document_is_known(const char *if_none_match, const char *etag);

/* How long it may be kept, in seconds: by who asked for it, and by a cache that answers many (s-maxage, RFC 9111
 * §5.2.2.10), which has the new one soon after a key was withdrawn. */
struct document_life {
    int64_t max_age, shared_max_age;
};

/* The value of Cache-Control, owned by ctx; a shared cache never keeps it for longer than the others. Pure. */
const char *document_cache_control(const void *ctx, struct document_life life);

/* Frees req. */
void document_reply(struct http_request *req, const struct document *document, struct document_life life);
