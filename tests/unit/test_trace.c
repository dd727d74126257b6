/* W3C Trace Context: which traceparent is gone on with, and what is said to whom we call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/trace.h"

#define ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"
#define ZERO8 "00000000"

static const struct {
    const char *text;
    bool good, sampled;
} ROWS[] = {
    /* 3.2.2: version 00 is exactly its four parts */
    {"00-" ID "-" PARENT "-01", true, true},
    {"00-" ID "-" PARENT "-00", true, false},
    {"00-" ID "-" PARENT "-01-", false, false},
    {"00-" ID "-" PARENT "-01-more", false, false},
    {"00-" ID "-" PARENT "-01x", false, false},
    {"00-" ID "-" PARENT "-01 ", false, false},
    {" 00-" ID "-" PARENT "-01", false, false},
    {"00-" ID "-" PARENT "-0", false, false},
    {"00-" ID "-" PARENT "-", false, false},
    {"00-" ID "-" PARENT, false, false},
    {"00-" ID, false, false},
    {"00", false, false},
    {"", false, false},
    {NULL, false, false},
    {"0-" ID "-" PARENT "-01", false, false},
    {"000-" ID "-" PARENT "-01", false, false},
    {"00_" ID "_" PARENT "_01", false, false},
    {"00-" ID "0-" PARENT "-01", false, false},
    {"00-" PARENT "-" ID "-01", false, false},
    /* HEXDIGLC: lower case only, in every part */
    {"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", false, false},
    {"00-" ID "-B7AD6B7169203331-01", false, false},
    {"00-" ID "-" PARENT "-0A", false, false},
    {"0A-" ID "-" PARENT "-01", false, false},
    {"00-" ID "-" PARENT "-0g", false, false},
    {"0x-" ID "-" PARENT "-01", false, false},
    {"00-0af7651916cd43dd8448eb211c80319.-" PARENT "-01", false, false},
    {"00-" ID "-b7ad6b716920333\xff-01", false, false},
    /* 3.2.2.3, 3.2.2.4: all bytes zero is forbidden */
    {"00-" ZERO8 ZERO8 ZERO8 ZERO8 "-" PARENT "-01", false, false},
    {"00-" ID "-" ZERO8 ZERO8 "-01", false, false},
    {"00-" ZERO8 ZERO8 ZERO8 "00000001-" PARENT "-01", true, true},
    {"00-" ID "-" ZERO8 "00000001-01", true, true},
    /* 3.2.2.1: version ff is forbidden */
    {"ff-" ID "-" PARENT "-01", false, false},
    {"ff-" ID "-" PARENT "-01-more", false, false},
    {"fe-" ID "-" PARENT "-01", true, true},
    /* 3.2.4: of a higher version the same parts, at the end of the string or followed by a dash */
    {"01-" ID "-" PARENT "-01", true, true},
    {"cc-" ID "-" PARENT "-00-what-the-future-brings", true, false},
    {"cc-" ID "-" PARENT "-01-", true, true},
    {"cc-" ID "-" PARENT "-01.what", false, false},
    {"cc-" ID "-" PARENT "-0", false, false},
    {"cc-" ID "-" PARENT, false, false},
    {"cc-" ZERO8 ZERO8 ZERO8 ZERO8 "-" PARENT "-01", false, false},
    /* 3.2.2.5: a bit field; of its flags we know one */
    {"00-" ID "-" PARENT "-09", true, true},
    {"00-" ID "-" PARENT "-ff", true, true},
    {"00-" ID "-" PARENT "-10", true, false},
    {"00-" ID "-" PARENT "-fe", true, false},
};

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdef") == len && strspn(text, "0") < len;
}

static void a_trace_is_gone_on_with_or_begun(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct trace trace;
        trace_go_on(ROWS[i].text, &trace);
        bool same = ROWS[i].good && strncmp(trace.trace_id, ROWS[i].text + 3, TRACE_ID_LEN) == 0;
        bool known = ROWS[i].text != NULL && strstr(ROWS[i].text, trace.trace_id) != NULL;
        if (same != ROWS[i].good || known != ROWS[i].good || trace.sampled != ROWS[i].sampled ||
            !is_hex(trace.trace_id, TRACE_ID_LEN) || !is_hex(trace.span_id, TRACE_SPAN_ID_LEN))
            fail_msg("row %zu: %s", i, ROWS[i].text);
    }
}

/* 3.5: parent-id is that of the present operation; 3.2.4: written as version 00; other flags are zero. */
static void whom_we_call_is_told(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct trace trace, other;
    trace_go_on("cc-" ID "-" PARENT "-ff-more", &trace);
    trace_go_on("00-" ID "-" PARENT "-00", &other);
    assert_string_not_equal(trace.span_id, PARENT);
    assert_string_not_equal(trace.span_id, other.span_id);
    assert_string_equal(trace_parent(ctx, &trace), mem_printf(ctx, "00-" ID "-%s-01", trace.span_id));
    assert_string_equal(trace_parent(ctx, &other), mem_printf(ctx, "00-" ID "-%s-00", other.span_id));
    talloc_free(ctx);
}

static void new_traces_differ(void **state)
{
    (void)state;
    struct trace one, two;
    trace_go_on(NULL, &one);
    trace_go_on(NULL, &two);
    assert_string_not_equal(one.trace_id, two.trace_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_is_gone_on_with_or_begun),
        cmocka_unit_test(whom_we_call_is_told),
        cmocka_unit_test(new_traces_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
