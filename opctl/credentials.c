#include "credentials.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rand.h"

enum { KEY_LEN = 32 };

const char *const CREDENTIALS_NAMES[] = {"seal-key", "token-key", "form-key", NULL};

static enum op_err broken(const void *ctx, const char *path, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "%s cannot be written: %s", path, strerror(errno));
    return OP_BROKEN;
}

struct bytes credentials_fresh(const void *ctx)
{
    uint8_t *key = mem_secret(mem_array(ctx, uint8_t, KEY_LEN));
    rand_bytes(key, KEY_LEN);
    return bytes_from(key, KEY_LEN);
}

static bool write_key(const void *ctx, int fd)
{
    struct bytes key = credentials_fresh(ctx);
    ssize_t written = write(fd, key.data, key.len);
    return written == (ssize_t)key.len && fsync(fd) == 0;
}

/* A whole key or none: written beside its place, then linked into it, which never replaces one. */
static enum op_err make_key(const void *ctx, const char *dir, const char *name, const char **ret_why)
{
    char *path = mem_printf(ctx, "%s/%s", dir, name), *draft = mem_printf(ctx, "%s/.%s.%ld", dir, name, (long)getpid());
    if (access(path, F_OK) == 0)
        return OP_EXISTS;
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0)
        return broken(ctx, path, ret_why);
    enum op_err err = OP_OK;
    if (!write_key(ctx, fd) || link(draft, path) != 0)
        err = errno == EEXIST ? OP_EXISTS : broken(ctx, path, ret_why);
    close(fd);
    unlink(draft);
    return err;
}

enum op_err credentials_make(const void *ctx, const char *dir, const char *ret_made[CREDENTIALS_COUNT], unsigned *ret_count,
                             const char **ret_why)
{
    static_assert(sizeof CREDENTIALS_NAMES / sizeof *CREDENTIALS_NAMES == CREDENTIALS_COUNT + 1, "credentials.h promises them");
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return broken(ctx, dir, ret_why);
    unsigned count = 0;
    for (size_t i = 0; i < CREDENTIALS_COUNT; i++) {
        enum op_err err = make_key(ctx, dir, CREDENTIALS_NAMES[i], ret_why);
        if (err != OP_OK && err != OP_EXISTS)
            return err;
        if (err == OP_OK)
            ret_made[count++] = CREDENTIALS_NAMES[i];
    }
    *ret_count = count;
    return OP_OK;
}
