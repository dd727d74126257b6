#include "runtime/conf.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "runtime/conf_value.h"

enum { LINE_MAX_BYTES = 4096, SECTIONS_MAX = 8 };

struct reader {
    const void *ctx;
    const struct conf_source *source;
    const struct conf_section *sections;
    size_t section_count;
    unsigned *seen[SECTIONS_MAX]; /* per section and item: the line that set it, 0 none */
    FILE *file;
    char *line; /* getline's */
    size_t line_capacity;
    unsigned number;
    bool accounted; /* the present line is blank, a comment or a section, or its setting was handled */
    struct buf problems, warnings;
};

static void problem(struct reader *r, const char *what)
{
    buf_printf(&r->problems, "%s:%u: %s\n", r->source->path, r->number, what);
}

static void unknown(struct reader *r, const char *what)
{
    buf_printf(r->source->unknown_is_error ? &r->problems : &r->warnings, "%s:%u: %s\n", r->source->path, r->number,
               what);
}

static bool is_program(const struct reader *r, const char *section)
{
    const char *const *program = r->source->programs;
    while (program != NULL && *program != NULL && strcmp(*program, section) != 0)
        program++;
    return program == NULL || *program != NULL;
}

static const struct conf_item *find_item(const struct conf_section *section, struct bytes name)
{
    for (size_t i = 0; i < section->count; i++)
        if (bytes_equal(bytes_of(section->items[i].name), name))
            return &section->items[i];
    return NULL;
}

static void set_from_file(struct reader *r, size_t section, const char *name, const char *value)
{
    const struct conf_item *item = find_item(&r->sections[section], bytes_of(name));
    if (item == NULL) {
        if (!r->sections[section].foreign)
            unknown(r, mem_printf(r->ctx, "[%s] has no setting \"%s\"", r->sections[section].name, name));
        return;
    }
    unsigned *line = &r->seen[section][item - r->sections[section].items];
    if (*line != 0)
        problem(r, mem_printf(r->ctx, "%s is already set on line %u", name, *line));
    *line = r->number;
    const char *wrong = conf_value_read(r->ctx, item, value);
    if (wrong != NULL)
        problem(r, mem_printf(r->ctx, "%s: %s", name, wrong));
}

static int on_setting(void *arg, const char *section, const char *name, const char *value)
{
    struct reader *r = arg;
    r->accounted = true;
    if (section[0] == '\0')
        problem(r, "a setting before the first [section]");
    bool ours = section[0] == '\0';
    for (size_t i = 0; i < r->section_count; i++)
        if (strcmp(section, r->sections[i].name) == 0) {
            set_from_file(r, i, name, value);
            ours = true;
        }
    if (!ours && !is_program(r, section))
        unknown(r, mem_printf(r->ctx, "[%s] is the section of no program", section));
    return 1;
}

/* What inih will not report line by line: lines that are no setting at all. */
static void close_line(struct reader *r)
{
    if (!r->accounted)
        problem(r, "neither NAME = VALUE nor [section] nor # comment");
    r->accounted = true;
}

static bool line_needs_no_handler(const char *line)
{
    line += strspn(line, " \t\r\n");
    return *line == '\0' || *line == '#' || *line == ';' || (*line == '[' && strchr(line, ']') != NULL);
}

static char *next_line(char *out, int size, void *arg)
{
    struct reader *r = arg;
    close_line(r);
    ssize_t len = getline(&r->line, &r->line_capacity, r->file);
    if (len < 0)
        return NULL;
    r->number++;
    if (r->number == 1 && strncmp(r->line, "\xef\xbb\xbf", 3) == 0) {
        len -= 3;
        memmove(r->line, r->line + 3, (size_t)len + 1);
    }
    r->accounted = line_needs_no_handler(r->line);
    if (strlen(r->line) != (size_t)len || len >= size - 2) {
        problem(r, strlen(r->line) != (size_t)len ? "a NUL byte" : "the line is too long");
        r->accounted = true;
        r->line[0] = '\0';
    }
    snprintf(out, (size_t)size, "%s", r->line);
    return out;
}

static enum op_err read_file(struct reader *r)
{
    r->file = fopen(r->source->path, "re");
    if (r->file == NULL) {
        buf_printf(&r->problems, "%s: cannot be read: %s\n", r->source->path, strerror(errno));
        return OP_ABSENT;
    }
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    ini_use_stack = false;
    ini_max_line = LINE_MAX_BYTES;
    ini_initial_alloc = LINE_MAX_BYTES;
    r->accounted = true;
    (void)ini_parse_stream(next_line, r, on_setting, r);
    close_line(r);
    bool failed = ferror(r->file) != 0;
    if (failed)
        buf_printf(&r->problems, "%s: cannot be read: %s\n", r->source->path, strerror(errno));
    fclose(r->file);
    free(r->line);
    return failed ? OP_ABSENT : OP_OK;
}

static void apply_override(struct reader *r, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL) {
        buf_printf(&r->problems, "--set %s: the form is NAME=VALUE\n", text);
        return;
    }
    for (size_t i = r->section_count; i-- > 0;) {
        const struct conf_section *section = &r->sections[i];
        size_t prefix = strlen(section->name);
        bool named = strncmp(text, section->name, prefix) == 0 && text[prefix] == '.';
        if (section->foreign && !named)
            continue;
        const char *name = named ? text + prefix + 1 : text;
        const struct conf_item *item = find_item(section, bytes_from(name, (size_t)(equals - name)));
        if (item == NULL)
            continue;
        const char *wrong = conf_value_read(r->ctx, item, equals + 1);
        if (wrong != NULL)
            buf_printf(&r->problems, "--set %s: %s\n", item->name, wrong);
        r->seen[i][item - section->items] = r->number + 1;
        return;
    }
    buf_printf(&r->problems, "--set %.*s: there is no such setting\n", (int)(equals - text), text);
}

static void apply_defaults(struct reader *r)
{
    for (size_t s = 0; s < r->section_count; s++) {
        for (size_t i = 0; i < r->sections[s].count; i++) {
            const struct conf_item *item = &r->sections[s].items[i];
            if (r->seen[s][i] != 0)
                continue;
            if (item->def == NULL)
                buf_printf(&r->problems, "%s: [%s] lacks %s, which is required: %s\n", r->source->path,
                           r->sections[s].name, item->name, item->help);
            else if (conf_value_read(r->ctx, item, item->def) != NULL)
                abort(); /* our own table is wrong */
        }
    }
}

enum op_err conf_read(const void *ctx, const struct conf_source *source, const struct conf_section *sections,
                      size_t section_count, char **ret_problems, char **ret_warnings)
{
    struct reader r = {.ctx = ctx, .source = source, .sections = sections, .section_count = section_count,
                       .problems = buf_make(ctx), .warnings = buf_make(ctx)};
    if (section_count > SECTIONS_MAX)
        abort();
    for (size_t i = 0; i < section_count; i++)
        r.seen[i] = mem_array(ctx, unsigned, sections[i].count + 1);
    enum op_err err = read_file(&r);
    for (size_t i = 0; i < source->override_count; i++)
        apply_override(&r, source->overrides[i]);
    if (err == OP_OK)
        apply_defaults(&r);
    *ret_problems = buf_string(&r.problems);
    *ret_warnings = buf_string(&r.warnings);
    return err == OP_OK && r.problems.len != 0 ? OP_INVALID : err;
}

/* Words of text, indented, in lines of at most 110 columns. */
static void add_wrapped(struct buf *out, const char *text)
{
    enum { INDENT = 6, WIDTH = 110 };
    size_t column = WIDTH;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        bool fits = column + 1 + len <= WIDTH;
        buf_printf(out, "%s%.*s", fits ? " " : out->data[out->len - 1] == '\n' ? "      " : "\n      ", (int)len, text);
        column = (fits ? column + 1 : INDENT) + len;
        text += len + strspn(text + len, " ");
    }
    buf_add(out, "\n");
}

static void describe_item(const void *ctx, struct buf *out, const struct conf_item *item)
{
    const char *def = item->def == NULL ? "(required)" : item->def[0] == '\0' ? "(empty)" : item->def;
    buf_printf(out, "  %s = %s", item->name, def);
    buf_add(out, "\n");
    add_wrapped(out, mem_printf(ctx, "%s Takes %s.", item->help, conf_value_describe(ctx, item)));
}

char *conf_describe(const void *ctx, const struct conf_section *sections, size_t section_count)
{
    struct buf out = buf_make(ctx);
    for (size_t s = 0; s < section_count; s++) {
        if (sections[s].count == 0)
            continue;
        buf_printf(&out, "%sSettings of [%s]:\n", out.len == 0 ? "" : "\n", sections[s].name);
        for (size_t i = 0; i < sections[s].count; i++)
            describe_item(ctx, &out, &sections[s].items[i]);
    }
    return buf_string(&out);
}
