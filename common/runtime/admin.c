#include "runtime/admin.h"

#include "runtime/measures.h"

static struct admin admin;

void admin_setup(const struct admin *given)
{
    admin = *given;
    measures_setup(&admin);
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

static void metrics(struct http_request *req)
{
    measures_take();
    http_set_field(req, "Cache-Control", "no-store");
    http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", bytes_of(metrics_text(req)));
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
