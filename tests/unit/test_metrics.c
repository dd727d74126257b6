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

static const struct metric REQUESTS[] = {
    {.name = "partita_requests_total", .help = "Requests.", .samples = metrics_add_requests, .kind = METRIC_COUNTER},
    {.name = "partita_request_duration_seconds", .help = "How long.", .samples = metrics_add_durations,
     .kind = METRIC_HISTOGRAM},
};

static void requests_are_counted_by_endpoint_status_and_error(void **state)
{
    (void)state;
    metrics_declare(REQUESTS, 2);
    metrics_request("/token", 200, NULL, 800);
    metrics_request("/token", 200, NULL, 1000);
    metrics_request("/token", 400, "invalid_grant", 1001);
    metrics_request("/userinfo", 200, NULL, 10000000);
    void *ctx = mem_root("test");
    char *text = metrics_text(ctx);
    has_line(text, "# HELP partita_requests_total Requests.\n# TYPE partita_requests_total counter");
    has_line(text, "partita_requests_total{endpoint=\"/token\",status=\"200\",error=\"\"} 2");
    has_line(text, "partita_requests_total{endpoint=\"/token\",status=\"400\",error=\"invalid_grant\"} 1");
    has_line(text, "partita_requests_total{endpoint=\"/userinfo\",status=\"200\",error=\"\"} 1");
    talloc_free(ctx);
}

static void latencies_fall_into_cumulative_buckets(void **state)
{
    (void)state;
    metrics_declare(REQUESTS, 2);
    static const int64_t took[] = {-5, 100, 101, 1000, 1001, 10000000, 10000001};
    for (size_t i = 0; i < sizeof took / sizeof *took; i++)
        metrics_request("/token", 200, NULL, took[i]);
    void *ctx = mem_root("test");
    char *text = metrics_text(ctx);
    has_line(text, "# HELP partita_request_duration_seconds How long.\n# TYPE partita_request_duration_seconds histogram");
    static const struct {
        const char *bound;
        unsigned count;
    } rows[] = {{"0.0001", 2}, {"0.00025", 3}, {"0.0005", 3}, {"0.001", 4}, {"0.0025", 5}, {"0.005", 5}, {"0.01", 5},
                {"0.025", 5}, {"0.05", 5}, {"0.1", 5}, {"0.25", 5}, {"0.5", 5}, {"1", 5}, {"2.5", 5}, {"5", 5},
                {"10", 6}, {"+Inf", 7}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        has_line(text, mem_printf(ctx, "partita_request_duration_seconds_bucket{endpoint=\"/token\",le=\"%s\"} %u",
                                  rows[i].bound, rows[i].count));
    has_line(text, "partita_request_duration_seconds_sum{endpoint=\"/token\"} 20.002203");
    has_line(text, "partita_request_duration_seconds_count{endpoint=\"/token\"} 7");
    talloc_free(ctx);
}

static void nothing_declared_is_an_empty_text(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    metrics_count("partita_codes_total", 1);
    metrics_request("/token", 200, NULL, 1);
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
    assert_string_equal(metrics_text(ctx), "# HELP partita_codes_total Codes.\n# TYPE partita_codes_total counter\n"
                                           "partita_codes_total 0\n"
                                           "# HELP partita_tokens_total Tokens.\n# TYPE partita_tokens_total counter\n"
                                           "partita_tokens_total 2\n");
    metrics_count("partita_codes_total", 1);
    metrics_count("partita_tokens_total", 5);
    has_line(metrics_text(ctx), "partita_codes_total 1");
    has_line(metrics_text(ctx), "partita_tokens_total 7");
    talloc_free(ctx);
}

static struct histogram sizes, times;

static void add_sizes(struct metric_samples *to)
{
    metric_add_histogram(to, "env=\"a\"", &sizes);
    metric_add_histogram(to, "", &times);
}

static void a_histogram_shows_its_own_unit(void **state)
{
    (void)state;
    static const struct metric TABLE[] = {
        {.name = "partita_size", .help = "Sizes.", .samples = add_sizes, .kind = METRIC_HISTOGRAM}};
    sizes = histogram_make(&HISTOGRAM_SIZES);
    times = histogram_make(&HISTOGRAM_TIMES);
    histogram_add(&sizes, 1);
    histogram_add(&sizes, 3);
    histogram_add(&sizes, 5000);
    histogram_add(&times, 1500);
    metrics_declare(TABLE, 1);
    void *ctx = mem_root("test");
    char *text = metrics_text(ctx);
    has_line(text, "partita_size_bucket{env=\"a\",le=\"1\"} 1");
    has_line(text, "partita_size_bucket{env=\"a\",le=\"2\"} 1");
    has_line(text, "partita_size_bucket{env=\"a\",le=\"4\"} 2");
    has_line(text, "partita_size_bucket{env=\"a\",le=\"4096\"} 2");
    has_line(text, "partita_size_bucket{env=\"a\",le=\"+Inf\"} 3");
    has_line(text, "partita_size_sum{env=\"a\"} 5004\npartita_size_count{env=\"a\"} 3");
    has_line(text, "partita_size_bucket{le=\"0.0025\"} 1");
    has_line(text, "partita_size_sum 0.001500\npartita_size_count 1");
    talloc_free(ctx);
}

static void add_nothing(struct metric_samples *to)
{
    (void)to;
}

static void add_two(struct metric_samples *to)
{
    assert_int_equal(metric_of(to)->at, 7);
    metric_add(to, "env=\"a\"", 1);
    metric_add_microseconds(to, "env=\"b\"", 1500000);
}

static void samples_stand_together_under_one_heading(void **state)
{
    (void)state;
    static const struct metric TABLE[] = {
        {.name = "partita_none", .help = "None.", .samples = add_nothing, .kind = METRIC_GAUGE},
        {.name = "partita_two", .help = "Two.", .samples = add_two, .kind = METRIC_GAUGE, .at = 7},
    };
    metrics_declare(TABLE, 2);
    void *ctx = mem_root("test");
    assert_string_equal(metrics_text(ctx), "# HELP partita_two Two.\n# TYPE partita_two gauge\n"
                                           "partita_two{env=\"a\"} 1\npartita_two{env=\"b\"} 1.500000\n");
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
        cmocka_unit_test_setup(nothing_declared_is_an_empty_text, forget),
        cmocka_unit_test_setup(requests_are_counted_by_endpoint_status_and_error, forget),
        cmocka_unit_test_setup(latencies_fall_into_cumulative_buckets, forget),
        cmocka_unit_test_setup(a_histogram_shows_its_own_unit, forget),
        cmocka_unit_test_setup(samples_stand_together_under_one_heading, forget),
        cmocka_unit_test_setup(what_was_declared_shows_before_it_is_counted, forget),
        cmocka_unit_test_setup(a_gauge_is_asked_whenever_it_is_looked_at, forget),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
