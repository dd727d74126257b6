#include "runtime/admin.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "runtime/metrics.h"

static struct admin admin;
static int64_t started_at;

void admin_setup(const struct admin *given)
{
    admin = *given;
    started_at = clock_now();
}

static void send_text(struct http_request *req, int status, const char *text)
{
    http_set_field(req, "Cache-Control", "no-store");
    http_reply(req, status, "text/plain; charset=utf-8", bytes_of(text));
}

static void live(struct http_request *req)
{
    send_text(req, 200, "alive\n");
}

static void ready(struct http_request *req)
{
    const char *why_not = admin.not_ready();
    if (why_not == NULL) {
        send_text(req, 200, "ready\n");
        return;
    }
    http_set_field(req, "Retry-After", "1");
    send_text(req, 503, mem_printf(req, "not ready: %s\n", why_not));
}

static void add_metric(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Memory of this process's own, in bytes; 0 where the kernel does not tell. */
static unsigned long long pss_anon(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "Pss_Anon: %llu kB", &kib) != 1)
        continue;
    fclose(file);
    return kib * 1024;
}

static void add_process(struct buf *out)
{
    add_metric(out, "partita_start_time_seconds", "gauge", "When this process started, in seconds since 1970 UTC.");
    buf_printf(out, "partita_start_time_seconds %lld\n", (long long)started_at);
    add_metric(out, "partita_memory_pss_anon_bytes", "gauge", "Memory that is this process's alone.");
    buf_printf(out, "partita_memory_pss_anon_bytes %llu\n", pss_anon());
    add_metric(out, "partita_ready", "gauge", "1 when requests can be answered, as /.ready says.");
    buf_printf(out, "partita_ready %d\n", admin.not_ready() == NULL ? 1 : 0);
    add_metric(out, "partita_build_info", "gauge", "Always 1, with the version that runs.");
    buf_printf(out, "partita_build_info{version=\"%s\"} 1\n", PARTITA_VERSION);
    add_metric(out, "partita_connections", "gauge", "Connections that are open.");
    buf_printf(out, "partita_connections %u\n", http_connections(admin.http));
    add_metric(out, "partita_accept_failures_total", "counter", "Connections that could not be accepted.");
    buf_printf(out, "partita_accept_failures_total %llu\n", (unsigned long long)http_accept_failures(admin.http));
}

/* A metric's lines stand together, so each is a loop over the environments. */
static const struct {
    const char *name, *type, *help;
    size_t at;
} STORE_METRICS[] = {
    {"partita_store_map_bytes", "gauge", "How large the environment can grow.", offsetof(struct kv_stats, map_bytes)},
    {"partita_store_used_bytes", "gauge", "How much of it is used.", offsetof(struct kv_stats, used_bytes)},
    {"partita_store_readers", "gauge", "Reader slots that are taken, by all processes.",
     offsetof(struct kv_stats, readers)},
    {"partita_store_queue_length", "gauge", "Writes that wait in this process.",
     offsetof(struct kv_stats, queue_length)},
    {"partita_store_works_total", "counter", "Writes done by this process.", offsetof(struct kv_stats, works)},
    {"partita_store_commits_total", "counter", "Commits that they shared.", offsetof(struct kv_stats, commits)},
    {"partita_store_full_total", "counter", "Writes refused because the environment or its disk was full.",
     offsetof(struct kv_stats, full_errors)},
};

static void add_stores(struct buf *out, const void *ctx)
{
    struct kv_stats *stats = mem_array(ctx, struct kv_stats, admin.store_count);
    bool *known = mem_array(ctx, bool, admin.store_count);
    for (size_t i = 0; i < admin.store_count; i++)
        known[i] = kv_stats(admin.kv, admin.stores[i].env, &stats[i]) == OP_OK;
    for (size_t m = 0; m < sizeof STORE_METRICS / sizeof *STORE_METRICS; m++) {
        add_metric(out, STORE_METRICS[m].name, STORE_METRICS[m].type, STORE_METRICS[m].help);
        for (size_t i = 0; i < admin.store_count; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&stats[i] + STORE_METRICS[m].at, sizeof value);
            if (known[i])
                buf_printf(out, "%s{env=\"%s\"} %llu\n", STORE_METRICS[m].name, kv_env_name(admin.stores[i].env),
                           (unsigned long long)value);
        }
    }
}

static void metrics(struct http_request *req)
{
    struct buf out = buf_make(req);
    add_process(&out);
    add_stores(&out, req);
    buf_add(&out, metrics_text(req));
    http_set_field(req, "Cache-Control", "no-store");
    http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", buf_bytes(&out));
}

static void self_test(struct http_request *req)
{
    const char *why = admin.self_test(req);
    if (why == NULL)
        send_text(req, 200, "passed\n");
    else
        send_text(req, 503, mem_printf(req, "failed: %s\n", why));
}

const struct route ADMIN_ROUTES[ADMIN_ROUTE_COUNT + ADMIN_ONLY_ROUTE_COUNT] = {
    {HTTP_GET, "/.live", live, 0, CALLER_OPERATOR, CORS_NONE, "200 while the process runs."},
    {HTTP_GET, "/.ready", ready, 0, CALLER_OPERATOR, CORS_NONE,
     "200 when requests can be answered, else 503 and why not."},
    {HTTP_GET, "/.metrics", metrics, 0, CALLER_OPERATOR, CORS_NONE, "Counters and histograms for Prometheus."},
    {HTTP_GET, "/.self-test", self_test, 0, CALLER_OPERATOR, CORS_NONE,
     "On the --admin socket only: 200 when every environment could be read and, where this server signs, a token was "
     "signed and verified."},
};
