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

/* Frees req. */
void document_reply(struct http_request *req, const struct document *document, int64_t max_age);
