#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

struct buf buf_make(const void *ctx)
{
    return (struct buf){.ctx = ctx};
}

void buf_add_bytes(struct buf *buf, struct bytes bytes)
{
    size_t needed = buf->len + bytes.len + 1;
    if (needed > buf->capacity) {
        size_t capacity = buf->capacity == 0 ? 128 : buf->capacity;
        while (capacity < needed)
            capacity *= 2;
        char *grown = mem_array(buf->ctx, char, capacity);
        if (buf->len != 0)
            memcpy(grown, buf->data, buf->len);
        mem_wipe(buf->data, buf->len); /* what was a request or a reply may hold secrets */
        talloc_free(buf->data);
        buf->data = grown;
        buf->capacity = capacity;
    }
    if (bytes.len != 0)
        memcpy(buf->data + buf->len, bytes.data, bytes.len);
    buf->len += bytes.len;
    buf->data[buf->len] = '\0';
}

void buf_add(struct buf *buf, const char *s)
{
    buf_add_bytes(buf, bytes_of(s));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add_bytes(buf, bytes_from(&c, 1));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *s = talloc_vasprintf(buf->ctx, format, args);
    va_end(args);
    if (s == NULL)
        s = mem_strdup(buf->ctx, ""); /* aborts when memory is out */
    buf_add(buf, s);
    talloc_free(s);
}

static const char *html_escape(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void buf_add_html(struct buf *buf, const char *s)
{
    for (; *s != '\0'; s++) {
        const char *escaped = html_escape(*s);
        if (escaped != NULL)
            buf_add(buf, escaped);
        else
            buf_add_char(buf, *s);
    }
}

struct bytes buf_bytes(const struct buf *buf)
{
    return bytes_from(buf->data, buf->len);
}

char *buf_string(struct buf *buf)
{
    if (buf->data == NULL)
        buf_add(buf, "");
    return buf->data;
}
