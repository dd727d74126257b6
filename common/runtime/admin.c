#include "runtime/admin.h"

#include "base/buf.h"
#include "runtime/metrics.h"

static struct admin admin;

void admin_setup(const struct admin *given)
{
    admin = *given;
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

static void add_store(struct buf *out, enum kv_env env)
{
    struct kv_stats stats;
    if (kv_stats(admin.kv, env, &stats) != OP_OK)
        return;
    const struct {
        const char *name;
        unsigned long long value;
    } rows[] = {{"map_bytes", stats.map_bytes},     {"used_bytes", stats.used_bytes},
                {"commits_total", stats.commits},   {"works_total", stats.works},
                {"full_total", stats.full_errors},  {"queue_length", stats.queue_length},
                {"readers", stats.readers}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        buf_printf(out, "partita_store_%s{env=\"%s\"} %llu\n", rows[i].name, kv_env_name(env), rows[i].value);
}

static void metrics(struct http_request *req)
{
    struct buf out = buf_make(req);
    buf_printf(&out, "# TYPE partita_ready gauge\npartita_ready %d\n", admin.not_ready() == NULL ? 1 : 0);
    buf_printf(&out, "# TYPE partita_build_info gauge\npartita_build_info{version=\"%s\"} 1\n", PARTITA_VERSION);
    buf_printf(&out, "# TYPE partita_connections gauge\npartita_connections %u\n", http_connections(admin.http));
    buf_printf(&out, "# TYPE partita_accept_failures_total counter\npartita_accept_failures_total %llu\n",
               (unsigned long long)http_accept_failures(admin.http));
    for (size_t i = 0; i < admin.store_count; i++)
        add_store(&out, admin.stores[i].env);
    buf_add(&out, metrics_text(req));
    http_set_field(req, "Cache-Control", "no-store");
    http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", buf_bytes(&out));
}

const struct route ADMIN_ROUTES[ADMIN_ROUTE_COUNT] = {
    {HTTP_GET, "/.live", live, 0, CALLER_BEARER, CORS_NONE},
    {HTTP_GET, "/.ready", ready, 0, CALLER_BEARER, CORS_NONE},
    {HTTP_GET, "/.metrics", metrics, 0, CALLER_BEARER, CORS_NONE},
};
