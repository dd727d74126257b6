#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/form.h"

static void components_decode(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum op_err err;
        const char *value;
    } rows[] = {
        {"", OP_OK, ""},
        {"a+b", OP_OK, "a b"},
        {"a%2Bb", OP_OK, "a+b"},
        {"%41%7a", OP_OK, "Az"},
        {"%c3%A9", OP_OK, "\xc3\xa9"},
        {"\xc3\xa9", OP_OK, "\xc3\xa9"},
        {"%F0%9F%94%91", OP_OK, "\xf0\x9f\x94\x91"},
        {"%", OP_INVALID, NULL},
        {"%4", OP_INVALID, NULL},
        {"a%4", OP_INVALID, NULL},
        {"%4g", OP_INVALID, NULL},
        {"%g4", OP_INVALID, NULL},
        {"%+4", OP_INVALID, NULL},
        {"a%00b", OP_INVALID, NULL},
        {"%00", OP_INVALID, NULL},
        {"%c3", OP_INVALID, NULL},
        {"%c3x", OP_INVALID, NULL},
        {"%80", OP_INVALID, NULL},
        {"%c0%80", OP_INVALID, NULL},
        {"%c1%bf", OP_INVALID, NULL},
        {"%e0%80%80", OP_INVALID, NULL},
        {"%e0%9f%bf", OP_INVALID, NULL},
        {"%ed%a0%80", OP_INVALID, NULL},
        {"%ed%9f%bf", OP_OK, "\xed\x9f\xbf"},
        {"%f0%80%80%80", OP_INVALID, NULL},
        {"%f4%90%80%80", OP_INVALID, NULL},
        {"%f4%8f%bf%bf", OP_OK, "\xf4\x8f\xbf\xbf"},
        {"%f5%80%80%80", OP_INVALID, NULL},
        {"%e2%82", OP_INVALID, NULL},
        {"%e2%82%28", OP_INVALID, NULL},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *value = NULL;
        assert_int_equal(form_decode(ctx, bytes_of(rows[i].text), &value), rows[i].err);
        if (rows[i].value == NULL)
            assert_null(value);
        else
            assert_string_equal(value, rows[i].value);
    }
    char *value;
    assert_int_equal(form_decode(ctx, bytes_from("a\0b", 3), &value), OP_INVALID);
    talloc_free(ctx);
}

static void pairs_come_in_order(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct form form;
    const char *text = "&a=1&&b=x%3Dy=z&a=2&c&=v&d=&";
    assert_int_equal(form_parse(ctx, bytes_of(text), 6, &form), OP_OK);
    static const struct form_pair expected[] = {
        {"a", "1"}, {"b", "x=y=z"}, {"a", "2"}, {"c", ""}, {"", "v"}, {"d", ""},
    };
    assert_int_equal(form.count, 6);
    for (size_t i = 0; i < form.count; i++) {
        assert_string_equal(form.pairs[i].name, expected[i].name);
        assert_string_equal(form.pairs[i].value, expected[i].value);
    }
    assert_string_equal(form_get(&form, "a"), "1");
    assert_string_equal(form_get(&form, "c"), "");
    assert_null(form_get(&form, "e"));
    assert_int_equal(form_count(&form, "a"), 2);
    assert_int_equal(form_count(&form, "e"), 0);
    talloc_free(ctx);
}

static void pairs_are_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct form form = {.count = 77};
    assert_int_equal(form_parse(ctx, bytes_of("a&b&c"), 2, &form), OP_TOO_LARGE);
    assert_int_equal(form_parse(ctx, bytes_of("a=%zz"), 2, &form), OP_INVALID);
    assert_int_equal(form_parse(ctx, bytes_of("%zz=a"), 2, &form), OP_INVALID);
    assert_int_equal(form_parse(ctx, bytes_of("a=1&b=%00"), 2, &form), OP_INVALID);
    assert_int_equal(form.count, 77);
    assert_int_equal(form_parse(ctx, bytes_of("&&&&a&&&&b&&&"), 2, &form), OP_OK);
    assert_int_equal(form.count, 2);
    assert_int_equal(form_parse(ctx, bytes_of(""), 0, &form), OP_OK);
    assert_int_equal(form.count, 0);
    assert_int_equal(form_parse(ctx, bytes_from(NULL, 0), 0, &form), OP_OK);
    struct buf many = buf_make(ctx);
    for (int i = 0; i < 100; i++)
        form_add(&many, "name", "value");
    assert_int_equal(form_parse(ctx, buf_bytes(&many), 100, &form), OP_OK);
    assert_int_equal(form.count, 100);
    assert_int_equal(form_parse(ctx, buf_bytes(&many), 99, &form), OP_TOO_LARGE);
    talloc_free(ctx);
}

static void encoding_is_undone_by_decoding(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct buf out = buf_make(ctx);
    char all[256];
    for (int i = 1; i < 128; i++)
        all[i - 1] = (char)i;
    all[127] = '\0';
    form_add(&out, "a b", "x&y=z%+/~-._\xc3\xa9");
    assert_string_equal(buf_string(&out), "a%20b=x%26y%3Dz%25%2B%2F~-._%C3%A9");
    form_add(&out, "all", all);
    struct form form;
    assert_int_equal(form_parse(ctx, buf_bytes(&out), 2, &form), OP_OK);
    assert_string_equal(form_get(&form, "a b"), "x&y=z%+/~-._\xc3\xa9");
    assert_string_equal(form_get(&form, "all"), all);
    talloc_free(ctx);
}

/* Whether "a", this character and "b" are plain text. */
static bool is_plain_with(uint32_t point)
{
    uint8_t text[6] = {'a'};
    size_t len = 1, more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t marks[] = {0, 0xc0, 0xe0, 0xf0};
    text[len++] = (uint8_t)(marks[more] | point >> (6 * more));
    while (more-- > 0)
        text[len++] = (uint8_t)(0x80 | (point >> (6 * more) & 0x3f));
    text[len++] = 'b';
    return form_is_plain(bytes_from(text, len));
}

static void what_people_see_is_plain(void **state)
{
    (void)state;
    static const uint32_t refused[] = {
        0x01,   0x0a,   0x1f,   0x7f,   0x80,   0x85,   0x9f,   0xad,   0x61c,  0x200b, 0x200e, 0x200f,  0x2028,  0x2029,
        0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0xe0001, 0xe0041, 0xe007f,
    };
    static const uint32_t fine[] = {
        0x20,   0x7e,   0xa0,   0xac,   0xae,   0xe9,   0x61b,   0x61d,   0x6cc,   0x200c,
        0x200d, 0x2010, 0x2030, 0x2070, 0x5bc6, 0xfefe, 0x1f600, 0xdffff, 0xe0080, 0x10fffd,
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(is_plain_with(refused[i]));
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_true(is_plain_with(fine[i]));
    assert_true(form_is_plain(bytes_of("")));
    assert_true(form_is_plain(bytes_from(NULL, 0)));
    assert_false(form_is_plain(bytes_from("a\0b", 3)));
    assert_false(form_is_plain(bytes_of("a\xff")));
    assert_false(form_is_plain(bytes_of("a\xe2\x80"))); /* cut */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(components_decode),
        cmocka_unit_test(pairs_come_in_order),
        cmocka_unit_test(pairs_are_bounded),
        cmocka_unit_test(encoding_is_undone_by_decoding),
        cmocka_unit_test(what_people_see_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
