#include "freshness.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

enum { SECONDS_MAX = 1 << 30 };

/* Digits, perhaps in quotes. -1: none. A number that is too large counts as very large (RFC 9111 §1.2.2). */
static int64_t read_seconds(const char *text, size_t len)
{
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    uint64_t seconds;
    enum op_err err = num_parse_u64(bytes_from(text, len), SECONDS_MAX, &seconds);
    return err == OP_OK ? (int64_t)seconds : err == OP_TOO_LARGE ? SECONDS_MAX : -1;
}

static bool is_name(const char *text, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(text, name, len) == 0;
}

struct directives {
    int64_t max_age; /* -1: none */
    bool no_cache;
};

static void read_directive(const char *text, size_t len, struct directives *directives)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - text);
    if (is_name(text, name_len, "no-cache") || is_name(text, name_len, "no-store"))
        directives->no_cache = true;
    else if (equals != NULL && is_name(text, name_len, "max-age") && directives->max_age < 0)
        directives->max_age = read_seconds(equals + 1, len - name_len - 1);
}

/* Commas inside quotes separate nothing. */
static size_t directive_len(const char *text)
{
    bool quoted = false;
    size_t len = 0;
    for (; text[len] != '\0' && (quoted || text[len] != ','); len++) {
        if (text[len] == '"')
            quoted = !quoted;
        else if (quoted && text[len] == '\\' && text[len + 1] != '\0')
            len++;
    }
    return len;
}

static struct directives read_directives(const char *text)
{
    struct directives directives = {.max_age = -1};
    for (text += strspn(text, ", \t"); *text != '\0'; text += strspn(text, ", \t")) {
        size_t len = directive_len(text), trimmed = len;
        while (trimmed > 0 && (text[trimmed - 1] == ' ' || text[trimmed - 1] == '\t'))
            trimmed--;
        read_directive(text, trimmed, &directives);
        text += len;
    }
    return directives;
}

int64_t freshness_seconds(const char *cache_control, const char *age, const struct freshness_bounds *bounds)
{
    struct directives directives = read_directives(cache_control == NULL ? "" : cache_control);
    int64_t old = age == NULL ? 0 : read_seconds(age, strlen(age));
    int64_t seconds = directives.max_age < 0 ? bounds->otherwise : directives.max_age - (old > 0 ? old : 0);
    if (directives.no_cache || seconds < bounds->min)
        return bounds->min;
    return seconds > bounds->max ? bounds->max : seconds;
}
