#include "import_csv.h"

#include <string.h>

#include "base/buf.h"
#include "data/form.h"

/* A row while it is read. Once something is wrong it is read to its end, but kept no longer. */
struct row {
    struct import_source *source;
    struct buf text; /* of all fields, each with a NUL behind it */
    size_t count;
    const char *why;
};

static void refuse(struct row *row, const char *why)
{
    if (row->why == NULL)
        row->why = why;
}

static void keep(struct row *row, int c)
{
    if (c == '\0')
        refuse(row, "there is a NUL in it");
    else if (row->text.len >= IMPORT_RECORD_MAX)
        refuse(row, "it is longer than 256 KiB");
    if (row->why == NULL)
        buf_add_char(&row->text, (char)c);
}

/* What follows the opening quote, to the closing one. */
static void read_quoted(struct row *row)
{
    for (;;) {
        int c = import_take(row->source);
        if (c == EOF) {
            refuse(row, "a quote is opened and never closed");
            return;
        }
        if (c == '"' && import_peek(row->source) != '"')
            return;
        if (c == '"')
            import_take(row->source);
        keep(row, c);
    }
}

/* To the end of the field; returns what ended it: a comma, LF or EOF. */
static int read_plain(struct row *row, bool was_quoted)
{
    for (;;) {
        int c = import_take(row->source);
        if (c == '\r' && import_peek(row->source) == '\n')
            c = import_take(row->source);
        if (c == ',' || c == '\n' || c == EOF)
            return c;
        if (c == '"')
            refuse(row, "a quote stands inside a field that does not begin with one");
        else if (was_quoted)
            refuse(row, "something stands between a closing quote and the comma");
        else if (c == '\r')
            refuse(row, "there is a CR without LF");
        keep(row, c);
    }
}

/* False: that was the last field. */
static bool read_field(struct row *row)
{
    bool quoted = import_peek(row->source) == '"';
    if (quoted) {
        import_take(row->source);
        read_quoted(row);
    }
    int end = read_plain(row, quoted);
    if (++row->count > CSV_FIELDS_MAX)
        refuse(row, "it has more than 256 fields");
    if (row->why == NULL)
        buf_add_char(&row->text, '\0');
    return end == ',';
}

static char **split(const void *ctx, const struct row *row)
{
    char **fields = mem_array(ctx, char *, row->count);
    char *at = row->text.data;
    for (size_t i = 0; i < row->count; i++) {
        fields[i] = at;
        at += strlen(at) + 1;
    }
    return fields;
}

static int skip_empty_lines(struct import_source *source)
{
    int c;
    while ((c = import_peek(source)) == '\n' || c == '\r')
        import_take(source);
    return c;
}

enum op_err csv_read(struct import_source *source, const void *ctx, struct csv_row *ret, const char **ret_why)
{
    if (skip_empty_lines(source) == EOF)
        return OP_ABSENT;
    struct row row = {.source = source, .text = buf_make(ctx)};
    source->record_line = source->line;
    while (read_field(&row))
        continue;
    if (row.why == NULL && !form_is_utf8(buf_bytes(&row.text)))
        row.why = "it is not UTF-8 text";
    if (row.why != NULL) {
        *ret_why = row.why;
        return OP_INVALID;
    }
    *ret = (struct csv_row){.fields = split(ctx, &row), .count = row.count};
    return OP_OK;
}
