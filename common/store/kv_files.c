#include "store/kv_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum op_err refuse(const void *ctx, const char *path, enum kv_env env, int access_mode, int reason,
                          const char **ret_why)
{
    if (reason == ENOENT || reason == ENOTDIR) {
        *ret_why = mem_printf(ctx, "%s is not there: run `opctl init`", path);
        return OP_ABSENT;
    }
    const char *verb = access_mode == W_OK ? "written" : "read";
    if (reason == EROFS)
        *ret_why = mem_printf(ctx, "%s cannot be %s: %s: mount it read-write", path, verb, strerror(reason));
    else
        *ret_why = mem_printf(ctx, "%s cannot be %s: %s: this user must be in the file's group (see partita-%s)", path,
                              verb, strerror(reason), kv_env_name(env));
    return OP_DENIED;
}

enum op_err kv_files_check(const void *ctx, const char *dir, enum kv_env env, bool write, const char **ret_why)
{
    const int mode = write ? W_OK : R_OK;
    const struct {
        const char *name;
        int mode;
    } wanted[] = {{"data.mdb", R_OK}, {"lock.mdb", W_OK}, {"data.mdb", mode}, {"bell", mode}};
    enum op_err err = OP_OK;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && err == OP_OK; i++) {
        char *path = mem_printf(ctx, "%s/%s", dir, wanted[i].name);
        if (faccessat(AT_FDCWD, path, wanted[i].mode, AT_EACCESS) != 0)
            err = refuse(ctx, path, env, wanted[i].mode, errno, ret_why);
        talloc_free(path);
    }
    return err;
}

static enum op_err failed(const void *ctx, const char *path, const char **ret_why)
{
    int reason = errno;
    *ret_why = mem_printf(ctx, "%s: %s", path, strerror(reason));
    if (reason == ENOENT || reason == ENOTDIR)
        return OP_ABSENT;
    return reason == ENOSPC || reason == EDQUOT ? OP_FULL : OP_BROKEN;
}

/* Counts in *made a file that was missing or is empty. */
static enum op_err make_file(const void *ctx, const char *path, mode_t mode, bool may_be_empty, unsigned *made,
                             const char **ret_why)
{
    struct stat info;
    if (stat(path, &info) == 0) {
        if (info.st_size == 0 && !may_be_empty)
            ++*made;
        return OP_OK;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(ctx, path, ret_why);
    enum op_err err = OP_OK;
    if (fchmod(fd, mode) != 0)
        err = failed(ctx, path, ret_why);
    close(fd);
    ++*made;
    return err;
}

/* Whether another process has it open for writing; false where that cannot be told. */
static bool in_use(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    /* A read lease is granted while nobody has the file open for writing. */
    bool is = fcntl(fd, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
    close(fd);
    return is;
}

/* A second lock file beside the one that running servers hold would let two write at once. */
static enum op_err check_unused(const void *ctx, const char *dir, const char **ret_why)
{
    char *data = mem_printf(ctx, "%s/data.mdb", dir), *lock = mem_printf(ctx, "%s/lock.mdb", dir);
    bool lost = access(lock, F_OK) != 0 && in_use(data);
    if (lost)
        *ret_why = mem_printf(ctx, "%s is gone, while a server that runs has %s open: stop every server first", lock, data);
    talloc_free(data);
    talloc_free(lock);
    return lost ? OP_BUSY : OP_OK;
}

enum op_err kv_files_create(const void *ctx, const char *dir, const char **ret_why)
{
    static const struct {
        const char *name;
        mode_t mode;
        bool may_be_empty;
    } files[] = {{"data.mdb", 0664, false}, {"lock.mdb", 0660, true}, {"bell", 0664, true}};
    unsigned made = 0;
    enum op_err err = check_unused(ctx, dir, ret_why);
    for (size_t i = 0; i < sizeof files / sizeof *files && err == OP_OK; i++) {
        char *path = mem_printf(ctx, "%s/%s", dir, files[i].name);
        err = make_file(ctx, path, files[i].mode, files[i].may_be_empty, &made, ret_why);
        talloc_free(path);
    }
    return err == OP_OK && made == 0 ? OP_EXISTS : err;
}

struct kv_file kv_file_note(const void *ctx, const char *dir, const char *name)
{
    struct kv_file file = {.path = mem_printf(ctx, "%s/%s", dir, name)};
    struct stat info;
    if (stat(file.path, &info) == 0) {
        file.device = info.st_dev;
        file.inode = info.st_ino;
    }
    return file;
}

bool kv_file_is_there(const struct kv_file *file)
{
    struct stat info;
    return stat(file->path, &info) == 0 && info.st_dev == file->device && info.st_ino == file->inode;
}

enum op_err kv_files_allocate(const void *ctx, const char *dir, const char **ret_why)
{
    struct stat info;
    char *path = mem_printf(ctx, "%s/lock.mdb", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC), reason = fd < 0 ? errno : 0;
    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0)
        reason = posix_fallocate(fd, 0, info.st_size);
    if (fd >= 0)
        close(fd);
    errno = reason;
    enum op_err err = reason == 0 || reason == EOPNOTSUPP ? OP_OK : failed(ctx, path, ret_why);
    talloc_free(path);
    return err;
}

enum op_err kv_files_sync(const void *ctx, const char *dir, const char **ret_why)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(ctx, dir, ret_why);
    enum op_err err = fsync(fd) == 0 ? OP_OK : failed(ctx, dir, ret_why);
    close(fd);
    return err;
}
