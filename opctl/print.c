#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

void print_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    if (text == NULL)
        abort();
    puts(text);
    free(text);
}

void print_json_line(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL)
        abort();
    puts(text);
    free(text);
}

/* Control characters, those of C1 (U+0080 to U+009F, as UTF-8) among them, become question marks. */
static char *harmless(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            p[0] = p[1] = '?';
    }
    return text;
}

char *print_text(const void *ctx, const json_t *value)
{
    if (value == NULL || json_is_null(value))
        return mem_strdup(ctx, "");
    if (json_is_string(value))
        return harmless(mem_strdup(ctx, json_string_value(value)));
    if (json_is_boolean(value))
        return mem_strdup(ctx, json_is_true(value) ? "yes" : "no");
    if (!json_is_array(value)) {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text == NULL)
            abort();
        char *copy = harmless(mem_strdup(ctx, text));
        free(text);
        return copy;
    }
    struct buf out = buf_make(ctx);
    for (size_t i = 0; i < json_array_size(value); i++)
        buf_printf(&out, "%s%s", i == 0 ? "" : " ", print_text(ctx, json_array_get(value, i)));
    return buf_string(&out);
}

void print_members(const json_t *object)
{
    void *scratch = mem_root("print_members");
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value)
        printf("%s: %s\n", harmless(mem_strdup(scratch, key)), print_text(scratch, value));
    talloc_free(scratch);
}

/* How many columns of a terminal the UTF-8 text takes, one per character. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const char *text, size_t width, size_t gap, bool last)
{
    size_t used = width_of(text), pad = last ? 0 : width > used ? width - used + gap : gap;
    printf("%s%*s%s", text, (int)pad, "", last ? "\n" : "");
}

void print_table(const json_t *array, const char *const *columns)
{
    print_table_within(array, columns, SIZE_MAX);
}

void print_table_within(const json_t *array, const char *const *columns, size_t width)
{
    void *scratch = mem_root("print_table");
    size_t count = 0;
    while (columns[count] != NULL)
        count++;
    size_t *widths = mem_array(scratch, size_t, count + 1), rows = json_array_size(array), sum = 2 * (count - 1);
    for (size_t c = 0; c < count; c++) {
        widths[c] = width_of(columns[c]);
        for (size_t r = 0; r < rows; r++) {
            size_t cell = width_of(print_text(scratch, json_object_get(json_array_get(array, r), columns[c])));
            widths[c] = cell > widths[c] ? cell : widths[c];
        }
        sum += widths[c];
    }
    size_t gap = sum > width ? 1 : 2;
    for (size_t c = 0; c < count && rows > 0; c++)
        print_cell(columns[c], widths[c], gap, c + 1 == count);
    for (size_t r = 0; r < rows; r++) {
        const json_t *row = json_array_get(array, r);
        for (size_t c = 0; c < count; c++)
            print_cell(print_text(scratch, json_object_get(row, columns[c])), widths[c], gap, c + 1 == count);
    }
    talloc_free(scratch);
}
