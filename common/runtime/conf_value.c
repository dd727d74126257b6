#include "runtime/conf_value.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"

struct scale {
    const char *suffix;
    int64_t factor;
};

static const struct scale DURATIONS[] = {
    {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}, {"y", 365 * 86400}, {NULL, 0},
};
static const struct scale MILLISECONDS[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {NULL, 0}};
static const struct scale SIZES[] = {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

static const struct scale *scales_of(const struct conf_item *item)
{
    if (item->type == CONF_SIZE)
        return SIZES;
    return item->unit != NULL && strcmp(item->unit, "ms") == 0 ? MILLISECONDS : DURATIONS;
}

static bool scaled_read(const struct scale *scales, const char *text, int64_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t number;
    if (num_parse_u64(bytes_from(text, digits), INT64_MAX, &number) != OP_OK)
        return false;
    for (; scales->suffix != NULL; scales++) {
        if (strcmp(text + digits, scales->suffix) != 0 && !(number == 0 && text[digits] == '\0'))
            continue;
        return !__builtin_mul_overflow((int64_t)number, scales->factor, ret);
    }
    return false;
}

/* The value in the largest unit that divides it, as it would be written. */
static char *scaled_text(const void *ctx, const struct scale *scales, int64_t value)
{
    const struct scale *best = scales;
    for (const struct scale *s = scales; s->suffix != NULL; s++)
        if (value != 0 && value % s->factor == 0 && strcmp(s->suffix, "w") != 0)
            best = s;
    return mem_printf(ctx, "%lld%s", (long long)(value / best->factor), best->suffix);
}

static bool number_read(const struct conf_item *item, const char *text, int64_t *ret)
{
    if (item->type == CONF_NUMBER)
        return num_parse_i64(bytes_of(text), INT64_MIN, INT64_MAX, ret) == OP_OK;
    return scaled_read(scales_of(item), text, ret);
}

static char *number_text(const void *ctx, const struct conf_item *item, int64_t value)
{
    if (item->type == CONF_NUMBER)
        return mem_printf(ctx, "%lld", (long long)value);
    return scaled_text(ctx, scales_of(item), value);
}

static char *range_text(const void *ctx, const struct conf_item *item)
{
    return mem_printf(ctx, "%s to %s", number_text(ctx, item, item->min), number_text(ctx, item, item->max));
}

static char *values_text(const void *ctx, const char *const *values)
{
    struct buf buf = buf_make(ctx);
    for (size_t i = 0; values[i] != NULL; i++) {
        if (i != 0)
            buf_add(&buf, values[i + 1] == NULL ? " or " : ", ");
        buf_add(&buf, values[i]);
    }
    return buf_string(&buf);
}

static int value_index(const struct conf_item *item, const char *text)
{
    for (int i = 0; item->values[i] != NULL; i++)
        if (strcmp(item->values[i], text) == 0)
            return i;
    return -1;
}

static const char *read_number(const void *ctx, const struct conf_item *item, const char *text)
{
    int64_t value;
    if (!number_read(item, text, &value))
        return mem_printf(ctx, "\"%s\" is not %s", text, conf_value_describe(ctx, item));
    if (value < item->min || value > item->max)
        return mem_printf(ctx, "\"%s\" is out of bounds: %s", text, range_text(ctx, item));
    *(int64_t *)item->target = value;
    return NULL;
}

static const char *read_bool(const void *ctx, const struct conf_item *item, const char *text)
{
    bool yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0)
        return mem_printf(ctx, "\"%s\" is not yes or no", text);
    *(bool *)item->target = yes;
    return NULL;
}

static const char *read_string(const void *ctx, const struct conf_item *item, const char *text)
{
    int64_t len = (int64_t)strlen(text);
    if (len == 0 && item->min > 0)
        return "the value is empty";
    if (len < item->min)
        return mem_printf(ctx, "the value is shorter than %lld bytes", (long long)item->min);
    if (item->max != 0 && len > item->max)
        return mem_printf(ctx, "the value is longer than %lld bytes", (long long)item->max);
    if (item->type == CONF_PATH && len != 0 && text[0] != '/')
        return mem_printf(ctx, "\"%s\" is not an absolute path", text);
    *(const char **)item->target = mem_strdup(ctx, text);
    return NULL;
}

static bool is_separator(char c)
{
    return c == ',' || isspace((unsigned char)c);
}

static const char *read_list(const void *ctx, const struct conf_item *item, const char *text)
{
    struct conf_list list = {0};
    for (const char *p = text; *p != '\0';) {
        const char *word = p;
        while (*p != '\0' && !is_separator(*p))
            p++;
        if (p != word) {
            list.items = mem_grow(ctx, list.items, char *, list.count + 1);
            list.items[list.count++] = mem_strndup(ctx, word, (size_t)(p - word));
        }
        while (is_separator(*p))
            p++;
    }
    int64_t max = item->max == 0 ? 100 : item->max;
    if ((int64_t)list.count < item->min || (int64_t)list.count > max)
        return mem_printf(ctx, "%zu words, where %lld to %lld are possible", list.count, (long long)item->min,
                          (long long)max);
    *(struct conf_list *)item->target = list;
    return NULL;
}

static const char *read_choice(const void *ctx, const struct conf_item *item, const char *text)
{
    int index = value_index(item, text);
    if (index < 0)
        return mem_printf(ctx, "\"%s\" is not %s", text, values_text(ctx, item->values));
    if (item->type == CONF_ENUM)
        *(int *)item->target = index;
    else
        *(const char **)item->target = item->values[index];
    return NULL;
}

const char *conf_value_read(const void *ctx, const struct conf_item *item, const char *text)
{
    const char *wrong = item->check == NULL ? NULL : item->check(text);
    if (wrong != NULL)
        return mem_printf(ctx, "\"%s\": %s", text, wrong);
    switch (item->type) {
    case CONF_NUMBER:
    case CONF_DURATION:
    case CONF_SIZE:
        return read_number(ctx, item, text);
    case CONF_BOOL:
        return read_bool(ctx, item, text);
    case CONF_STRING:
    case CONF_PATH:
        return read_string(ctx, item, text);
    case CONF_LIST:
        return read_list(ctx, item, text);
    case CONF_ENUM:
    case CONF_WORD:
        return read_choice(ctx, item, text);
    }
    return "of no known type";
}

char *conf_value_describe(const void *ctx, const struct conf_item *item)
{
    switch (item->type) {
    case CONF_NUMBER:
        return mem_printf(ctx, "a number%s%s, %s", item->unit != NULL ? " of " : "",
                          item->unit != NULL ? item->unit : "", range_text(ctx, item));
    case CONF_DURATION:
        return mem_printf(ctx, "a duration such as %s, %s",
                          scales_of(item) == MILLISECONDS ? "500ms or 2s" : "60s, 10min, 12h, 30d or 1y",
                          range_text(ctx, item));
    case CONF_SIZE:
        return mem_printf(ctx, "a size such as 64KiB, 16MiB or 1GiB, %s", range_text(ctx, item));
    case CONF_BOOL:
        return mem_strdup(ctx, "yes or no");
    case CONF_STRING:
        return mem_strdup(ctx, "text");
    case CONF_PATH:
        return mem_strdup(ctx, "an absolute path");
    case CONF_LIST:
        return mem_strdup(ctx, "words separated by spaces or commas");
    case CONF_ENUM:
    case CONF_WORD:
        return values_text(ctx, item->values);
    }
    return mem_strdup(ctx, "");
}
