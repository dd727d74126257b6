#include "runtime/metrics.h"

#include <string.h>

#include "base/buf.h"

struct requests {
    const char *endpoint;
    int status;
    const char *error; /* "" for none */
    uint64_t count;
};

struct duration {
    const char *endpoint;
    struct histogram histogram;
};

struct counter {
    const char *name;
    uint64_t value;
};

struct metric_samples {
    const struct metric *metric;
    struct buf *out;
    bool some;
};

static struct requests *requests;
static struct duration *durations;
static struct counter *counters;
static const struct metric **declared;
static size_t requests_count, durations_count, counters_count, declared_count;

/* --- counting --- */

static struct requests *requests_of(const char *endpoint, int status, const char *error)
{
    for (size_t i = 0; i < requests_count; i++)
        if (requests[i].status == status && strcmp(requests[i].endpoint, endpoint) == 0 &&
            strcmp(requests[i].error, error) == 0)
            return &requests[i];
    requests = mem_grow(NULL, requests, struct requests, requests_count + 1);
    requests[requests_count] = (struct requests){endpoint, status, error, 0};
    return &requests[requests_count++];
}

static struct histogram *duration_of(const char *endpoint)
{
    for (size_t i = 0; i < durations_count; i++)
        if (strcmp(durations[i].endpoint, endpoint) == 0)
            return &durations[i].histogram;
    durations = mem_grow(NULL, durations, struct duration, durations_count + 1);
    durations[durations_count] = (struct duration){endpoint, histogram_make(&HISTOGRAM_TIMES)};
    return &durations[durations_count++].histogram;
}

void metrics_request(const char *endpoint, int status, const char *error, int64_t microseconds)
{
    requests_of(endpoint, status, error == NULL ? "" : error)->count++;
    histogram_add(duration_of(endpoint), microseconds < 0 ? 0 : (uint64_t)microseconds);
}

static struct counter *counter_of(const char *name)
{
    for (size_t i = 0; i < counters_count; i++)
        if (strcmp(counters[i].name, name) == 0)
            return &counters[i];
    counters = mem_grow(NULL, counters, struct counter, counters_count + 1);
    counters[counters_count] = (struct counter){.name = name};
    return &counters[counters_count++];
}

void metrics_count(const char *name, uint64_t by)
{
    counter_of(name)->value += by;
}

/* --- the text --- */

const char *metric_kind_name(const struct metric *metric)
{
    static const char *const NAMES[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    return NAMES[metric->value != NULL ? METRIC_GAUGE : metric->kind];
}

const struct metric *metric_of(const struct metric_samples *to)
{
    return to->metric;
}

/* The first sample brings the metric's heading. */
static struct buf *next_sample(struct metric_samples *to)
{
    const struct metric *metric = to->metric;
    if (!to->some)
        buf_printf(to->out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                   metric_kind_name(metric));
    to->some = true;
    return to->out;
}

static void add_labels(struct buf *out, const char *labels)
{
    if (*labels != '\0')
        buf_printf(out, "{%s}", labels);
}

void metric_add(struct metric_samples *to, const char *labels, uint64_t value)
{
    struct buf *out = next_sample(to);
    buf_add(out, to->metric->name);
    add_labels(out, labels);
    buf_printf(out, " %llu\n", (unsigned long long)value);
}

void metric_add_microseconds(struct metric_samples *to, const char *labels, uint64_t microseconds)
{
    struct buf *out = next_sample(to);
    buf_add(out, to->metric->name);
    add_labels(out, labels);
    buf_printf(out, " %.6f\n", (double)microseconds / 1e6);
}

void metric_add_histogram(struct metric_samples *to, const char *labels, const struct histogram *histogram)
{
    struct buf *out = next_sample(to);
    const struct histogram_scale *scale = histogram->scale;
    const char *name = to->metric->name, *comma = *labels == '\0' ? "" : ",";
    uint64_t below = 0;
    for (size_t i = 0; i < scale->count; i++) {
        below += histogram->counts[i];
        buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, labels, comma,
                   (double)scale->bounds[i] / (double)scale->divisor, (unsigned long long)below);
    }
    buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %llu\n%s_sum", name, labels, comma,
               (unsigned long long)histogram->count, name);
    add_labels(out, labels);
    if (scale->divisor == 1)
        buf_printf(out, " %llu\n%s_count", (unsigned long long)histogram->sum, name);
    else
        buf_printf(out, " %.6f\n%s_count", (double)histogram->sum / (double)scale->divisor, name);
    add_labels(out, labels);
    buf_printf(out, " %llu\n", (unsigned long long)histogram->count);
}

void metrics_add_requests(struct metric_samples *to)
{
    for (size_t i = 0; i < requests_count; i++) {
        char *labels = mem_printf(to->out->ctx, "endpoint=\"%s\",status=\"%d\",error=\"%s\"", requests[i].endpoint,
                                  requests[i].status, requests[i].error);
        metric_add(to, labels, requests[i].count);
    }
}

void metrics_add_durations(struct metric_samples *to)
{
    for (size_t i = 0; i < durations_count; i++)
        metric_add_histogram(to, mem_printf(to->out->ctx, "endpoint=\"%s\"", durations[i].endpoint),
                             &durations[i].histogram);
}

static void add_metric(struct buf *out, const struct metric *metric)
{
    struct metric_samples to = {metric, out, false};
    uint64_t value;
    if (metric->samples != NULL)
        metric->samples(&to);
    else if (metric->value == NULL)
        metric_add(&to, "", counter_of(metric->name)->value);
    else if (metric->value(&value))
        metric_add(&to, "", value);
}

void metrics_declare(const struct metric *table, size_t count)
{
    if (count == 0)
        return;
    declared = mem_grow(NULL, declared, const struct metric *, declared_count + count);
    for (size_t i = 0; i < count; i++)
        declared[declared_count++] = &table[i];
}

char *metrics_text(const void *ctx)
{
    struct buf out = buf_make(ctx);
    for (size_t i = 0; i < declared_count; i++)
        add_metric(&out, declared[i]);
    return buf_string(&out);
}

void metrics_reset(void)
{
    talloc_free(requests);
    talloc_free(durations);
    talloc_free(counters);
    talloc_free(declared);
    requests = NULL;
    durations = NULL;
    counters = NULL;
    declared = NULL;
    requests_count = durations_count = counters_count = declared_count = 0;
}
