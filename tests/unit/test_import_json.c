#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "import_json.h"

/* The values in text, one a line with the number of theirs; "!LINE WHY" and "#LINE too large" for what is refused. */
static char *cut_all(const void *ctx, struct bytes text)
{
    struct buf out = buf_make(ctx);
    struct import_source source;
    struct import_json json;
    FILE *file = tmpfile();
    assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
    rewind(file);
    import_source_start(&source, file);
    import_json_start(&json, &source);
    for (int i = 0; i < 100; i++) {
        struct bytes value;
        const char *why;
        enum op_err err = import_json_next(&json, ctx, &value, &why);
        if (err == OP_ABSENT)
            break;
        if (err == OP_OK)
            buf_printf(&out, "%zu %.*s\n", source.record_line, (int)value.len, (const char *)value.data);
        else if (err == OP_TOO_LARGE)
            buf_printf(&out, "#%zu\n", source.record_line);
        else
            buf_printf(&out, "!%zu %s%s\n", source.record_line, why, json.broken ? " (broken)" : "");
    }
    fclose(file);
    return buf_string(&out);
}

#define UNENDED "a string or an object does not end before the file does (broken)\n"

static void values_are_cut_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *values;
    } rows[] = {
        {"", ""},
        {" \r\n\t", ""},
        {"[]", ""},
        {"[ ]\n", ""},
        {"{\"a\":1}", "1 {\"a\":1}\n"},
        {"{\"a\":1}\n{\"b\":[{}]}\n\n{}", "1 {\"a\":1}\n2 {\"b\":[{}]}\n4 {}\n"},
        {"[{\"a\":1},\n {\"b\":\"]}\\\"\"} ,{}]", "1 {\"a\":1}\n2 {\"b\":\"]}\\\"\"}\n2 {}\n"},
        {"[1, true,\"x\",[2],null]", "1 1\n1 true\n1 \"x\"\n1 [2]\n1 null\n"},
        {"{\n\"a\":\n1}", "1 {\n\"a\":\n1}\n"},
        {"\xef\xbb\xbf[{}]", "1 {}\n"},
        {"[{}][{}]{}", "1 {}\n1 {}\n1 {}\n"},
        /* a realm's export */
        {"{\"users\":[{\"a\":1},{}]}", "1 {\"a\":1}\n1 {}\n"},
        {"{\"realm\":\"users\",\"x\":{\"users\":[1]},\n\"users\" : [{\"a\":1}] , \"clients\":[{\"users\":[2]}]}",
         "2 {\"a\":1}\n"},
        {"{\"users\":[]}{\"users\":[{}]}", "1 {}\n"},
        {"{\"users\":3,\"a\":[1]}", "1 {\"users\":3,\"a\":[1]}\n"},
        {"{\"a\":\"users\",\"b\":[1]}", "1 {\"a\":\"users\",\"b\":[1]}\n"},
        {"{\"x\":{\"users\":[1]}}", "1 {\"x\":{\"users\":[1]}}\n"},
        {"[{\"users\":[1]}]", "1 {\"users\":[1]}\n"},
        {"{\"userss\":[1]}", "1 {\"userss\":[1]}\n"},
        /* what is no JSON is cut where it seems to end, for who reads it to refuse */
        {"{a b}\n{}", "1 {a b}\n2 {}\n"},
        {"[,{}]", "1 ,\n!1 a comma is missing (broken)\n"},
        /* what cannot be cut */
        {"{}\nusername\n{}", "1 {}\n!2 an object { or an array [ was expected\n3 {}\n"},
        {"{\"a\":\"b\n{\"c\":1}\n", "!1 a string does not end before its line does\n2 {\"c\":1}\n"},
        {"{\"a\":1\n{\"c\":1}\n", "!1 " UNENDED},
        {"{\"a\":\"\\", "!1 " UNENDED},
        {"[{}", "1 {}\n!1 " UNENDED},
        {"[{},", "1 {}\n!1 " UNENDED},
        {"[\n", "!2 " UNENDED},
        {"[{},]", "1 {}\n!1 a comma stands before the end of the array (broken)\n"},
        {"[{} {}]", "1 {}\n!1 a comma is missing (broken)\n"},
        {"[{\"a\":\"b\n\"},{}]", "!1 a string does not end before its line does (broken)\n"},
        {"{\"users\":[{}],\"x\":", "1 {}\n!1 " UNENDED},
        {"]", "!1 an object { or an array [ was expected\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        assert_string_equal(cut_all(ctx, bytes_of(rows[i].text)), rows[i].values);
        talloc_free(ctx);
    }
}

static void values_are_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *text = mem_array(ctx, char, 3 * IMPORT_RECORD_MAX);
    size_t len = 2 * IMPORT_RECORD_MAX;
    memset(text, 'a', len);
    memcpy(text, "{}\n{\"a\":\"", 9);
    strcpy(text + len, "\"}\n{}");
    assert_string_equal(cut_all(ctx, bytes_of(text)), "1 {}\n#2\n3 {}\n");
    memcpy(text, "[\n\n\"aaaaa", 9);
    strcpy(text + len, "\",{}]");
    assert_string_equal(cut_all(ctx, bytes_of(text)), "#3\n3 {}\n");
    /* all that stands before the users may be longer */
    memset(text, ' ', len);
    text[0] = '{';
    memcpy(text + len / 2, "\"x\":\"y\",", 8);
    strcpy(text + len, "\"users\":[{}]}");
    assert_string_equal(cut_all(ctx, bytes_of(text)), "1 {}\n");
    memset(text, '[', len);
    text[len] = '\0';
    assert_string_equal(cut_all(ctx, bytes_of(text)), "!1 " UNENDED);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_cut_out),
        cmocka_unit_test(values_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
