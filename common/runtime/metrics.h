#pragma once
/* Metrics of this process, as Prometheus text (served at /.metrics): tables of what there is, and counters for what
 * happens. For the event loop's thread only. Nothing blocks. */
#include "base/histogram.h"
#include "base/mem.h"

/* A request was answered. endpoint and error are static or long-lived strings of a small set, never what somebody sent;
 * error is NULL when there is none to name. */
void metrics_request(const char *endpoint, int status, const char *error, int64_t microseconds);

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric_samples; /* where the samples of one metric go */

/* One metric: what it is called, and one sentence on what it says. With neither of the functions it is a counter
 * (metrics_count). */
struct metric {
    const char *name;
    const char *help;
    bool (*value)(uint64_t *ret); /* a gauge, asked for whenever the text is made; false: it cannot be had now */
    void (*samples)(struct metric_samples *to); /* adds them all, whenever the text is made; none: it is not shown */
    enum metric_kind kind;  /* of samples */
    const char *labels;     /* of samples, for the documentation: "env, state"; NULL: none */
    size_t at;              /* for samples that are told apart by it */
};
const char *metric_kind_name(const struct metric *metric); /* "counter" and so on */

/* For `samples`: whose samples they are. */
const struct metric *metric_of(const struct metric_samples *to);
/* Adds one. labels is text that needs no escaping, env="codes",state="full", or "" for none. */
void metric_add(struct metric_samples *to, const char *labels, uint64_t value);
void metric_add_microseconds(struct metric_samples *to, const char *labels, uint64_t microseconds); /* as seconds */
void metric_add_histogram(struct metric_samples *to, const char *labels, const struct histogram *histogram);

/* What metrics_request counted, for `samples` of the two metrics that tell it. */
void metrics_add_requests(struct metric_samples *to);
void metrics_add_durations(struct metric_samples *to);

/* Shows these from now on, in this order, counters at 0 until something is counted: what has not happened yet is told
 * from what is not counted. The table is static. */
void metrics_declare(const struct metric *table, size_t count);
/* Adds to a counter: metrics_count("partita_tokens_revoked_total", 1). It is shown once it is declared, before or
 * after. The name is static. */
void metrics_count(const char *name, uint64_t by);
/* Everything that was declared, owned by ctx. */
char *metrics_text(const void *ctx);
/* Forgets everything, for tests. */
void metrics_reset(void);
