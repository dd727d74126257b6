#include "exposition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char REQUESTS[] = "partita_requests_total{";
static const char BUCKETS[] = "partita_request_duration_seconds_bucket{";
enum { BOUNDS_MAX = 64 };

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end == NULL ? line + strlen(line) : end + 1;
}

/* The next line from here that starts with this; NULL: none. */
static const char *find_line(const char *line, const char *start)
{
    size_t len = strlen(start);
    for (; *line != '\0'; line = next_line(line))
        if (strncmp(line, start, len) == 0)
            return line;
    return NULL;
}

static double value_of(const char *line)
{
    const char *end = next_line(line);
    if (end > line && end[-1] == '\n')
        end--;
    while (end > line && end[-1] != ' ')
        end--;
    return strtod(end, NULL);
}

/* A label's value within the line, not copied; its length. Values of ours hold no quotes. */
static const char *label_of(const char *line, const char *label, size_t *ret_len)
{
    char needle[64];
    snprintf(needle, sizeof needle, "%s=\"", label);
    const char *at = strstr(line, needle), *end = next_line(line);
    *ret_len = 0;
    if (at == NULL || at >= end)
        return "";
    at += strlen(needle);
    *ret_len = strcspn(at, "\"\n");
    return at;
}

/* What the operator asks (/.ready and its kind) is no work. */
static bool is_work(const char *line)
{
    size_t len;
    const char *endpoint = label_of(line, "endpoint", &len);
    return len < 2 || strncmp(endpoint, "/.", 2) != 0 || strncmp(endpoint, "/.well-known", strlen("/.well-known")) == 0;
}

struct exposition_requests exposition_requests(const char *text)
{
    struct exposition_requests found = {0};
    for (const char *line = text; (line = find_line(line, REQUESTS)) != NULL; line = next_line(line)) {
        size_t len;
        if (!is_work(line))
            continue;
        uint64_t count = (uint64_t)value_of(line);
        found.all += count;
        if (atoi(label_of(line, "status", &len)) >= 500)
            found.server_errors += count;
    }
    return found;
}

static struct exposition_error *error_named(struct exposition_error *errors, size_t count, const char *name, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(errors[i].name, name, len) == 0 && errors[i].name[len] == '\0')
            return &errors[i];
    return NULL;
}

struct exposition_error *exposition_errors(const void *ctx, const char *text, size_t *ret_count)
{
    struct exposition_error *errors = NULL;
    size_t count = 0;
    for (const char *line = text; (line = find_line(line, REQUESTS)) != NULL; line = next_line(line)) {
        size_t len;
        const char *name = label_of(line, "error", &len);
        if (len == 0 || !is_work(line))
            continue;
        struct exposition_error *error = error_named(errors, count, name, len);
        if (error == NULL) {
            errors = mem_grow(ctx, errors, struct exposition_error, count + 1);
            error = &errors[count++];
            *error = (struct exposition_error){.name = mem_strndup(ctx, name, len)};
        }
        error->count += (uint64_t)value_of(line);
    }
    *ret_count = count;
    return errors;
}

static const char *copy_label(const void *ctx, const char *line, const char *label)
{
    size_t len;
    const char *value = label_of(line, label, &len);
    return mem_strndup(ctx, value, len);
}

struct exposition_answer *exposition_answers(const void *ctx, const char *text, size_t *ret_count)
{
    struct exposition_answer *answers = NULL;
    size_t count = 0, len;
    for (const char *line = text; (line = find_line(line, REQUESTS)) != NULL; line = next_line(line)) {
        if (!is_work(line))
            continue;
        answers = mem_grow(ctx, answers, struct exposition_answer, count + 1);
        answers[count++] = (struct exposition_answer){copy_label(ctx, line, "endpoint"), copy_label(ctx, line, "error"),
                                                      atoi(label_of(line, "status", &len)), (uint64_t)value_of(line)};
    }
    *ret_count = count;
    return answers;
}

double exposition_value(const char *text, const char *metric)
{
    size_t len = strlen(metric);
    for (const char *line = text; (line = find_line(line, metric)) != NULL; line = next_line(line))
        if (line[len] == ' ')
            return value_of(line);
    return 0;
}

char *exposition_label(const void *ctx, const char *text, const char *metric, const char *label)
{
    const char *line = find_line(text, mem_printf(ctx, "%s{", metric));
    size_t len = 0;
    const char *value = line == NULL ? "" : label_of(line, label, &len);
    return mem_strndup(ctx, value, len);
}

struct bucket {
    double bound, count;
};

/* Sums the buckets of all endpoints by their bound. They come in ascending order. */
static size_t sum_buckets(const char *text, struct bucket sums[BOUNDS_MAX])
{
    size_t count = 0;
    for (const char *line = text; (line = find_line(line, BUCKETS)) != NULL; line = next_line(line)) {
        size_t len, i = 0;
        double bound = strtod(label_of(line, "le", &len), NULL); /* "+Inf" is infinity */
        if (!is_work(line))
            continue;
        while (i < count && sums[i].bound != bound)
            i++;
        if (i == BOUNDS_MAX)
            continue;
        if (i == count)
            sums[count++] = (struct bucket){.bound = bound};
        sums[i].count += value_of(line);
    }
    return count;
}

/* Less what was counted before: unless that is of another process, or there was nothing. */
static void subtract(struct bucket *sums, size_t count, const struct bucket *before, size_t before_count)
{
    if (before_count != count)
        return;
    for (size_t i = 0; i < count; i++)
        if (before[i].bound != sums[i].bound || before[i].count > sums[i].count)
            return;
    for (size_t i = 0; i < count; i++)
        sums[i].count -= before[i].count;
}

double exposition_quantile(const char *before, const char *text, double share)
{
    struct bucket sums[BOUNDS_MAX], past[BOUNDS_MAX];
    size_t count = sum_buckets(text, sums);
    subtract(sums, count, past, sum_buckets(before, past));
    if (count < 2 || sums[count - 1].count <= 0)
        return -1;
    for (size_t i = 0; i + 1 < count; i++)
        if (sums[i].count >= share * sums[count - 1].count)
            return sums[i].bound;
    return 2 * sums[count - 2].bound;
}
