#include "import_source.h"

int import_peek(struct import_source *source)
{
    int c = getc_unlocked(source->file);
    if (c != EOF)
        ungetc(c, source->file);
    return c;
}

int import_take(struct import_source *source)
{
    int c = getc_unlocked(source->file);
    source->line += c == '\n';
    return c;
}

void import_source_start(struct import_source *source, FILE *file)
{
    *source = (struct import_source){.file = file, .line = 1, .record_line = 1};
    if (import_peek(source) != 0xef)
        return;
    import_take(source);
    if (import_peek(source) == 0xbb)
        import_take(source);
    if (import_peek(source) == 0xbf)
        import_take(source);
}

int import_skip_space(struct import_source *source)
{
    int c;
    while ((c = import_peek(source)) == ' ' || c == '\t' || c == '\r' || c == '\n')
        import_take(source);
    return c;
}

void import_skip_line(struct import_source *source)
{
    int c;
    do
        c = import_take(source);
    while (c != EOF && c != '\n');
}
