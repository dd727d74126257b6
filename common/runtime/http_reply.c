#include "runtime/http_reply.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {301, "Moved Permanently"}, {302, "Found"},
    {303, "See Other"}, {304, "Not Modified"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"},
    {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
    {406, "Not Acceptable"}, {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {412, "Precondition Failed"},
    {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {417, "Expectation Failed"},
    {422, "Unprocessable Content"}, {428, "Precondition Required"}, {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
    {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"},
};

const char *http_reply_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

bool http_reply_has_content(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void add_field(struct buf *out, const char *name, const char *value)
{
    buf_add(out, name);
    buf_add(out, ": ");
    buf_add(out, value);
    buf_add(out, "\r\n");
}

/* RFC 9110 §5.6.7, made once a second. */
static const char *date_now(void)
{
    static char text[sizeof "Sun, 06 Nov 1994 08:49:37 GMT"];
    static int64_t made;
    int64_t now = clock_now();
    if (now != made) {
        time_t seconds = (time_t)now;
        struct tm parts;
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &parts));
        made = now;
    }
    return text;
}

void http_reply_write_head(struct buf *out, const struct http_reply_head *head)
{
    char number[32];
    snprintf(number, sizeof number, "HTTP/1.1 %d ", head->status);
    buf_add(out, number);
    buf_add(out, http_reply_reason(head->status));
    buf_add(out, "\r\n");
    add_field(out, "Date", date_now());
    for (size_t i = 0; i < head->field_count; i++)
        add_field(out, head->fields[i].name, head->fields[i].value);
    if (http_reply_has_content(head->status)) {
        if (head->content_type != NULL)
            add_field(out, "Content-Type", head->content_type);
        snprintf(number, sizeof number, "%zu", head->content_length);
        add_field(out, "Content-Length", number);
    }
    if (head->close)
        add_field(out, "Connection", "close");
    buf_add(out, "\r\n");
}
