#pragma once
/* The bytes of a reply's head. Used by http_connection.c. */
#include "runtime/http.h"

struct http_reply_head {
    int status;
    const char *content_type; /* NULL: none */
    size_t content_length;
    const struct http_field *fields;
    size_t field_count;
    bool close;
};

/* True when a reply of this status has content (RFC 9110 §6.4.1). */
bool http_reply_has_content(int status);
/* Appends status line, fields, Date, Content-Length and Connection, and the empty line. */
void http_reply_write_head(struct buf *out, const struct http_reply_head *head);
/* The status' reason phrase, "" when unknown. */
const char *http_reply_reason(int status);
