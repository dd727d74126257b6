#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/num.h"
#include "base/rand.h"

static void numbers_are_digits_only(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t max; enum op_err err; uint64_t value; } rows[] = {
        {"0", 10, OP_OK, 0}, {"10", 10, OP_OK, 10}, {"11", 10, OP_TOO_LARGE, 0}, {"", 10, OP_INVALID, 0},
        {"+1", 10, OP_INVALID, 0}, {"-1", 10, OP_INVALID, 0}, {" 1", 10, OP_INVALID, 0}, {"1x", 10, OP_INVALID, 0},
        {"18446744073709551615", UINT64_MAX, OP_OK, UINT64_MAX}, {"18446744073709551616", UINT64_MAX, OP_TOO_LARGE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t value = 0;
        assert_int_equal(num_parse_u64(bytes_of(rows[i].text), rows[i].max, &value), rows[i].err);
        assert_true(value == rows[i].value);
    }
}

static void base64url_is_strict(void **state)
{
    (void)state;
    static const struct { const char *text; enum op_err err; const char *value; } rows[] = {
        {"", OP_OK, ""}, {"Zg", OP_OK, "f"}, {"Zm8", OP_OK, "fo"}, {"Zm9v", OP_OK, "foo"}, {"Zh", OP_INVALID, NULL},
        {"Z", OP_INVALID, NULL}, {"Zg==", OP_INVALID, NULL}, {"Zm+v", OP_INVALID, NULL}, {"Zm 9", OP_INVALID, NULL},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes out = {0};
        assert_int_equal(codec_from_base64url(ctx, bytes_of(rows[i].text), &out), rows[i].err);
        if (rows[i].err == OP_OK) {
            assert_true(bytes_equal(out, bytes_of(rows[i].value)));
            assert_string_equal(codec_base64url(ctx, out), rows[i].text);
        }
    }
    talloc_free(ctx);
}

static void html_is_escaped(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct buf buf = buf_make(ctx);
    buf_add_html(&buf, "<a href=\"x\" b='y'>&</a>");
    assert_string_equal(buf_string(&buf), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;&lt;/a&gt;");
    talloc_free(ctx);
}

static void random_tokens_differ(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *a = rand_token(ctx, 32), *b = rand_token(ctx, 32);
    assert_int_equal(strlen(a), 43);
    assert_string_not_equal(a, b);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_digits_only),
        cmocka_unit_test(base64url_is_strict),
        cmocka_unit_test(html_is_escaped),
        cmocka_unit_test(random_tokens_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
