#include "floor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instances.h"
#include "layout.h"
#include "runtime/settings.h"
#include "store/format.h"

struct found {
    const void *ctx;
    struct floor_version *versions;
    size_t count;
    struct stat data[KV_ENV_COUNT]; /* of data.mdb, where there is one */
};

static const char *name_of(const void *ctx, const struct floor_version *version)
{
    if (version->pid == 0)
        return mem_printf(ctx, "%s %s", version->server, version->version);
    return mem_printf(ctx, "process %ld (%s%s%s)", version->pid, version->server, version->version == NULL ? "" : " ",
                      version->version == NULL ? "" : version->version);
}

const char *floor_judge(const void *ctx, uint32_t floor, const struct floor_version *versions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct floor_version *one = &versions[i];
        if (one->format >= floor)
            continue;
        const char *knows = one->format == 0 ? "does not say which record formats it knows"
                                             : mem_printf(ctx, "knows record formats up to %u", one->format);
        return mem_printf(ctx, "the floor cannot be %u: %s %s, and %s", floor, name_of(ctx, one), knows,
                          one->pid != 0 ? "has an environment open: end it first"
                                        : mem_printf(ctx, "is installed, so that it could be started or rolled back to: "
                                                     "remove partita-%s-%s first", one->server, one->version));
    }
    return NULL;
}

static void add(struct found *found, struct floor_version version)
{
    found->versions = mem_grow(found->ctx, found->versions, struct floor_version, found->count + 1);
    found->versions[found->count++] = version;
}

/* --- versions that are installed --- */

static void add_installed(struct found *found, const char *server)
{
    size_t count;
    const char **names = instances_versions(found->ctx, server, &count);
    for (size_t i = 0; i < count; i++) {
        const char *program = mem_printf(found->ctx, "%s/%s", instances_version_dir(found->ctx, server, names[i]), server);
        const char *said;
        add(found, (struct floor_version){server, names[i], instances_ask_format(found->ctx, program, &said), 0});
    }
}

/* --- processes --- */

static bool is_data(const struct found *found, const struct stat *file)
{
    for (size_t e = 0; e < KV_ENV_COUNT; e++)
        if (found->data[e].st_ino != 0 && found->data[e].st_ino == file->st_ino && found->data[e].st_dev == file->st_dev)
            return true;
    return false;
}

static bool has_environment_open(const struct found *found, long pid)
{
    const char *path = mem_printf(found->ctx, "/proc/%ld/fd", pid);
    DIR *dir = opendir(path);
    bool has = false;
    for (struct dirent *entry; dir != NULL && !has && (entry = readdir(dir)) != NULL;) {
        struct stat file;
        has = isdigit((unsigned char)entry->d_name[0]) && fstatat(dirfd(dir), entry->d_name, &file, 0) == 0 &&
              is_data(found, &file);
    }
    if (dir != NULL)
        closedir(dir);
    return has;
}

/* We may be root: what is run must be root's then, and such that nobody else could have written it. */
static bool is_trusted(const struct stat *file)
{
    if (geteuid() != 0 && file->st_uid == geteuid())
        return true;
    bool others_write = (file->st_mode & 002) != 0 || ((file->st_mode & 020) != 0 && file->st_gid != 0);
    return file->st_uid == 0 && !others_write;
}

/* Asks the very file that the process runs, also when it was removed since. */
static uint32_t ask_process(const void *ctx, long pid, const char **ret_version)
{
    int fd = open(mem_printf(ctx, "/proc/%ld/exe", pid), O_RDONLY | O_CLOEXEC);
    struct stat file;
    uint32_t format = 0;
    *ret_version = NULL;
    if (fd < 0)
        return 0;
    if (fstat(fd, &file) == 0 && is_trusted(&file))
        format = instances_ask_format(ctx, mem_printf(ctx, "/proc/%ld/fd/%d", (long)getpid(), fd), ret_version);
    close(fd);
    return format;
}

static void add_process(struct found *found, long pid)
{
    char name[32] = "unknown";
    FILE *file = fopen(mem_printf(found->ctx, "/proc/%ld/comm", pid), "re");
    if (file != NULL) {
        if (fgets(name, sizeof name, file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(file);
    }
    struct floor_version version = {.server = mem_strdup(found->ctx, name), .pid = pid};
    version.format = ask_process(found->ctx, pid, &version.version);
    add(found, version);
}

static void add_processes(struct found *found)
{
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid != getpid() && has_environment_open(found, pid))
            add_process(found, pid);
    }
    if (dir != NULL)
        closedir(dir);
}

/* Whether nobody can have an environment open without our seeing it. */
static bool sees_everybody(const struct found *found)
{
    for (size_t e = 0; e < KV_ENV_COUNT; e++)
        if (found->data[e].st_ino != 0 && geteuid() != 0 && found->data[e].st_uid != geteuid())
            return false;
    return true;
}

enum op_err floor_may_be(const void *ctx, uint32_t floor, const char **ret_why)
{
    struct found *found = mem_new(ctx, struct found);
    found->ctx = found;
    if (floor > FORMAT_HERE.format) {
        *ret_why = mem_printf(ctx, "the floor cannot be %u: this opctl, %s, knows record formats up to %u", floor,
                              FORMAT_HERE.version, FORMAT_HERE.format);
        return OP_DENIED;
    }
    for (unsigned e = 0; e < KV_ENV_COUNT; e++)
        if (kv_env_is_volatile((enum kv_env)e) ||
            stat(mem_printf(ctx, "%s/data.mdb", layout_dir(ctx, (enum kv_env)e)), &found->data[e]) != 0)
            found->data[e] = (struct stat){0};
    if (!sees_everybody(found)) {
        *ret_why = "only root sees who has environments open, and may raise the floor: try again with sudo";
        return OP_DENIED;
    }
    for (size_t i = 0; INSTANCES_SERVERS[i] != NULL; i++)
        add_installed(found, INSTANCES_SERVERS[i]);
    add_processes(found);
    *ret_why = floor_judge(ctx, floor, found->versions, found->count);
    return *ret_why == NULL ? OP_OK : OP_DENIED;
}

/* --- what it is --- */

struct look {
    const void *ctx;
    enum kv_env env;
    struct floor_state state;
};

static enum op_err look(struct kv_txn *txn, void *arg)
{
    struct look *look = arg;
    Rec__Environment *record;
    enum op_err err = environment_get_any(txn, look->env, look->ctx, &record);
    if (err == OP_OK)
        look->state = (struct floor_state){format_floor(record), format_who_may(look->ctx, record)};
    return err;
}

struct floor_state floor_now(const void *ctx)
{
    const struct kv_config config = {.state_dir = settings.state_dir, .runtime_dir = settings.runtime_dir};
    struct floor_state highest = {.floor = 1};
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        const struct kv_store store = {(enum kv_env)e, false};
        struct look one = {.ctx = ctx, .env = store.env};
        struct kv *kv;
        const char *why;
        if (kv_env_is_volatile(store.env) || kv_open(ctx, &config, &store, 1, &kv, &why) != OP_OK)
            continue;
        if (kv_run_wait(kv, KV_READ_ONLY, look, &one) == OP_OK && one.state.floor > highest.floor)
            highest = one.state;
        talloc_free(kv);
    }
    return highest;
}
