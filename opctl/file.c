#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum op_err file_read_text(const void *ctx, const char *path, size_t max, char **ret, const char **ret_why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        *ret_why = mem_printf(ctx, "%s cannot be read: %s", path, strerror(errno));
        return OP_INVALID;
    }
    char *text = mem_array(ctx, char, max + 2);
    size_t len = fread(text, 1, max + 1, file);
    int failed = ferror(file), reason = errno;
    fclose(file);
    const char *why = NULL;
    if (failed)
        why = mem_printf(ctx, "%s cannot be read: %s", path, strerror(reason));
    else if (len > max)
        why = mem_printf(ctx, "%s is longer than %zu bytes", path, max);
    else if (memchr(text, '\0', len) != NULL)
        why = mem_printf(ctx, "%s is no text", path);
    if (why != NULL) {
        *ret_why = why;
        return OP_INVALID;
    }
    *ret = text;
    return OP_OK;
}
