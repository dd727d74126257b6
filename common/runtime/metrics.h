#pragma once
/* Counters and latency histograms of this process, as Prometheus text (served at /.metrics). For the
 * event loop's thread only. Nothing blocks. */
#include "base/mem.h"

/* endpoint and error are static or long-lived strings of a small set; error is NULL when there is none to name. */
void metrics_request(const char *endpoint, int status, const char *error, int64_t microseconds);
/* Adds to a named counter: metrics_count("partita_passwords_verified_total", 1). The name is static. */
void metrics_count(const char *name, uint64_t by);
/* Everything counted so far, owned by ctx. */
char *metrics_text(const void *ctx);
/* Forgets everything, for tests. */
void metrics_reset(void);
