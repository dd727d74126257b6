#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/template.h"

static const char *message(const void *arg, const char *key)
{
    (void)arg;
    return strcmp(key, "hello") == 0 ? "Hello {user.name}, <b>{n}</b> {nobody}{ not one }" : NULL;
}

static const struct template *part(const void *arg, const char *name)
{
    return strcmp(name, "part") == 0 ? arg : NULL;
}

static char *filled(void *ctx, const char *text, const char *json)
{
    struct template *template = NULL, *inner = NULL;
    const char *why = NULL;
    json_t *values = NULL;
    assert_int_equal(template_parse(ctx, bytes_of("[{{x}}]"), &inner, &why), OP_OK);
    assert_int_equal(template_parse(ctx, bytes_of(text), &template, &why), OP_OK);
    assert_int_equal(json_read(ctx, bytes_of(json), &values), OP_OK);
    struct template_source source = {.message = message, .part = part, .arg = inner};
    struct buf out = buf_make(ctx);
    template_render(&out, template, &source, values);
    return buf_string(&out);
}

static void tags_are_filled(void **state)
{
    (void)state;
    static const struct { const char *template, *values, *result; } rows[] = {
        {"plain { } }} text", "{}", "plain { } }} text"},
        {"<i title=\"{{x}}\">", "{\"x\":\"<\\\"'&>\"}", "<i title=\"&lt;&quot;&#39;&amp;&gt;\">"},
        {"{{a.b}}{{a.c}}{{d.e}}", "{\"a\":{\"b\":\"1\"}}", "1"},
        {"{{n}}", "{\"n\":-42}", "-42"},
        {"{{x}}{{y}}", "{\"x\":true,\"y\":null}", ""},
        {"{{#l}}({{x}}){{/l}}", "{\"x\":\"o\",\"l\":[{\"x\":\"1\"},{}]}", "(1)(o)"},
        {"{{#l}}{{.}},{{/l}}", "{\"l\":[\"a\",\"<\"]}", "a,&lt;,"},
        {"{{#o}}{{x}}{{/o}}{{^o}}no{{/o}}", "{\"o\":{\"x\":\"in\"}}", "in"},
        {"{{#s}}{{s}}{{/s}}", "{\"s\":\"text\"}", "text"},
        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{\"x\":false}", "no"},
        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{\"x\":\"\"}", "no"},
        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{\"x\":[]}", "no"},
        {"{{#x}}yes{{/x}}{{^x}}no{{/x}}", "{}", "no"},
        {"{{#x}}{{#y}}{{z}}{{/y}}{{/x}}", "{\"x\":[{\"y\":[{\"z\":\"1\"}]},{\"y\":[{\"z\":\"2\"}]}]}", "12"},
        {"{{! a comment }}x", "{}", "x"},
        {"a{{>part}}b", "{\"x\":\"&\"}", "a[&amp;]b"},
        {"{{t:hello}}", "{\"user\":{\"name\":\"<Ann>\"},\"n\":3}", "Hello &lt;Ann&gt;, &lt;b&gt;3&lt;/b&gt; { not one }"},
        {"{{x}}", "{\"x\":\"{{y}}\",\"y\":\"no\"}", "{{y}}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        assert_string_equal(filled(ctx, rows[i].template, rows[i].values), rows[i].result);
        talloc_free(ctx);
    }
}

static void slips_are_named_with_their_line(void **state)
{
    (void)state;
    static const struct { const char *template, *why; } rows[] = {
        {"a\nb {{x", "2: a tag without }}"},
        {"\n\n{{#x}}\n", "4: section x is not closed"},
        {"{{/x}}", "1: x is closed but was not opened"},
        {"{{#x}}{{/y}}", "1: y is closed but was not opened"},
        {"{{}}", "1: a tag whose name is not of letters, digits and _ . -"},
        {"{{a b}}", "1: a tag whose name is not of letters, digits and _ . -"},
        {"{{{x}}}", "1: a tag whose name is not of letters, digits and _ . -"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        struct template *template = NULL;
        const char *why = NULL;
        assert_int_equal(template_parse(ctx, bytes_of(rows[i].template), &template, &why), OP_INVALID);
        assert_string_equal(why, rows[i].why);
        assert_null(template);
        talloc_free(ctx);
    }
}

static void what_is_missing_is_found(void **state)
{
    (void)state;
    static const struct { const char *template, *missing; } rows[] = {
        {"{{t:hello}}{{>part}}", NULL},
        {"\n{{#x}}{{t:other}}{{/x}}", "2: no message other"},
        {"{{>no}}", "1: no part no"},
    };
    void *ctx = mem_root("test");
    struct template_source source = {.message = message, .part = part, .arg = ctx};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct template *template = NULL;
        const char *why = NULL;
        assert_int_equal(template_parse(ctx, bytes_of(rows[i].template), &template, &why), OP_OK);
        why = template_missing(ctx, template, &source);
        if (rows[i].missing == NULL)
            assert_null(why);
        else
            assert_string_equal(why, rows[i].missing);
    }
    talloc_free(ctx);
}

static void plain_messages_are_not_escaped(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct buf out = buf_make(ctx);
    json_t *values = json_make_object(ctx);
    json_set_string(values, "x", "a&b");
    template_fill(&out, "<{x}>", values);
    assert_string_equal(buf_string(&out), "<a&b>");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_filled),
        cmocka_unit_test(slips_are_named_with_their_line),
        cmocka_unit_test(what_is_missing_is_found),
        cmocka_unit_test(plain_messages_are_not_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
