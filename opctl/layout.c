#include "layout.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/settings.h"

enum { DIR_MODE = 0750, DIR_MODE_UNOWNED = 0700, FILE_MODE_UNOWNED = 0600, PARENT_MODE = 0755 };

struct file_rule {
    const char *name;
    mode_t mode;
    bool writers; /* partita-ENV-w, not partita-ENV */
};

static const struct file_rule FILES[] = {{"data.mdb", 0664, true}, {"bell", 0664, true}, {"lock.mdb", 0660, false}};

char *layout_dir(const void *ctx, enum kv_env env)
{
    const char *above = kv_env_is_volatile(env) ? settings.runtime_dir : settings.state_dir;
    return mem_printf(ctx, "%s/%s", above, kv_env_name(env));
}

static char *group_name(const void *ctx, enum kv_env env, bool writers)
{
    return mem_printf(ctx, "partita-%s%s", kv_env_name(env), writers ? "-w" : "");
}

static enum op_err find_group(const void *ctx, enum kv_env env, bool writers, gid_t *ret, const char **ret_why)
{
    char *name = group_name(ctx, env, writers);
    const struct group *group = getgrnam(name);
    if (group == NULL) {
        *ret_why = mem_printf(ctx, "there is no group %s: run systemd-sysusers with "
                              "deploy/systemd/partita.sysusers.conf (sysusers.d), or use --unowned for an "
                              "installation of one user", name);
        return OP_ABSENT;
    }
    *ret = group->gr_gid;
    return OP_OK;
}

enum op_err layout_check_groups(const void *ctx, enum kv_env env, const char **ret_why)
{
    gid_t gid;
    enum op_err err = find_group(ctx, env, false, &gid, ret_why);
    return err != OP_OK ? err : find_group(ctx, env, true, &gid, ret_why);
}

static enum op_err broken(const void *ctx, const char *what, const char *path, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "%s cannot %s: %s%s", path, what, strerror(errno),
                          geteuid() == 0 ? "" : " (run as root, or with --unowned as the one user of an installation)");
    return OP_BROKEN;
}

/* Group before mode: chown may clear mode bits, and nobody gets access that is not meant. */
static enum op_err set_owner(const void *ctx, const char *path, enum kv_env env, bool writers, mode_t mode,
                             const char **ret_why)
{
    gid_t gid;
    enum op_err err = find_group(ctx, env, writers, &gid, ret_why);
    if (err != OP_OK)
        return err;
    if (chown(path, 0, gid) != 0)
        return broken(ctx, "be given to its group", path, ret_why);
    return chmod(path, mode) != 0 ? broken(ctx, "get its mode", path, ret_why) : OP_OK;
}

static enum op_err set_access(const void *ctx, const char *path, enum kv_env env, const struct file_rule *rule,
                              bool unowned, const char **ret_why)
{
    if (!unowned)
        return set_owner(ctx, path, env, rule->writers, rule->mode, ret_why);
    return chmod(path, FILE_MODE_UNOWNED) != 0 ? broken(ctx, "get its mode", path, ret_why) : OP_OK;
}

static enum op_err make_parents(const void *ctx, const char *dir, const char **ret_why)
{
    char *path = mem_strdup(ctx, dir);
    for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(path, PARENT_MODE) != 0 && errno != EEXIST)
            return broken(ctx, "be made", path, ret_why);
        *p = '/';
    }
    return OP_OK;
}

enum op_err layout_make_dir(const void *ctx, enum kv_env env, bool unowned, const char **ret_why)
{
    char *dir = layout_dir(ctx, env);
    enum op_err err = make_parents(ctx, dir, ret_why);
    if (err != OP_OK)
        return err;
    if (mkdir(dir, DIR_MODE_UNOWNED) != 0 && errno != EEXIST)
        return broken(ctx, "be made", dir, ret_why);
    if (!unowned)
        return set_owner(ctx, dir, env, false, DIR_MODE, ret_why);
    return chmod(dir, DIR_MODE_UNOWNED) != 0 ? broken(ctx, "get its mode", dir, ret_why) : OP_OK;
}

enum op_err layout_set_files(const void *ctx, enum kv_env env, bool unowned, const char **ret_why)
{
    enum op_err err = OP_OK;
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES && err == OP_OK; i++) {
        char *path = mem_printf(ctx, "%s/%s", layout_dir(ctx, env), FILES[i].name);
        err = set_access(ctx, path, env, &FILES[i], unowned, ret_why);
    }
    return err;
}
