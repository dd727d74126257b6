#include "exposition_merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { NAME_MAX_LEN = 100, FAMILIES_MAX = 1000, LABELS_MAX = 8 };

/* One metric. */
struct family {
    const char *name, *help, *kind;
    struct buf samples;
};

struct merge {
    const void *ctx;
    struct family *families;
    size_t count;
    struct family *present; /* whose samples come now; NULL: none's */
    const struct exposition_part *part;
};

static const char LOWER[] = "abcdefghijklmnopqrstuvwxyz_";

static struct family *family_named(struct merge *merge, const char *name)
{
    for (size_t i = 0; i < merge->count; i++)
        if (strcmp(merge->families[i].name, name) == 0)
            return &merge->families[i];
    if (merge->count == FAMILIES_MAX)
        return NULL;
    merge->families[merge->count] = (struct family){.name = name, .samples = buf_make(merge->ctx)};
    return &merge->families[merge->count++];
}

/* "# HELP name words" and "# TYPE name kind". */
static void take_heading(struct merge *merge, const char *line)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    bool is_help = strncmp(line, "# HELP ", 7) == 0, is_type = strncmp(line, "# TYPE ", 7) == 0;
    size_t len = is_help || is_type ? strspn(line + 7, LOWER) : 0;
    if (len == 0 || len > NAME_MAX_LEN || line[7 + len] != ' ')
        return;
    merge->present = family_named(merge, mem_strndup(merge->ctx, line + 7, len));
    if (merge->present == NULL)
        return;
    const char *rest = line + 7 + len + 1;
    if (is_help && merge->present->help == NULL)
        merge->present->help = rest;
    for (size_t i = 0; is_type && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(rest, kinds[i]) == 0 && merge->present->kind == NULL)
            merge->present->kind = kinds[i];
}

static bool is_suffix(const struct family *family, const char *text, size_t len)
{
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    bool is_histogram = family->kind != NULL && strcmp(family->kind, "histogram") == 0;
    for (size_t i = 0; is_histogram && i < sizeof suffixes / sizeof *suffixes; i++)
        if (strlen(suffixes[i]) == len && strncmp(text, suffixes[i], len) == 0)
            return true;
    return len == 0 && !is_histogram;
}

/* No label comes twice, and server and instance are ours. */
static bool is_fresh(struct bytes seen[LABELS_MAX], size_t count, struct bytes label)
{
    if (count == LABELS_MAX || bytes_equal(label, bytes_of("server")) || bytes_equal(label, bytes_of("instance")))
        return false;
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(seen[i], label))
            return false;
    seen[count] = label;
    return true;
}

/* The length of name="value" with one more of them after each comma; 0: it is no such thing. */
static size_t labels_length(const char *text)
{
    struct bytes seen[LABELS_MAX];
    size_t at = 0, count = 0;
    for (;;) {
        size_t name = strspn(text + at, LOWER);
        if (name == 0 || !is_fresh(seen, count++, bytes_from(text + at, name)) ||
            strncmp(text + at + name, "=\"", 2) != 0)
            return 0;
        at += name + 2;
        at += strcspn(text + at, "\"\\");
        if (text[at] != '"')
            return 0;
        if (text[++at] != ',')
            return at;
        at++;
    }
}

static bool is_number(const char *text)
{
    char *end;
    strtod(text, &end);
    return *text != '\0' && text[strspn(text, "0123456789.+-e")] == '\0' && *end == '\0';
}

/* "name{labels} number" or "name number". */
static void take_sample(struct merge *merge, const char *line)
{
    struct family *family = merge->present;
    size_t name = family == NULL ? 0 : strlen(family->name), whole = strspn(line, LOWER), labels = 0;
    if (family == NULL || whole < name || strncmp(line, family->name, name) != 0 ||
        !is_suffix(family, line + name, whole - name))
        return;
    const char *rest = line + whole;
    if (*rest == '{') {
        labels = labels_length(rest + 1);
        if (labels == 0 || rest[1 + labels] != '}')
            return;
        rest += labels + 2;
    }
    if (*rest != ' ' || !is_number(rest + 1))
        return;
    buf_add_bytes(&family->samples, bytes_from(line, whole));
    buf_printf(&family->samples, "{server=\"%s\",instance=\"%s\"%s%.*s}%s\n", merge->part->server, merge->part->instance,
               labels == 0 ? "" : ",", (int)labels, line + whole + 1, rest);
}

/* Printable ASCII, and no escapes: what a metric of ours needs. */
static bool is_plain(const char *line)
{
    for (; *line != '\0'; line++)
        if (*line < ' ' || *line > '~' || *line == '\\')
            return false;
    return true;
}

static void take_part(struct merge *merge, const struct exposition_part *part)
{
    char *text = mem_strdup(merge->ctx, part->text), *line;
    merge->part = part;
    merge->present = NULL;
    while ((line = strsep(&text, "\n")) != NULL) {
        if (!is_plain(line))
            continue;
        if (*line == '#')
            take_heading(merge, line);
        else
            take_sample(merge, line);
    }
}

char *exposition_merge(const void *ctx, const struct exposition_part *parts, size_t count)
{
    struct buf out = buf_make(ctx);
    struct merge merge = {.ctx = ctx, .families = mem_array(ctx, struct family, FAMILIES_MAX)};
    buf_add(&out, "# HELP partita_up 1 when the instance answers its operator.\n# TYPE partita_up gauge\n");
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, "partita_up{server=\"%s\",instance=\"%s\"} %d\n", parts[i].server, parts[i].instance,
                   parts[i].text != NULL);
    for (size_t i = 0; i < count; i++)
        if (parts[i].text != NULL)
            take_part(&merge, &parts[i]);
    for (size_t i = 0; i < merge.count; i++) {
        struct family *family = &merge.families[i];
        if (family->samples.len > 0 && family->help != NULL && family->kind != NULL &&
            strcmp(family->name, "partita_up") != 0)
            buf_printf(&out, "# HELP %s %s\n# TYPE %s %s\n%s", family->name, family->help, family->name, family->kind,
                       buf_string(&family->samples));
    }
    return buf_string(&out);
}
