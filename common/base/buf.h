#pragma once
/* A growing buffer of bytes, always NUL-terminated, owned by its context. Never blocks. */
#include "base/mem.h"

struct buf {
    char *data; /* NUL-terminated; NULL until the first byte is added */
    size_t len; /* bytes, without the NUL */
    size_t capacity;
    const void *ctx;
};

struct buf buf_make(const void *ctx);
void buf_add(struct buf *buf, const char *s);
void buf_add_bytes(struct buf *buf, struct bytes bytes);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds text as HTML text or attribute value: & < > " ' are escaped. */
void buf_add_html(struct buf *buf, const char *s);
struct bytes buf_bytes(const struct buf *buf);
/* The string, "" when nothing was added. Owned by the buffer's context. */
char *buf_string(struct buf *buf);
