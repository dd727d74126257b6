#pragma once
/* Counters and latency histograms of this process, as Prometheus text (served at /.metrics). For the
 * event loop's thread only. Nothing blocks. */
#include "base/mem.h"

/* endpoint and error are static or long-lived strings of a small set; error is NULL when there is none to name. */
void metrics_request(const char *endpoint, int status, const char *error, int64_t microseconds);
/* A server's own counter: "partita_tokens_revoked_total", and one sentence on what it counts. Or a gauge, whose value is
 * asked for whenever the text is made; false: it cannot be had now. */
struct metric {
    const char *name;
    const char *help;
    bool (*value)(uint64_t *ret); /* NULL: a counter */
};
/* Shows these counters from now on, at 0 until something is counted: what has not happened yet is told from what is not
 * counted. The table is static. */
void metrics_declare(const struct metric *table, size_t count);
/* Adds to a named counter, declared or not: metrics_count("partita_tokens_revoked_total", 1). The name is static. */
void metrics_count(const char *name, uint64_t by);
/* Everything counted so far, owned by ctx. */
char *metrics_text(const void *ctx);
/* Forgets everything, for tests. */
void metrics_reset(void);
