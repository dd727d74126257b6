#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static const char *server_name = "partita";
static enum log_level lowest_level = LOG_LEVEL_INFO;

void log_setup(const char *name, enum log_level lowest)
{
    server_name = name;
    lowest_level = lowest;
}

static void add_json(struct buf *line, const char *s)
{
    buf_add_char(line, '"');
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            buf_add_char(line, '\\');
            buf_add_char(line, *s);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(line, "\\u%04x", c);
        } else {
            buf_add_char(line, *s);
        }
    }
    buf_add_char(line, '"');
}

static void add_pair(struct buf *line, const char *key, const char *value)
{
    if (value == NULL)
        return;
    buf_add_char(line, ',');
    add_json(line, key);
    buf_add_char(line, ':');
    add_json(line, value);
}

void log_time(char ret[LOG_TIME_SIZE])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(ret, LOG_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ret + len, LOG_TIME_SIZE - len, ".%03ldZ", now.tv_nsec / 1000000);
}

void log_event(enum log_level level, const char *event, const char *request_id, const struct trace *trace, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    if (level < lowest_level)
        return;
    void *ctx = mem_root("log line");
    struct buf line = buf_make(ctx);
    char now[LOG_TIME_SIZE];
    log_time(now);
    buf_printf(&line, "{\"time\":\"%s\"", now);
    add_pair(&line, "level", names[level]);
    add_pair(&line, "server", server_name);
    add_pair(&line, "request_id", request_id);
    add_pair(&line, "trace_id", trace == NULL ? NULL : trace->trace_id);
    add_pair(&line, "span_id", trace == NULL ? NULL : trace->span_id);
    add_pair(&line, "event", event);
    va_list args;
    va_start(args, trace);
    for (const char *key; (key = va_arg(args, const char *)) != NULL;)
        add_pair(&line, key, va_arg(args, const char *));
    va_end(args);
    buf_add(&line, "}\n");
    ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written; /* nowhere left to report it */
    talloc_free(ctx);
}
