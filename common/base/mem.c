#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *required(void *p)
{
    if (p == NULL) {
        fputs("{\"level\":\"fatal\",\"event\":\"out_of_memory\"}\n", stderr);
        abort();
    }
    return p;
}

void *mem_root(const char *name)
{
    void *ctx = required(talloc_named_const(NULL, 0, name));
    return ctx;
}

void *mem_zeroed_(const void *ctx, size_t size, size_t count, const char *name)
{
    if (count != 0 && size > SIZE_MAX / count)
        required(NULL);
    size_t total = size * count;
    void *p = required(talloc_named_const(ctx, total, name));
    memset(p, 0, total);
    return p;
}

void *mem_grow_(const void *ctx, void *ptr, size_t size, size_t count)
{
    if (count != 0 && size > SIZE_MAX / count)
        required(NULL);
    return required(_talloc_realloc(ctx, ptr, size * count, "array"));
}

char *mem_strndup(const void *ctx, const char *s, size_t len)
{
    return required(talloc_strndup(ctx, s, len));
}

char *mem_strdup(const void *ctx, const char *s)
{
    return required(talloc_strdup(ctx, s));
}

char *mem_printf(const void *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *s = talloc_vasprintf(ctx, format, args);
    va_end(args);
    return required(s);
}

struct bytes mem_bytes(const void *ctx, struct bytes source)
{
    uint8_t *copy = mem_zeroed_(ctx, 1, source.len + 1, "bytes");
    if (source.len != 0)
        memcpy(copy, source.data, source.len);
    return bytes_from(copy, source.len);
}

struct bytes bytes_of(const char *s)
{
    return bytes_from(s, s == NULL ? 0 : strlen(s));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_equal_ct(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference = (uint8_t)(difference | (a.data[i] ^ b.data[i]));
    return difference == 0;
}

void mem_wipe(void *data, size_t len)
{
    if (data != NULL)
        explicit_bzero(data, len);
}

static int wipe_on_free(void *allocation)
{
    mem_wipe(allocation, talloc_get_size(allocation));
    return 0;
}

void *mem_secret(void *allocation)
{
    _talloc_set_destructor(allocation, wipe_on_free);
    return allocation;
}
