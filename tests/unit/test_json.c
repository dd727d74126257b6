#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/json.h"

static void text_is_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum op_err err;
    } rows[] = {
        {"{}", OP_OK},
        {" {\"a\": [1, true, null, \"x\"]} ", OP_OK},
        {"\"text\"", OP_OK},
        {"12", OP_OK},
        {"", OP_INVALID},
        {" ", OP_INVALID},
        {"{", OP_INVALID},
        {"{} {}", OP_INVALID},
        {"{}x", OP_INVALID},
        {"{\"a\":1,\"a\":2}", OP_INVALID},
        {"{\"a\":1,\"\\u0061\":2}", OP_INVALID},
        {"{\"b\":{\"a\":1,\"a\":1}}", OP_INVALID},
        {"{\"a\":1,}", OP_INVALID},
        {"{a:1}", OP_INVALID},
        {"{'a':1}", OP_INVALID},
        {"[01]", OP_INVALID},
        {"[1.]", OP_INVALID},
        {"[NaN]", OP_INVALID},
        {"[1e999]", OP_INVALID},
        {"[99999999999999999999]", OP_INVALID},
        {"[\"\\u0000\"]", OP_INVALID},
        {"[\"\\ud800\"]", OP_INVALID},
        {"[\"\xff\"]", OP_INVALID},
        {"[\"\xc0\x80\"]", OP_INVALID},
        {"[\"a\nb\"]", OP_INVALID},
        {"[\"\\ud83d\\udd11\"]", OP_OK},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *value = NULL;
        assert_int_equal(json_read(ctx, bytes_of(rows[i].text), &value), rows[i].err);
        assert_true((value != NULL) == (rows[i].err == OP_OK));
    }
    json_t *value;
    assert_int_equal(json_read(ctx, bytes_from("[1]\0", 4), &value), OP_INVALID);
    assert_int_equal(json_read(ctx, bytes_from(NULL, 0), &value), OP_INVALID);
    talloc_free(ctx);
}

static enum op_err read_nested(void *ctx, size_t depth)
{
    char *text = mem_array(ctx, char, 2 * depth + 1);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    json_t *value;
    return json_read(ctx, bytes_of(text), &value);
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    json_t *value;
    assert_int_equal(read_nested(ctx, 32), OP_OK);
    assert_int_equal(read_nested(ctx, 33), OP_TOO_LARGE);
    assert_int_equal(read_nested(ctx, 100000), OP_TOO_LARGE);
    const char *in_string = "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]";
    const char *behind_string = "[\"\\\\\",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[";
    assert_int_equal(json_read(ctx, bytes_of(in_string), &value), OP_OK);
    assert_int_equal(json_read(ctx, bytes_of(behind_string), &value), OP_TOO_LARGE);
    size_t max = 256 * 1024;
    char *text = mem_array(ctx, char, max + 2);
    memset(text, ' ', max + 1);
    text[0] = '[';
    text[max - 1] = ']';
    assert_int_equal(json_read(ctx, bytes_from(text, max), &value), OP_OK);
    assert_int_equal(json_read(ctx, bytes_from(text, max + 1), &value), OP_TOO_LARGE);
    talloc_free(ctx);
}

static void members_are_typed(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    const char *text = "{\"s\":\"x\",\"i\":-5,\"b\":true,\"r\":1.5,\"n\":null,\"o\":{}}";
    json_t *object;
    const char *s = "untouched";
    int64_t i = 99;
    bool b = false;
    assert_int_equal(json_read(ctx, bytes_of(text), &object), OP_OK);
    assert_int_equal(json_get_string(object, "i", &s), OP_INVALID);
    assert_int_equal(json_get_string(object, "n", &s), OP_ABSENT);
    assert_int_equal(json_get_string(object, "zz", &s), OP_ABSENT);
    assert_string_equal(s, "untouched");
    assert_int_equal(json_get_string(object, "s", &s), OP_OK);
    assert_string_equal(s, "x");
    assert_int_equal(json_get_int(object, "s", &i), OP_INVALID);
    assert_int_equal(json_get_int(object, "r", &i), OP_INVALID);
    assert_int_equal(json_get_int(object, "b", &i), OP_INVALID);
    assert_int_equal(json_get_int(object, "n", &i), OP_ABSENT);
    assert_int_equal(i, 99);
    assert_int_equal(json_get_int(object, "i", &i), OP_OK);
    assert_int_equal(i, -5);
    assert_int_equal(json_get_bool(object, "i", &b), OP_INVALID);
    assert_int_equal(json_get_bool(object, "zz", &b), OP_ABSENT);
    assert_int_equal(json_get_bool(object, "b", &b), OP_OK);
    assert_true(b);
    assert_int_equal(json_get_string(json_make_array(ctx), "s", &s), OP_ABSENT);
    assert_int_equal(json_get_string(NULL, "s", &s), OP_ABSENT);
    talloc_free(ctx);
}

static void text_is_written(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    json_t *object = json_make_object(ctx);
    char first[] = "one", second[] = "two";
    char *const list[] = {first, second};
    json_set_string(object, "z", "\"q\"/\n\xc3\xa9");
    json_set_string(object, "absent", NULL);
    json_set(object, "absent", NULL);
    json_set_int(object, "a", INT64_MAX);
    json_set_bool(object, "t", true);
    json_set_bool(object, "f", false);
    json_set_strings(object, "list", list, 2);
    json_set_strings(object, "none", list, 0);
    json_t *inner = json_make_array(ctx);
    json_append_string(inner, "x");
    json_append_string(inner, NULL);
    json_set(object, "inner", inner);
    assert_string_equal(json_text(ctx, object),
                        "{\"z\":\"\\\"q\\\"/\\n\xc3\xa9\",\"a\":9223372036854775807,\"t\":true,\"f\":false,"
                        "\"list\":[\"one\",\"two\"],\"none\":[],\"inner\":[\"x\"]}");
    assert_string_equal(json_text(ctx, json_object_get(object, "t")), "true");
    for (size_t len = 1015; len < 1030; len++) {
        char *long_one = mem_array(ctx, char, len + 1);
        memset(long_one, 'x', len);
        char *quoted = mem_printf(ctx, "\"%s\"", long_one);
        assert_string_equal(json_text(ctx, json_own(ctx, json_string(long_one))), quoted);
    }
    talloc_free(ctx);
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    json_t *object = json_make_object(ctx);
    json_set_string(object, "a\xff", "b\xc3(");
    assert_string_equal(json_text(ctx, object), "{\"a\xef\xbf\xbd\":\"b\xef\xbf\xbd(\"}");
    talloc_free(ctx);
}

static void values_live_as_long_as_their_context(void **state)
{
    (void)state;
    void *ctx = mem_root("test"), *child = talloc_new(ctx);
    json_t *value = json_object();
    json_incref(value);
    assert_ptr_equal(json_own(child, value), value);
    assert_int_equal(value->refcount, 2);
    talloc_free(child);
    assert_int_equal(value->refcount, 1);
    json_decref(value);
    talloc_free(ctx);
}

/* RFC 7396, appendix A: what is there, the patch, what comes of it. Only objects are changed here. */
static void members_are_merged(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *object, *patch;
        assert_int_equal(json_read(ctx, bytes_of(rows[i][0]), &object), OP_OK);
        assert_int_equal(json_read(ctx, bytes_of(rows[i][1]), &patch), OP_OK);
        json_merge(object, patch);
        assert_string_equal(json_text(ctx, object), rows[i][2]);
        assert_string_equal(json_text(ctx, patch), rows[i][1]);
    }
    talloc_free(ctx);
}

static void times_are_text(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    json_t *object = json_make_object(ctx);
    json_set_time(object, "never", 0);
    json_set_time(object, "then", 1794000000);
    assert_string_equal(json_text(ctx, object), "{\"then\":\"2026-11-06T21:20:00Z\"}");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_strictly),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(members_are_typed),
        cmocka_unit_test(text_is_written),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(members_are_merged),
        cmocka_unit_test(times_are_text),
        cmocka_unit_test(values_live_as_long_as_their_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
