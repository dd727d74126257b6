#pragma once
/* Counters and latency histograms of this process, as Prometheus text (served at /.metrics on the
 * admin socket). */
#include "base/mem.h"

/* endpoint and error are static or long-lived strings of a small set; error is NULL for success. */
void metrics_request(const char *endpoint, int status, const char *error, int64_t microseconds);
/* Adds to a named counter: metrics_count("partita_passwords_verified_total", 1). */
void metrics_count(const char *name, uint64_t by);
char *metrics_text(const void *ctx);
