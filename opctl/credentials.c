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

static const char *const NAMES[] = {"seal-key", "token-key", "form-key"};

static enum op_err broken(const void *ctx, const char *path, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "%s cannot be written: %s", path, strerror(errno));
    return OP_BROKEN;
}

static bool write_key(int fd)
{
    uint8_t key[KEY_LEN];
    rand_bytes(key, sizeof key);
    ssize_t written = write(fd, key, sizeof key);
    mem_wipe(key, sizeof key);
    return written == (ssize_t)sizeof key && fsync(fd) == 0;
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
    if (!write_key(fd) || link(draft, path) != 0)
        err = errno == EEXIST ? OP_EXISTS : broken(ctx, path, ret_why);
    close(fd);
    unlink(draft);
    return err;
}

enum op_err credentials_make(const void *ctx, const char *dir, const char *ret_made[3], unsigned *ret_count,
                             const char **ret_why)
{
    static_assert(sizeof NAMES / sizeof *NAMES == 3, "credentials.h promises room for three");
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return broken(ctx, dir, ret_why);
    unsigned count = 0;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        enum op_err err = make_key(ctx, dir, NAMES[i], ret_why);
        if (err != OP_OK && err != OP_EXISTS)
            return err;
        if (err == OP_OK)
            ret_made[count++] = NAMES[i];
    }
    *ret_count = count;
    return OP_OK;
}
