#include "sealed.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "copy.h"

enum { NAME_MAX_LEN = 64 };

static const char SUFFIX[] = ".cred";

bool sealed_is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= NAME_MAX_LEN && name[len] == '\0';
}

static char *path_of(const void *ctx, const char *dir, const char *name)
{
    return mem_printf(ctx, "%s/%s%s", dir, name, SUFFIX);
}

static enum op_err failed(const void *ctx, const char *path, const char *what, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "%s cannot be %s: %s", path, what, strerror(errno));
    return OP_BROKEN;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum op_err sealed_names(const void *ctx, const char *dir, const char ***ret, const char **ret_why)
{
    DIR *stream = opendir(dir);
    if (stream == NULL)
        return failed(ctx, dir, "read", ret_why);
    const char **names = mem_array(ctx, const char *, 1);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        size_t len = strlen(entry->d_name), end = sizeof SUFFIX - 1;
        if (len <= end || strcmp(entry->d_name + len - end, SUFFIX) != 0)
            continue;
        char *name = mem_strndup(ctx, entry->d_name, len - end);
        if (!sealed_is_name(name))
            continue;
        names = mem_grow(ctx, names, const char *, count + 2);
        names[count++] = name;
    }
    closedir(stream);
    qsort(names, count, sizeof *names, by_name);
    names[count] = NULL;
    *ret = names;
    return OP_OK;
}

/* systemd-creds, which also warns of what is always so: that the host's secret lies on a disk that is not encrypted. */
static struct command_result creds(const void *ctx, const char *const *argv, struct bytes input)
{
    (void)setenv("SYSTEMD_LOG_LEVEL", "err", 1);
    return command_pipe(ctx, argv, input);
}

enum op_err sealed_open(const void *ctx, const char *dir, const char *name, struct bytes *ret, const char **ret_why)
{
    const char *path = path_of(ctx, dir, name);
    if (access(path, F_OK) != 0) {
        enum op_err err = errno == ENOENT ? OP_ABSENT : OP_BROKEN;
        (void)failed(ctx, path, "read", ret_why);
        return err;
    }
    const char *const argv[] = {"systemd-creds", "decrypt", "--newline=no", mem_printf(ctx, "--name=%s", name), path, "-",
                                NULL};
    struct command_result result = creds(ctx, argv, bytes_from("", 0));
    mem_secret(result.output);
    if (result.status == 0 && result.len > 0 && result.len <= SEALED_SECRET_MAX) {
        *ret = bytes_from((const uint8_t *)result.output, result.len);
        return OP_OK;
    }
    *ret_why = mem_printf(ctx, "%s cannot be opened on this machine (systemd-creds: %d): another one sealed it, or you are "
                          "not root", path, result.status);
    return OP_BROKEN;
}

static char *aside_name(const void *ctx, const char *path)
{
    return mem_printf(ctx, "%s.replaced-%s-%ld", path, copy_stamp(ctx), (long)getpid());
}

/* From its draft into its place. */
static enum op_err put_in_place(const void *ctx, const char *draft, const char *path, bool replace, const char **ret_why)
{
    if (!replace && link(draft, path) != 0) {
        enum op_err err = errno == EEXIST ? OP_EXISTS : OP_BROKEN;
        (void)failed(ctx, path, "made", ret_why);
        return err;
    }
    if (replace && link(path, aside_name(ctx, path)) != 0 && errno != ENOENT)
        return failed(ctx, path, "kept aside", ret_why);
    return replace && rename(draft, path) != 0 ? failed(ctx, path, "replaced", ret_why) : OP_OK;
}

enum op_err sealed_put(const void *ctx, const char *dir, const char *name, struct bytes secret, bool replace,
                       const char **ret_why)
{
    const char *path = path_of(ctx, dir, name), *draft = mem_printf(ctx, "%s/.%s.%ld", dir, name, (long)getpid());
    const char *const argv[] = {"systemd-creds", "encrypt", mem_printf(ctx, "--name=%s", name), "-", "-", NULL};
    if (!replace && access(path, F_OK) == 0) {
        *ret_why = mem_printf(ctx, "%s is there already", path);
        return OP_EXISTS;
    }
    struct command_result sealed = creds(ctx, argv, secret);
    if (sealed.status != 0 || sealed.len == 0) {
        *ret_why = mem_printf(ctx, "%s cannot be sealed to this machine (systemd-creds: %d)", name, sealed.status);
        return OP_BROKEN;
    }
    (void)unlink(draft);
    enum op_err err = copy_text(ctx, sealed.output, draft, ret_why);
    if (err == OP_OK)
        err = put_in_place(ctx, draft, path, replace, ret_why);
    (void)unlink(draft);
    if (err == OP_OK)
        err = copy_sync_dir(ctx, dir, ret_why);
    return err;
}
