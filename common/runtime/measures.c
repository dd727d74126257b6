#include "runtime/measures.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "data/records.h"
#include "runtime/audit.h"
#include "runtime/version.h"

static const struct admin *admin;
static int64_t started_at;
static struct http_stats sockets;
static struct kv_stats stores[KV_ENV_COUNT];
static bool is_open[KV_ENV_COUNT];

void measures_setup(const struct admin *given)
{
    admin = given;
    started_at = clock_now();
    metrics_declare(MEASURES, MEASURES_COUNT);
}

void measures_take(void)
{
    sockets = http_stats(admin->http);
    for (size_t i = 0; i < admin->store_count; i++) {
        enum kv_env env = admin->stores[i].env;
        is_open[env] = kv_stats(admin->kv, env, &stores[env]) == OP_OK;
    }
}

/* --- the process --- */

static void build_info(struct metric_samples *to)
{
    char labels[256];
    void *scratch = mem_root("build_info");
    snprintf(labels, sizeof labels, "version=\"%s\",build=\"%s\",records=\"%d\"", PARTITA_VERSION,
             version_build(scratch), RECORDS_FORMAT);
    metric_add(to, labels, 1);
    talloc_free(scratch);
}

static bool start_time(uint64_t *ret)
{
    *ret = (uint64_t)started_at;
    return true;
}

static bool ready(uint64_t *ret)
{
    *ret = admin->not_ready() == NULL;
    return true;
}

static bool draining(uint64_t *ret)
{
    *ret = admin->draining();
    return true;
}

static bool pss_anon(uint64_t *ret)
{
    char line[128];
    unsigned long long kib;
    bool found = false;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "Pss_Anon: %llu kB", &kib) == 1;
    fclose(file);
    if (found)
        *ret = kib * 1024;
    return found;
}

static void cpu_time(struct metric_samples *to)
{
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0)
        metric_add_microseconds(to, "", (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

/* --- its sockets --- */

static bool connections(uint64_t *ret)
{
    *ret = sockets.connections;
    return true;
}

static bool connections_limit(uint64_t *ret)
{
    *ret = sockets.connections_max;
    return true;
}

static bool requests_waiting(uint64_t *ret)
{
    *ret = sockets.requests;
    return true;
}

static void connections_accepted(struct metric_samples *to)
{
    metric_add(to, "", sockets.accepted);
}

static void connections_refused(struct metric_samples *to)
{
    metric_add(to, "reason=\"limit\"", sockets.full);
    metric_add(to, "reason=\"resources\"", sockets.accept_failures);
}

/* --- its audit trail --- */

static void audit_lines(struct metric_samples *to)
{
    struct audit_counts counts = audit_counts();
    metric_add(to, "outcome=\"written\"", counts.written);
    metric_add(to, "outcome=\"lost\"", counts.lost);
    metric_add(to, "outcome=\"left_out\"", counts.left_out);
}

/* --- its environments --- */

static const char *env_label(char text[64], size_t env)
{
    snprintf(text, 64, "env=\"%s\"", kv_env_name((enum kv_env)env));
    return text;
}

static void add_values(struct metric_samples *to, bool of_readers)
{
    char label[64];
    uint64_t value;
    for (size_t env = 0; env < KV_ENV_COUNT; env++) {
        if (!is_open[env] || !(of_readers || stores[env].writes))
            continue;
        memcpy(&value, (const char *)&stores[env] + metric_of(to)->at, sizeof value);
        metric_add(to, env_label(label, env), value);
    }
}

static void of_stores(struct metric_samples *to)
{
    add_values(to, true);
}

static void of_writers(struct metric_samples *to)
{
    add_values(to, false);
}

static void of_histograms(struct metric_samples *to)
{
    char label[64];
    struct histogram histogram;
    for (size_t env = 0; env < KV_ENV_COUNT; env++) {
        if (!is_open[env] || !stores[env].writes)
            continue;
        memcpy(&histogram, (const char *)&stores[env] + metric_of(to)->at, sizeof histogram);
        metric_add_histogram(to, env_label(label, env), &histogram);
    }
}

static void troubles(struct metric_samples *to)
{
    char labels[96];
    for (size_t env = 0; env < KV_ENV_COUNT; env++) {
        if (!is_open[env] || !stores[env].writes)
            continue;
        const char *name = kv_env_name((enum kv_env)env);
        snprintf(labels, sizeof labels, "env=\"%s\",trouble=\"full\"", name);
        metric_add(to, labels, stores[env].is_full);
        snprintf(labels, sizeof labels, "env=\"%s\",trouble=\"broken\"", name);
        metric_add(to, labels, stores[env].is_broken);
        snprintf(labels, sizeof labels, "env=\"%s\",trouble=\"tampered\"", name);
        metric_add(to, labels, stores[env].is_tampered);
    }
}

#define VALUE(n, h, f) {.name = (n), .help = (h), .value = (f)}
#define SAMPLES(n, h, f, k, l) {.name = (n), .help = (h), .samples = (f), .kind = (k), .labels = (l)}
#define STORE(n, h, f, k, member)                                                                                      \
    {.name = (n), .help = (h), .samples = (f), .kind = (k), .labels = "env", .at = offsetof(struct kv_stats, member)}

const struct metric MEASURES[MEASURES_COUNT] = {
    SAMPLES("partita_build_info", "Always 1: the version that runs, its build id and the format of its records.",
            build_info, METRIC_GAUGE, "version, build, records"),
    VALUE("partita_start_time_seconds", "When this process started, in seconds since 1970 UTC.", start_time),
    VALUE("partita_ready", "1 when requests can be answered, as /.ready says.", ready),
    VALUE("partita_draining", "1 once the process was told to end.", draining),
    VALUE("partita_memory_pss_anon_bytes", "Memory that is this process's alone (Pss_Anon).", pss_anon),
    SAMPLES("partita_cpu_seconds_total", "Processor time spent; one process serves on one core.", cpu_time, METRIC_COUNTER,
            NULL),
    VALUE("partita_connections", "Connections that are open.", connections),
    VALUE("partita_connections_limit", "How many may be (connections_max, or what descriptors allow).", connections_limit),
    SAMPLES("partita_connections_accepted_total", "Connections accepted.", connections_accepted, METRIC_COUNTER, NULL),
    SAMPLES("partita_connections_refused_total",
            "Times that no more connections were accepted for a while: at the limit, or for want of resources "
            "(descriptors, memory). Who connects meanwhile waits in the socket's queue.",
            connections_refused, METRIC_COUNTER, "reason"),
    VALUE("partita_requests_waiting", "Requests whose head has arrived and whose answer has not left.", requests_waiting),
    SAMPLES("partita_requests_total", "Requests answered, by endpoint, status and the error that the answer named.",
            metrics_add_requests, METRIC_COUNTER, "endpoint, status, error"),
    SAMPLES("partita_request_duration_seconds", "From a request's first byte to its answer.", metrics_add_durations,
            METRIC_HISTOGRAM, "endpoint"),
    SAMPLES("partita_audit_lines_total",
            "Lines of the audit trail: written, lost (they could not be written), or left_out (beyond audit_failures a "
            "minute).",
            audit_lines, METRIC_COUNTER, "outcome"),
    STORE("partita_store_map_bytes", "How large the environment can grow.", of_stores, METRIC_GAUGE, map_bytes),
    STORE("partita_store_size_bytes", "How large it has grown: pages in use and free ones.", of_stores, METRIC_GAUGE,
          size_bytes),
    STORE("partita_store_used_bytes", "How much of it is in use.", of_stores, METRIC_GAUGE, used_bytes),
    STORE("partita_store_used_pages", "Pages in use.", of_stores, METRIC_GAUGE, used_pages),
    STORE("partita_store_free_pages", "Free pages among those that were in use once.", of_stores, METRIC_GAUGE, free_pages),
    STORE("partita_store_readers", "Reader slots that are taken, by all processes.", of_stores, METRIC_GAUGE, readers),
    STORE("partita_store_readers_limit", "How many there are.", of_stores, METRIC_GAUGE, readers_max),
    STORE("partita_store_queue_length", "Writes that wait in this process.", of_writers, METRIC_GAUGE, queue_length),
    STORE("partita_store_queue_limit", "How many may wait; more are refused.", of_writers, METRIC_GAUGE, queue_max),
    STORE("partita_store_works_total", "Writes done by this process.", of_writers, METRIC_COUNTER, works),
    STORE("partita_store_commits_total", "Commits that they shared.", of_writers, METRIC_COUNTER, commits),
    STORE("partita_store_commit_failures_total", "Commits that failed: nothing of them was written.", of_writers,
          METRIC_COUNTER, failed_commits),
    STORE("partita_store_batch_works", "Writes that shared one commit.", of_histograms, METRIC_HISTOGRAM, batch_sizes),
    STORE("partita_store_commit_duration_seconds", "How long a commit took, until it was on disk.", of_histograms,
          METRIC_HISTOGRAM, commit_us),
    STORE("partita_store_full_total", "Batches refused because the environment or its disk was full.", of_writers,
          METRIC_COUNTER, full_errors),
    STORE("partita_store_busy_total", "Writes refused because they waited too long, or too many waited.", of_writers,
          METRIC_COUNTER, busy_errors),
    SAMPLES("partita_store_trouble",
            "1 while it lasts: full, broken (writing fails) or tampered (its files were changed by something else: "
            "writing has stopped).",
            troubles, METRIC_GAUGE, "env, trouble"),
};
