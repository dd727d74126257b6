#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/codec.h"
#include "data/digest.h"

enum { PART = 256 * 1024 };

static enum op_err failed(const void *ctx, const char *path, const char *what, const char **ret_why)
{
    int reason = errno;
    *ret_why = mem_printf(ctx, "%s cannot be %s: %s", path, what, strerror(reason));
    if (reason == ENOENT || reason == ENOTDIR)
        return OP_ABSENT;
    if (reason == EEXIST)
        return OP_EXISTS;
    return reason == ENOSPC || reason == EDQUOT ? OP_FULL : OP_BROKEN;
}

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written < 0 && errno != EINTR)
            return false;
        size_t done = written > 0 ? (size_t)written : 0;
        data += done;
        len -= done;
    }
    return true;
}

/* Closes it, on disk if all went well; else it is removed. */
static enum op_err finish(const void *ctx, const char *path, int fd, enum op_err err, const char **ret_why)
{
    if (err == OP_OK && fsync(fd) != 0)
        err = failed(ctx, path, "written", ret_why);
    if (close(fd) != 0 && err == OP_OK)
        err = failed(ctx, path, "written", ret_why);
    if (err != OP_OK)
        unlink(path);
    return err;
}

static enum op_err make(const void *ctx, const char *path, int *ret, const char **ret_why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(ctx, path, "made", ret_why);
    *ret = fd;
    return OP_OK;
}

struct copying {
    const char *from, *to;
    int in, out; /* out is -1 where nothing is written */
    uint64_t len;
    struct digest_stream *digest;
};

static enum op_err copy_parts(const void *ctx, struct copying *copying, const char **ret_why)
{
    uint8_t *part = mem_array(copying->digest, uint8_t, PART);
    ssize_t got;
    while ((got = read(copying->in, part, PART)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(ctx, copying->from, "read", ret_why);
        digest_sha256_add(copying->digest, bytes_from(part, (size_t)got));
        if (copying->out >= 0 && !write_all(copying->out, part, (size_t)got))
            return failed(ctx, copying->to, "written", ret_why);
        copying->len += (uint64_t)got;
    }
    return OP_OK;
}

enum op_err copy_file(const void *ctx, const char *from, const char *to, uint64_t *ret_len, const char **ret_sha256,
                      const char **ret_why)
{
    uint8_t digest[DIGEST_SHA256_LEN];
    struct copying copying = {.from = from, .to = to, .out = -1};
    copying.in = open(from, O_RDONLY | O_CLOEXEC);
    if (copying.in < 0)
        return failed(ctx, from, "read", ret_why);
    enum op_err err = to == NULL ? OP_OK : make(ctx, to, &copying.out, ret_why);
    if (err == OP_OK) {
        copying.digest = digest_sha256_stream(ctx);
        err = copy_parts(ctx, &copying, ret_why);
        digest_sha256_end(copying.digest, digest);
        talloc_free(copying.digest);
        if (to != NULL)
            err = finish(ctx, to, copying.out, err, ret_why);
    }
    close(copying.in);
    if (err == OP_OK) {
        *ret_len = copying.len;
        *ret_sha256 = codec_hex(ctx, bytes_from(digest, sizeof digest));
    }
    return err;
}

enum op_err copy_text(const void *ctx, const char *text, const char *to, const char **ret_why)
{
    int fd = -1;
    enum op_err err = make(ctx, to, &fd, ret_why);
    if (err != OP_OK)
        return err;
    if (!write_all(fd, (const uint8_t *)text, strlen(text)))
        err = failed(ctx, to, "written", ret_why);
    return finish(ctx, to, fd, err, ret_why);
}

enum op_err copy_sync_dir(const void *ctx, const char *dir, const char **ret_why)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(ctx, dir, "opened", ret_why);
    enum op_err err = fsync(fd) == 0 ? OP_OK : failed(ctx, dir, "written", ret_why);
    close(fd);
    return err;
}

char *copy_plain(const void *ctx, const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    return mem_strndup(ctx, path, len);
}

char *copy_parent(const void *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return mem_strdup(ctx, ".");
    return slash == path ? mem_strdup(ctx, "/") : mem_strndup(ctx, path, (size_t)(slash - path));
}

char *copy_stamp(const void *ctx)
{
    char text[32] = "";
    struct tm tm;
    time_t now = time(NULL);
    if (gmtime_r(&now, &tm) != NULL)
        strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
    return mem_strdup(ctx, text);
}
