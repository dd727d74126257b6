#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/metrics.h"

static int forget(void **state)
{
    (void)state;
    metrics_reset();
    return 0;
}

static void has_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *p = text; (p = strstr(p, line)) != NULL; p++)
        if ((p == text || p[-1] == '\n') && p[len] == '\n')
            return;
    fail_msg("\"%s\" is not in:\n%s", line, text);
}

static void requests_are_counted_by_endpoint_status_and_error(void **state)
{
    (void)state;
    metrics_request("/token", 200, NULL, 800);
    metrics_request("/token", 200, NULL, 1000);
    metrics_request("/token", 400, "invalid_grant", 1001);
    metrics_request("/userinfo", 200, NULL, 10000000);
    void *ctx = mem_root("test");
    char *text = metrics_text(ctx);
    has_line(text, "partita_requests_total{endpoint=\"/token\",status=\"200\",error=\"\"} 2");
    has_line(text, "partita_requests_total{endpoint=\"/token\",status=\"400\",error=\"invalid_grant\"} 1");
    has_line(text, "partita_requests_total{endpoint=\"/userinfo\",status=\"200\",error=\"\"} 1");
    talloc_free(ctx);
}

static void latencies_fall_into_cumulative_buckets(void **state)
{
    (void)state;
    metrics_request("/token", 200, NULL, 800);
    metrics_request("/token", 200, NULL, 1000);
    metrics_request("/token", 400, "invalid_grant", 1001);
    metrics_request("/token", 200, NULL, 10000000);
    void *ctx = mem_root("test");
    char *text = metrics_text(ctx);
    has_line(text, "partita_request_duration_seconds_bucket{endpoint=\"/token\",le=\"0.0005\"} 0");
    has_line(text, "partita_request_duration_seconds_bucket{endpoint=\"/token\",le=\"0.001\"} 2");
    has_line(text, "partita_request_duration_seconds_bucket{endpoint=\"/token\",le=\"0.0025\"} 3");
    has_line(text, "partita_request_duration_seconds_bucket{endpoint=\"/token\",le=\"2.5\"} 3");
    has_line(text, "partita_request_duration_seconds_bucket{endpoint=\"/token\",le=\"+Inf\"} 4");
    has_line(text, "partita_request_duration_seconds_sum{endpoint=\"/token\"} 10.002801");
    has_line(text, "partita_request_duration_seconds_count{endpoint=\"/token\"} 4");
    talloc_free(ctx);
}

static void counters_add_up(void **state)
{
    (void)state;
    metrics_count("partita_passwords_verified_total", 1);
    metrics_count("partita_codes_total", 5);
    metrics_count("partita_passwords_verified_total", 2);
    void *ctx = mem_root("test");
    char *text = metrics_text(ctx);
    has_line(text, "# TYPE partita_passwords_verified_total counter");
    has_line(text, "partita_passwords_verified_total 3");
    has_line(text, "partita_codes_total 5");
    talloc_free(ctx);
}

static void nothing_counted_is_an_empty_text(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    assert_string_equal(metrics_text(ctx), "");
    talloc_free(ctx);
}

static void what_was_declared_shows_before_it_is_counted(void **state)
{
    (void)state;
    static const struct metric TABLE[] = {{"partita_codes_total", "Codes."}, {"partita_tokens_total", "Tokens."}};
    metrics_count("partita_tokens_total", 2);
    metrics_declare(TABLE, 2);
    void *ctx = mem_root("test");
    char *text = metrics_text(ctx);
    has_line(text, "# HELP partita_codes_total Codes.\n# TYPE partita_codes_total counter\npartita_codes_total 0");
    has_line(text, "# HELP partita_tokens_total Tokens.\n# TYPE partita_tokens_total counter\npartita_tokens_total 2");
    metrics_count("partita_codes_total", 1);
    has_line(metrics_text(ctx), "partita_codes_total 1");
    talloc_free(ctx);
}

static bool is_there;

static bool depth(uint64_t *ret)
{
    *ret = 7;
    return is_there;
}

static void a_gauge_is_asked_whenever_it_is_looked_at(void **state)
{
    (void)state;
    static const struct metric TABLE[] = {{"partita_depth", "How deep.", depth}};
    void *ctx = mem_root("test");
    metrics_declare(TABLE, 1);
    assert_null(strstr(metrics_text(ctx), "partita_depth")); /* it cannot be had now */
    is_there = true;
    has_line(metrics_text(ctx), "# HELP partita_depth How deep.\n# TYPE partita_depth gauge\npartita_depth 7");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_counted_is_an_empty_text, forget),
        cmocka_unit_test_setup(requests_are_counted_by_endpoint_status_and_error, forget),
        cmocka_unit_test_setup(latencies_fall_into_cumulative_buckets, forget),
        cmocka_unit_test_setup(counters_add_up, forget),
        cmocka_unit_test_setup(what_was_declared_shows_before_it_is_counted, forget),
        cmocka_unit_test_setup(a_gauge_is_asked_whenever_it_is_looked_at, forget),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
