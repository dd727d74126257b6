#pragma once
/* Log lines: one JSON object per line on standard error. No secret, token, code, password or
 * e-mail address ever goes in. Library code never logs; handlers log once, server_run logs the rest. */
#include <stdint.h>

#include "base/trace.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* The server's name in every line, and the lowest level that is written. name must stay valid. */
void log_setup(const char *name, enum log_level lowest);

/* The present time as lines have it, 2026-11-21T15:04:05.678Z. */
enum { LOG_TIME_SIZE = 32 };
void log_time(char ret[LOG_TIME_SIZE]);

/* Writes one line. event is a stable word_with_underscores. request_id and trace may be NULL.
 * The rest are pairs of strings, key then value (a NULL value is left out), ended by a NULL key:
 * log_event(LOG_LEVEL_INFO, "started", NULL, NULL, "version", v, NULL). */
void log_event(enum log_level level, const char *event, const char *request_id, const struct trace *trace, ...)
    __attribute__((sentinel));
