#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/kv_tools.h"

/* LMDB's processes share a lock on the first byte of lock.mdb for as long as they have the environment open; who
 * opens it asks for that first. A lock of the open file (OFD) stands beside those of processes, and is not lost
 * when another descriptor of the file is closed. */
static struct flock first_byte(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

struct held {
    int lock;
};

static int release(struct held *held)
{
    close(held->lock);
    return 0;
}

/* "process 123 (op-token)"; owned by ctx. */
static char *holder_of(const void *ctx, int fd)
{
    struct flock lock = first_byte(F_WRLCK);
    char name[32] = "";
    if (fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0)
        return mem_strdup(ctx, "a process");
    FILE *file = fopen(mem_printf(ctx, "/proc/%d/comm", (int)lock.l_pid), "re");
    if (file != NULL) {
        if (fgets(name, sizeof name, file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(file);
    }
    return mem_printf(ctx, "process %d%s%s%s", (int)lock.l_pid, name[0] == '\0' ? "" : " (", name,
                      name[0] == '\0' ? "" : ")");
}

/* Whether anybody has data.mdb open, whatever became of the lock file: only then a write lease is refused. */
static bool data_is_open(const void *ctx, const char *dir)
{
    int fd = open(mem_printf(ctx, "%s/data.mdb", dir), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is = fcntl(fd, F_SETLEASE, F_WRLCK) != 0 && errno == EAGAIN;
    close(fd);
    return is;
}

static enum op_err take(const void *ctx, const char *dir, struct held *held, const char **ret_why)
{
    struct flock lock = first_byte(F_WRLCK);
    if (fcntl(held->lock, F_OFD_SETLK, &lock) != 0) {
        int reason = errno;
        if (reason == EAGAIN || reason == EACCES) {
            *ret_why = mem_printf(ctx, "%s has %s open", holder_of(ctx, held->lock), dir);
            return OP_BUSY;
        }
        *ret_why = mem_printf(ctx, "%s/lock.mdb cannot be locked: %s", dir, strerror(reason));
        return OP_BROKEN;
    }
    if (data_is_open(ctx, dir)) {
        *ret_why = mem_printf(ctx, "a process has %s/data.mdb open without holding its lock.mdb", dir);
        return OP_BUSY;
    }
    return OP_OK;
}

enum op_err kv_lock_out(const void *ctx, const char *dir, const char **ret_why)
{
    const char *path = mem_printf(ctx, "%s/lock.mdb", dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        int reason = errno;
        bool absent = reason == ENOENT || reason == ENOTDIR;
        if (absent && data_is_open(ctx, dir)) {
            *ret_why = mem_printf(ctx, "%s is gone, while a process has its data.mdb open", path);
            return OP_BUSY;
        }
        *ret_why = mem_printf(ctx, "%s cannot be opened: %s", path, strerror(reason));
        return absent ? OP_ABSENT : OP_BROKEN;
    }
    struct held *held = mem_new(ctx, struct held);
    held->lock = fd;
    talloc_set_destructor(held, release);
    enum op_err err = take(ctx, dir, held, ret_why);
    if (err != OP_OK)
        talloc_free(held);
    return err;
}
