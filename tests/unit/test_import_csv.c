#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "import_csv.h"

/* What is read of text: fields in brackets, rows on lines; "!LINE WHY" for a row that is refused. */
static char *read_all(const void *ctx, struct bytes text)
{
    struct buf out = buf_make(ctx);
    struct import_source source;
    FILE *file = tmpfile();
    assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
    rewind(file);
    import_source_start(&source, file);
    for (;;) {
        struct csv_row row;
        const char *why;
        enum op_err err = csv_read(&source, ctx, &row, &why);
        if (err == OP_ABSENT)
            break;
        if (err != OP_OK)
            buf_printf(&out, "!%zu %s", source.record_line, why);
        for (size_t i = 0; err == OP_OK && i < row.count; i++)
            buf_printf(&out, "[%s]", row.fields[i]);
        buf_add(&out, "\n");
    }
    fclose(file);
    return buf_string(&out);
}

static void rows_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *read;
    } rows[] = {
        {"", ""},
        {"\n\r\n\n", ""},
        {"a,b,c", "[a][b][c]\n"},
        {"a,b\r\nc,d\r\n", "[a][b]\n[c][d]\n"},
        {"a,b\nc,d\n\n\ne", "[a][b]\n[c][d]\n[e]\n"},
        {",\n", "[][]\n"},
        {"a,\n,b", "[a][]\n[][b]\n"},
        {"\"a\",\"b,c\"\n", "[a][b,c]\n"},
        {"\"a\"\"b\",\"\"\"\"\n", "[a\"b][\"]\n"},
        {"\"a\nb\r\nc\",d\n", "[a\nb\r\nc][d]\n"},
        {"\"\",\"\"\n", "[][]\n"},
        {" a , b \n", "[ a ][ b ]\n"},
        {"\xef\xbb\xbfusername,x\n", "[username][x]\n"},
        {"\xc3\xa4,\xf0\x9f\x98\x80", "[\xc3\xa4][\xf0\x9f\x98\x80]\n"},
        /* what is wrong, and that the rows behind it are read */
        {"a\"b,c\nd,e\n", "!1 a quote stands inside a field that does not begin with one\n[d][e]\n"},
        {"x\n\"a\"b,c\nd\n", "[x]\n!2 something stands between a closing quote and the comma\n[d]\n"},
        {"\"a\" ,b\nc\n", "!1 something stands between a closing quote and the comma\n[c]\n"},
        {"a\rb\nc\n", "!1 there is a CR without LF\n[c]\n"},
        {"\xff,b\nc\n", "!1 it is not UTF-8 text\n[c]\n"},
        {"\xc0\x80\nc\n", "!1 it is not UTF-8 text\n[c]\n"},
        {"a\n\"b\nc,d\ne\n", "[a]\n!2 a quote is opened and never closed\n"},
        {"a\n\"b\nc\",\"d", "[a]\n!2 a quote is opened and never closed\n"},
        {"\"a\nb\"x\nc\n", "!1 something stands between a closing quote and the comma\n[c]\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        assert_string_equal(read_all(ctx, bytes_of(rows[i].text)), rows[i].read);
        talloc_free(ctx);
    }
}

static void nul_is_refused(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    assert_string_equal(read_all(ctx, bytes_from("a\0b\nc\n", 6)), "!1 there is a NUL in it\n[c]\n");
    assert_string_equal(read_all(ctx, bytes_from("\"a\0\nb\"\nc\n", 9)), "!1 there is a NUL in it\n[c]\n");
    talloc_free(ctx);
}

static void rows_are_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *text = mem_array(ctx, char, 3 * IMPORT_RECORD_MAX);
    memset(text, 'a', IMPORT_RECORD_MAX);
    strcpy(text + IMPORT_RECORD_MAX, "\nb\n");
    char *read = read_all(ctx, bytes_of(text));
    assert_int_equal(strlen(read), IMPORT_RECORD_MAX + 7);
    memset(text, 'a', 2 * IMPORT_RECORD_MAX);
    text[0] = '"'; /* its line end belongs to it */
    text[IMPORT_RECORD_MAX] = '\n';
    strcpy(text + 2 * IMPORT_RECORD_MAX, "\"\nb\n");
    assert_string_equal(read_all(ctx, bytes_of(text)), "!1 it is longer than 256 KiB\n[b]\n");
    memset(text, ',', CSV_FIELDS_MAX);
    strcpy(text + CSV_FIELDS_MAX, "\nb\n");
    assert_string_equal(read_all(ctx, bytes_of(text)), "!1 it has more than 256 fields\n[b]\n");
    strcpy(text + CSV_FIELDS_MAX - 1, "\nb\n");
    read = read_all(ctx, bytes_of(text));
    assert_string_equal(read + 2 * CSV_FIELDS_MAX, "\n[b]\n");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(nul_is_refused),
        cmocka_unit_test(rows_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
