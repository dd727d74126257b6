#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"

enum { ASIDE_TRIES = 1000 };

/* In a directory that is being filled and is not in its place yet. */
static const char UNFINISHED[] = "unfinished";

static enum op_err failed(const void *ctx, const char *path, const char *what, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "%s cannot be %s: %s", path, what, strerror(errno));
    return OP_BROKEN;
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static char *marker_in(const void *ctx, const char *dir)
{
    return mem_printf(ctx, "%s/%s", dir, UNFINISHED);
}

static bool holds_state(const void *ctx, const char *dir)
{
    for (unsigned e = 0; e < KV_ENV_COUNT; e++)
        if (!kv_env_is_volatile((enum kv_env)e) &&
            exists(mem_printf(ctx, "%s/%s/data.mdb", dir, kv_env_name((enum kv_env)e))))
            return true;
    return false;
}

static void clear(const void *ctx, const char *dir)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "bell"};
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        const char *env = mem_printf(ctx, "%s/%s", dir, kv_env_name((enum kv_env)e));
        for (size_t i = 0; i < sizeof files / sizeof *files; i++)
            unlink(mem_printf(ctx, "%s/%s", env, files[i]));
        rmdir(env);
    }
    unlink(marker_in(ctx, dir));
}

/* A name that nothing has: the state directory's, and when. */
static char *aside_name(const void *ctx, const char *state_dir)
{
    const char *text = copy_stamp(ctx);
    char *name = mem_printf(ctx, "%s.before-restore-%s", state_dir, text);
    for (unsigned n = 2; n < ASIDE_TRIES && exists(name); n++)
        name = mem_printf(ctx, "%s.before-restore-%s-%u", state_dir, text, n);
    return name;
}

/* --- before --- */

static enum op_err look(const void *ctx, const char *state_dir, struct place *place, const char **ret_why)
{
    struct stat status, above;
    char *real = realpath(state_dir, NULL);
    place->state_dir = copy_plain(ctx, real != NULL ? real : state_dir);
    free(real);
    place->is_there = stat(place->state_dir, &status) == 0;
    if (place->is_there && stat(copy_parent(ctx, place->state_dir), &above) != 0)
        return failed(ctx, copy_parent(ctx, place->state_dir), "looked at", ret_why);
    place->is_mounted = place->is_there && status.st_dev != above.st_dev;
    place->has_state = place->is_there && holds_state(ctx, place->state_dir);
    place->building = mem_printf(ctx, place->is_mounted ? "%s/.restoring" : "%s.restoring", place->state_dir);
    if (!place->is_mounted || !place->has_state)
        return OP_OK;
    *ret_why = mem_printf(ctx, "%s is the root of a file system and has environments in it, which cannot be exchanged "
                          "in one step: move them to a directory of their own within it, then restore",
                          place->state_dir);
    return OP_INVALID;
}

static enum op_err make_parents(const void *ctx, const char *dir, const char **ret_why)
{
    char *path = mem_strdup(ctx, dir);
    for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return failed(ctx, path, "made", ret_why);
        *p = '/';
    }
    return OP_OK;
}

static enum op_err open_building(const void *ctx, struct place *place, const char **ret_why)
{
    if (mkdir(place->building, 0700) != 0 && errno != EEXIST)
        return failed(ctx, place->building, "made", ret_why);
    place->lock = open(place->building, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place->lock < 0)
        return failed(ctx, place->building, "opened", ret_why);
    if (flock(place->lock, LOCK_EX | LOCK_NB) == 0)
        return OP_OK;
    *ret_why = mem_printf(ctx, "another opctl is restoring to %s", place->state_dir);
    return OP_BUSY;
}

/* What a restore left that was killed. Between its two last steps it is the old state that lies here. */
static enum op_err tidy(const void *ctx, struct place *place, const char **ret_why)
{
    if (exists(marker_in(ctx, place->building)) || !holds_state(ctx, place->building)) {
        clear(ctx, place->building);
        return OP_OK;
    }
    if (rename(place->building, aside_name(ctx, place->state_dir)) != 0)
        return failed(ctx, place->building, "moved aside", ret_why);
    close(place->lock);
    return open_building(ctx, place, ret_why);
}

enum op_err place_begin(const void *ctx, const char *state_dir, struct place *ret, const char **ret_why)
{
    struct place place = {.lock = -1};
    enum op_err err = look(ctx, state_dir, &place, ret_why);
    if (err == OP_OK)
        err = make_parents(ctx, place.building, ret_why);
    if (err == OP_OK)
        err = open_building(ctx, &place, ret_why);
    if (err == OP_OK)
        err = tidy(ctx, &place, ret_why);
    unlink(marker_in(ctx, place.state_dir)); /* of one that was killed at the very end */
    if (err == OP_OK)
        err = copy_text(ctx, "", marker_in(ctx, place.building), ret_why);
    if (err == OP_OK)
        *ret = place;
    return err;
}

void place_abandon(const void *ctx, const struct place *place)
{
    if (!exists(marker_in(ctx, place->building)))
        return; /* it is in its place, and this may be what was there */
    place_clear(ctx, place->building);
}

/* --- and after --- */

void place_clear(const void *ctx, const char *dir)
{
    clear(ctx, dir);
    rmdir(dir);
}

enum op_err place_put_volatile(const void *ctx, const char *from, const char *to, const char **ret_why)
{
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        const char *made = mem_printf(ctx, "%s/%s", from, kv_env_name((enum kv_env)e));
        const char *there = mem_printf(ctx, "%s/%s", to, kv_env_name((enum kv_env)e));
        unsigned how = exists(there) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
        if (kv_env_is_volatile((enum kv_env)e) && renameat2(AT_FDCWD, made, AT_FDCWD, there, how) != 0)
            return failed(ctx, there, "replaced", ret_why);
    }
    place_clear(ctx, from);
    return OP_OK;
}

/* Beside directories that are there but empty, as tmpfiles.d makes them. A server that finds only some of its
 * environments refuses to start, so many steps do no harm where there was no state. */
static enum op_err move_in(const void *ctx, const struct place *place, const char **ret_why)
{
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        const char *name = kv_env_name((enum kv_env)e);
        const char *from = mem_printf(ctx, "%s/%s", place->building, name);
        const char *to = mem_printf(ctx, "%s/%s", place->state_dir, name);
        if (kv_env_is_volatile((enum kv_env)e))
            continue;
        if (rename(from, to) != 0)
            return failed(ctx, to, "replaced", ret_why);
    }
    unlink(marker_in(ctx, place->building));
    rmdir(place->building);
    return OP_OK;
}

/* Whose the directory is and who may look into it: as it was, or as tmpfiles.d makes it. */
static enum op_err dress(const void *ctx, const struct place *place, const char **ret_why)
{
    struct stat status = {.st_mode = 0755, .st_uid = geteuid(), .st_gid = getegid()};
    if (place->is_there && stat(place->state_dir, &status) != 0)
        return failed(ctx, place->state_dir, "looked at", ret_why);
    if (fchown(place->lock, status.st_uid, status.st_gid) != 0 || fchmod(place->lock, status.st_mode & 07777) != 0)
        return failed(ctx, place->building, "given its owner and mode", ret_why);
    return OP_OK;
}

static enum op_err exchange(const void *ctx, const struct place *place, const char **ret_aside, const char **ret_why)
{
    const char *aside = aside_name(ctx, place->state_dir);
    if (renameat2(AT_FDCWD, place->building, AT_FDCWD, place->state_dir, RENAME_EXCHANGE) != 0)
        return failed(ctx, place->state_dir, "exchanged in one step for what was restored", ret_why);
    if (rename(place->building, aside) != 0) /* it keeps that name, then */
        aside = place->building;
    *ret_aside = aside;
    return OP_OK;
}

enum op_err place_switch(const void *ctx, const struct place *place, const char **ret_aside, const char **ret_why)
{
    const char *aside = NULL;
    enum op_err err = dress(ctx, place, ret_why);
    if (err != OP_OK)
        return err;
    if (place->is_mounted)
        err = move_in(ctx, place, ret_why);
    else if (place->is_there)
        err = exchange(ctx, place, &aside, ret_why);
    else if (rename(place->building, place->state_dir) != 0)
        err = failed(ctx, place->state_dir, "made", ret_why);
    unlink(marker_in(ctx, place->state_dir));
    if (err == OP_OK)
        err = copy_sync_dir(ctx, place->state_dir, ret_why);
    if (err == OP_OK)
        err = copy_sync_dir(ctx, copy_parent(ctx, place->state_dir), ret_why);
    if (err == OP_OK)
        *ret_aside = aside;
    return err;
}
