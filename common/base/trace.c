#include "base/trace.h"

#include <string.h>

#include "base/rand.h"

enum { TRACE_ID_AT = 3, PARENT_ID_AT = 36, FLAGS_AT = 53, FLAG_SAMPLED = 1 };

static bool is_zero(const char *digits, size_t len)
{
    return strspn(digits, "0") >= len;
}

/* version-traceid-parentid-flags; a later version may go on behind a '-'. */
static bool is_traceparent(const char *text)
{
    static const char form[] = "vv-tttttttttttttttttttttttttttttttt-pppppppppppppppp-ff";
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < TRACE_PARENT_LEN; i++)
        if (text[i] == '\0' || (form[i] == '-' ? text[i] != '-' : strchr(hex, text[i]) == NULL))
            return false;
    char after = text[TRACE_PARENT_LEN];
    bool first_version = memcmp(text, "00", 2) == 0;
    if (memcmp(text, "ff", 2) == 0 || (after != '\0' && (first_version || after != '-')))
        return false;
    return !is_zero(text + TRACE_ID_AT, TRACE_ID_LEN) && !is_zero(text + PARENT_ID_AT, TRACE_SPAN_ID_LEN);
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Random digits, not all of them zero: whoever reads them may not take them for none. */
static void make_id(char *ret, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[TRACE_ID_LEN / 2];
    rand_bytes(bytes, len / 2);
    for (size_t i = 0; i < len; i++)
        ret[i] = hex[i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15];
    ret[len] = '\0';
    if (is_zero(ret, len))
        ret[len - 1] = '1';
}

void trace_go_on(const char *traceparent, struct trace *ret)
{
    bool begun = traceparent != NULL && is_traceparent(traceparent);
    ret->sampled = begun && (digit(traceparent[FLAGS_AT + 1]) & FLAG_SAMPLED) != 0;
    if (begun) {
        memcpy(ret->trace_id, traceparent + TRACE_ID_AT, TRACE_ID_LEN);
        ret->trace_id[TRACE_ID_LEN] = '\0';
    } else {
        make_id(ret->trace_id, TRACE_ID_LEN);
    }
    make_id(ret->span_id, TRACE_SPAN_ID_LEN);
}

char *trace_parent(const void *ctx, const struct trace *trace)
{
    return mem_printf(ctx, "00-%s-%s-%s", trace->trace_id, trace->span_id, trace->sampled ? "01" : "00");
}
