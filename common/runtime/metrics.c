#include "runtime/metrics.h"

#include <string.h>

#include "base/buf.h"

/* Upper bounds in microseconds. */
static const int64_t BUCKETS[] = {250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,
                                  2500000};
enum { BUCKET_COUNT = sizeof BUCKETS / sizeof *BUCKETS };

struct requests {
    const char *endpoint;
    int status;
    const char *error; /* "" for none */
    uint64_t count;
};

struct latency {
    const char *endpoint;
    uint64_t buckets[BUCKET_COUNT + 1];
    uint64_t microseconds;
    uint64_t count;
};

struct counter {
    const char *name;
    const char *help; /* NULL: never declared */
    bool (*gauge)(uint64_t *ret);
    uint64_t value;
};

static struct requests *requests;
static struct latency *latencies;
static struct counter *counters;
static size_t requests_count, latencies_count, counters_count;

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

static struct latency *latency_of(const char *endpoint)
{
    for (size_t i = 0; i < latencies_count; i++)
        if (strcmp(latencies[i].endpoint, endpoint) == 0)
            return &latencies[i];
    latencies = mem_grow(NULL, latencies, struct latency, latencies_count + 1);
    latencies[latencies_count] = (struct latency){.endpoint = endpoint};
    return &latencies[latencies_count++];
}

void metrics_request(const char *endpoint, int status, const char *error, int64_t microseconds)
{
    requests_of(endpoint, status, error == NULL ? "" : error)->count++;
    struct latency *latency = latency_of(endpoint);
    size_t bucket = 0;
    while (bucket < BUCKET_COUNT && microseconds > BUCKETS[bucket])
        bucket++;
    latency->buckets[bucket]++;
    latency->microseconds += (uint64_t)(microseconds < 0 ? 0 : microseconds);
    latency->count++;
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

void metrics_declare(const struct metric *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct counter *counter = counter_of(table[i].name);
        counter->help = table[i].help;
        counter->gauge = table[i].value;
    }
}

void metrics_count(const char *name, uint64_t by)
{
    counter_of(name)->value += by;
}

static void add_latency(struct buf *out, const struct latency *l)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        sum += l->buckets[i];
        buf_printf(out, "partita_request_duration_seconds_bucket{endpoint=\"%s\",le=\"%g\"} %llu\n", l->endpoint,
                   (double)BUCKETS[i] / 1e6, (unsigned long long)sum);
    }
    buf_printf(out, "partita_request_duration_seconds_bucket{endpoint=\"%s\",le=\"+Inf\"} %llu\n", l->endpoint,
               (unsigned long long)l->count);
    buf_printf(out, "partita_request_duration_seconds_sum{endpoint=\"%s\"} %.6f\n", l->endpoint,
               (double)l->microseconds / 1e6);
    buf_printf(out, "partita_request_duration_seconds_count{endpoint=\"%s\"} %llu\n", l->endpoint,
               (unsigned long long)l->count);
}

static void add_counter(struct buf *out, const struct counter *counter)
{
    uint64_t value = counter->value;
    if (counter->gauge != NULL && !counter->gauge(&value))
        return;
    if (counter->help != NULL)
        buf_printf(out, "# HELP %s %s\n", counter->name, counter->help);
    buf_printf(out, "# TYPE %s %s\n%s %llu\n", counter->name, counter->gauge == NULL ? "counter" : "gauge",
               counter->name, (unsigned long long)value);
}

char *metrics_text(const void *ctx)
{
    struct buf out = buf_make(ctx);
    if (requests_count != 0)
        buf_add(&out, "# HELP partita_requests_total Requests answered.\n# TYPE partita_requests_total counter\n");
    for (size_t i = 0; i < requests_count; i++)
        buf_printf(&out, "partita_requests_total{endpoint=\"%s\",status=\"%d\",error=\"%s\"} %llu\n",
                   requests[i].endpoint, requests[i].status, requests[i].error, (unsigned long long)requests[i].count);
    if (latencies_count != 0)
        buf_add(&out, "# HELP partita_request_duration_seconds From a request's first byte to its reply.\n"
                      "# TYPE partita_request_duration_seconds histogram\n");
    for (size_t i = 0; i < latencies_count; i++)
        add_latency(&out, &latencies[i]);
    for (size_t i = 0; i < counters_count; i++)
        add_counter(&out, &counters[i]);
    return buf_string(&out);
}

void metrics_reset(void)
{
    talloc_free(requests);
    talloc_free(latencies);
    talloc_free(counters);
    requests = NULL;
    latencies = NULL;
    counters = NULL;
    requests_count = latencies_count = counters_count = 0;
}
