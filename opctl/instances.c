#include "instances.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "data/json.h"

#define RUNNING "/etc/partita/running"
#define VERSIONS "/usr/lib/partita"
#define WANTS "/etc/systemd/system/partita.target.wants"
#define UNIT_FILES "/lib/systemd/system"
#define ADMIN "/run/partita-admin"
#define LOCK "/run/partita-opctl.lock"
#define ASK_SECONDS "5" /* that a program may take to say what it is */

const char *const INSTANCES_SERVERS[] = {"op-discovery", "op-auth", "op-token", "op-userinfo", "op-management",
                                         "op-async", NULL};

bool instances_is_server(const char *name)
{
    for (size_t i = 0; INSTANCES_SERVERS[i] != NULL; i++)
        if (strcmp(INSTANCES_SERVERS[i], name) == 0)
            return true;
    return false;
}

char *instances_name(const void *ctx, const char *server, char side, unsigned number)
{
    return mem_printf(ctx, "%s@%c%u", server, side, number);
}

char *instances_socket(const void *ctx, const char *instance)
{
    return mem_printf(ctx, ADMIN "/%s/socket", instance);
}

char *instances_version_dir(const void *ctx, const char *server, const char *version)
{
    return mem_printf(ctx, VERSIONS "/%s/%s", server, version);
}

/* --- looking --- */

/* "op-token@a12" is side a, number 12; what else lies there is not of a side. */
static bool read_name(const char *name, const char *server, struct rollout_instance *ret)
{
    size_t len = strlen(server);
    char *end;
    if (strncmp(name, server, len) != 0 || name[len] != '@' || (name[len + 1] != 'a' && name[len + 1] != 'b'))
        return false;
    unsigned long number = strtoul(name + len + 2, &end, 10);
    if (name[len + 2] < '1' || name[len + 2] > '9' || *end != '\0' || number > ROLLOUT_INSTANCES_MAX)
        return false;
    *ret = (struct rollout_instance){.side = name[len + 1], .number = (unsigned)number};
    return true;
}

static char *link_target(const void *ctx, const char *path)
{
    char target[512];
    ssize_t len = readlink(path, target, sizeof target);
    return len <= 0 || (size_t)len == sizeof target ? NULL : mem_strndup(ctx, target, (size_t)len);
}

/* The version that a link names; NULL: there is none. */
static const char *version_of(const void *ctx, const char *path)
{
    const char *target = link_target(ctx, path), *slash = target == NULL ? NULL : strrchr(target, '/');
    return slash == NULL ? target : slash + 1;
}

/* What is kept aside of SERVER@1's link. */
static char *previous_of(const void *ctx, const char *proven)
{
    return mem_printf(ctx, "%s.previous", proven);
}

static char *wanted_path(const void *ctx, const char *instance)
{
    return mem_printf(ctx, WANTS "/%s.service", instance);
}

static bool is_active(const char *state)
{
    return strcmp(state, "active") == 0 || strcmp(state, "activating") == 0 || strcmp(state, "reloading") == 0;
}

static void look_closer(const void *ctx, const char *name, struct rollout_instance *instance)
{
    const char *version = version_of(ctx, mem_printf(ctx, RUNNING "/%s", name));
    struct stat st;
    instance->version = version == NULL ? "" : version;
    instance->enabled = lstat(wanted_path(ctx, name), &st) == 0;
    instance->active = is_active(instances_health(ctx, name).state);
}

enum op_err instances_look(const void *ctx, const char *server, struct rollout_state *ret, const char **ret_why)
{
    struct rollout_instance *found = NULL;
    size_t count = 0;
    DIR *dir = opendir(RUNNING);
    if (dir == NULL) {
        *ret_why = mem_printf(ctx, RUNNING ": %s: is the package partita-common installed?", strerror(errno));
        return OP_BROKEN;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct rollout_instance instance;
        if (!read_name(entry->d_name, server, &instance))
            continue;
        look_closer(ctx, entry->d_name, &instance);
        found = mem_grow(ctx, found, struct rollout_instance, count + 1);
        found[count++] = instance;
    }
    closedir(dir);
    char *proven = mem_printf(ctx, RUNNING "/%s@1", server);
    *ret = (struct rollout_state){server, found, count, version_of(ctx, proven), version_of(ctx, previous_of(ctx, proven))};
    return OP_OK;
}

/* --- versions --- */

/* The value of a line "name value" of --version; NULL: there is none. */
static char *said(const void *ctx, const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1)
        if (strncmp(line, name, len) == 0 && line[len] == ' ')
            return mem_strndup(ctx, line + len + 1, strcspn(line + len + 1, "\n"));
    return NULL;
}

static char *program_of(const void *ctx, const char *server, const char *version)
{
    return mem_printf(ctx, "%s/%s", instances_version_dir(ctx, server, version), server);
}

enum op_err instances_check(const void *ctx, const char *server, const char *version, const char **ret_why)
{
    const char *program = program_of(ctx, server, version);
    if (access(program, X_OK) == 0)
        return OP_OK;
    *ret_why = mem_printf(ctx, "%s %s is not installed (%s): install the package partita-%s-%s", server, version, program,
                          server, version);
    return OP_ABSENT;
}

/* What it says, on one line; a program that hangs is ended. */
static struct command_result ask(const void *ctx, const char *program, const char *config, const char *question)
{
    const char *with[] = {"/usr/bin/timeout", "--kill-after=1", ASK_SECONDS, program, "--config", config, question, NULL};
    const char *without[] = {"/usr/bin/timeout", "--kill-after=1", ASK_SECONDS, program, question, NULL};
    return command_run(ctx, config == NULL ? without : with);
}

static char *on_one_line(const void *ctx, const char *text)
{
    char *line = mem_strndup(ctx, text, strlen(text) - (*text != '\0' && text[strlen(text) - 1] == '\n'));
    for (char *at = line; *at != '\0'; at++)
        *at = *at == '\n' ? '|' : (unsigned char)*at < ' ' ? '?' : *at;
    return line;
}

enum op_err instances_ask_version(const void *ctx, const char *server, const char *version, const char *config,
                                  const char **ret_follows, const char **ret_why)
{
    const char *program = program_of(ctx, server, version);
    if (instances_check(ctx, server, version, ret_why) != OP_OK)
        return OP_ABSENT;
    struct command_result told = ask(ctx, program, NULL, "--version");
    const char *number = told.status == 0 ? said(ctx, told.output, server) : NULL;
    if (number == NULL || strcmp(number, version) != 0) {
        *ret_why = mem_printf(ctx, "%s --version does not say \"%s %s\": install the package partita-%s-%s anew", program,
                              server, version, server, version);
        return OP_ABSENT;
    }
    const char *follows = said(ctx, told.output, "follows");
    *ret_follows = follows == NULL || strcmp(follows, "none") == 0 ? "" : follows;
    struct command_result judged = ask(ctx, program, config, "--check-config");
    if (judged.status == 0)
        return OP_OK;
    *ret_why = mem_printf(ctx, "%s %s refuses the configuration: %s", server, version,
                          *judged.output == '\0' ? "it says nothing" : on_one_line(ctx, judged.output));
    return OP_INVALID;
}

uint32_t instances_ask_format(const void *ctx, const char *program, const char **ret_version)
{
    struct command_result told = ask(ctx, program, NULL, "--version");
    const char *records = told.status == 0 ? said(ctx, told.output, "records") : NULL;
    const char *space = strchr(told.output, ' ');
    uint64_t format = 0;
    *ret_version = NULL;
    if (records == NULL || space == NULL || num_parse_u64(bytes_of(records), UINT32_MAX, &format) != OP_OK)
        return 0;
    *ret_version = mem_strndup(ctx, space + 1, strcspn(space + 1, "\n"));
    return (uint32_t)format;
}

const char **instances_versions(const void *ctx, const char *server, size_t *ret_count)
{
    const char *path = mem_printf(ctx, VERSIONS "/%s", server), **found = NULL;
    DIR *dir = opendir(path);
    size_t count = 0;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        struct stat st;
        if (entry->d_name[0] == '.' || stat(mem_printf(ctx, "%s/%s/%s", path, entry->d_name, server), &st) != 0)
            continue;
        found = mem_grow(ctx, found, const char *, count + 1);
        found[count++] = mem_strdup(ctx, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    *ret_count = count;
    return found;
}

/* --- links --- */

static enum op_err failed(const void *ctx, const char *path, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "%s: %s", path, strerror(errno));
    return OP_BROKEN;
}

/* A link made beside and renamed over the old one: whoever starts meanwhile sees one or the other. */
static enum op_err put_link(const void *ctx, const char *target, const char *path, const char **ret_why)
{
    const char *fresh = mem_printf(ctx, "%s.new", path), *present = link_target(ctx, path);
    if (present != NULL && strcmp(present, target) == 0)
        return OP_OK;
    (void)unlink(fresh);
    if (symlink(target, fresh) != 0 || rename(fresh, path) != 0)
        return failed(ctx, path, ret_why);
    return OP_OK;
}

enum op_err instances_link(const void *ctx, const char *instance, const char *server, const char *version,
                           const char **ret_why)
{
    return put_link(ctx, instances_version_dir(ctx, server, version), mem_printf(ctx, RUNNING "/%s", instance), ret_why);
}

/* Each step leaves links that opctl rollback understands, should it be the last one. */
enum op_err instances_prove(const void *ctx, const char *server, const char *version, bool keep, const char **ret_why)
{
    const char *path = mem_printf(ctx, RUNNING "/%s@1", server), *aside = previous_of(ctx, path);
    const char *target = instances_version_dir(ctx, server, version), *present = link_target(ctx, path);
    const char *kept = link_target(ctx, aside);
    if (present != NULL && strcmp(present, target) == 0)
        return OP_OK;
    if (kept != NULL && strcmp(kept, target) == 0) {
        if (renameat2(AT_FDCWD, aside, AT_FDCWD, path, keep && present != NULL ? RENAME_EXCHANGE : 0) != 0)
            return failed(ctx, path, ret_why);
        return OP_OK;
    }
    enum op_err err = keep && present != NULL ? put_link(ctx, present, aside, ret_why) : OP_OK;
    return err == OP_OK ? put_link(ctx, target, path, ret_why) : err;
}

void instances_forget(const void *ctx, const char *server, const char *version)
{
    const char *aside = previous_of(ctx, mem_printf(ctx, RUNNING "/%s@1", server)), *kept = version_of(ctx, aside);
    if (kept != NULL && strcmp(kept, version) == 0)
        (void)unlink(aside);
}

/* --- what starts at boot --- */

static enum op_err enable_one(const void *ctx, const char *server, const char *from, const char *to, const char **ret_why)
{
    const char *path = wanted_path(ctx, to);
    struct stat st;
    if (lstat(path, &st) == 0)
        return OP_OK;
    if (from != NULL && rename(wanted_path(ctx, from), path) == 0)
        return OP_OK;
    if (mkdir(WANTS, 0755) != 0 && errno != EEXIST)
        return failed(ctx, WANTS, ret_why);
    if (symlink(mem_printf(ctx, UNIT_FILES "/%s@.service", server), path) != 0 && errno != EEXIST)
        return failed(ctx, path, ret_why);
    return OP_OK;
}

enum op_err instances_enable(const void *ctx, const char *server, const struct rollout_plan *plan, const char **ret_why)
{
    bool moves = plan->from_side != 0 && plan->from_side != plan->to_side;
    for (unsigned n = 1; n <= plan->to_count; n++) {
        const char *from = moves ? instances_name(ctx, server, plan->from_side, n) : NULL;
        enum op_err err = enable_one(ctx, server, from, instances_name(ctx, server, plan->to_side, n), ret_why);
        if (err != OP_OK)
            return err;
    }
    for (unsigned n = 1; n <= ROLLOUT_INSTANCES_MAX; n++) {
        if (moves)
            (void)unlink(wanted_path(ctx, instances_name(ctx, server, plan->from_side, n)));
        if (n > plan->to_count)
            (void)unlink(wanted_path(ctx, instances_name(ctx, server, plan->to_side, n)));
    }
    return OP_OK;
}

/* --- systemd --- */

static enum op_err systemctl(const void *ctx, const char *const *options, const char *const *names, size_t count,
                             const char **ret_why)
{
    const char *argv[ROLLOUT_INSTANCES_MAX + 8] = {"systemctl"};
    size_t n = 1;
    for (size_t i = 0; options[i] != NULL; i++)
        argv[n++] = options[i];
    for (size_t i = 0; i < count && i < ROLLOUT_INSTANCES_MAX; i++)
        argv[n++] = mem_printf(ctx, "%s.service", names[i]);
    struct command_result result = command_run(ctx, argv);
    if (result.status == 0)
        return OP_OK;
    *ret_why = mem_printf(ctx, "systemctl %s: %.*s", options[0], (int)strcspn(result.output, "\n"), result.output);
    return OP_BROKEN;
}

enum op_err instances_start(const void *ctx, const char *const *names, size_t count, const char **ret_why)
{
    const char *ignored; /* one that was never loaded has nothing to reset */
    (void)systemctl(ctx, (const char *const[]){"reset-failed", NULL}, names, count, &ignored);
    return systemctl(ctx, (const char *const[]){"start", "--no-block", NULL}, names, count, ret_why);
}

enum op_err instances_drain(const void *ctx, const char *const *names, size_t count, const char **ret_why)
{
    return systemctl(ctx, (const char *const[]){"stop", "--no-block", NULL}, names, count, ret_why);
}

/* "NRestarts=3" among the lines of systemctl show. */
static const char *property(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at == NULL ? "" : at + strlen(name);
}

struct instances_health instances_health(const void *ctx, const char *instance)
{
    struct command_result result = command_run(ctx, (const char *const[]){
        "systemctl", "show", "--property=ActiveState,NRestarts,MainPID,Job", mem_printf(ctx, "%s.service", instance), NULL});
    const char *state = property(result.output, "ActiveState=");
    return (struct instances_health){mem_strndup(ctx, state, strcspn(state, "\n")),
                                     strtol(property(result.output, "NRestarts="), NULL, 10),
                                     strtol(property(result.output, "MainPID="), NULL, 10),
                                     strtol(property(result.output, "Job="), NULL, 10) != 0};
}

const char *instances_last_words(const void *ctx, const char *instance, int64_t since)
{
    struct command_result journal = command_run(ctx, (const char *const[]){
        "journalctl", "--quiet", "--no-pager", "--output=cat", mem_printf(ctx, "--since=@%lld", (long long)since),
        mem_printf(ctx, "--unit=%s.service", instance), NULL});
    const char *why = NULL, *event;
    for (const char *line = journal.output; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        json_t *said;
        if (*line == '{' && json_read(ctx, bytes_from(line, strcspn(line, "\n")), &said) == OP_OK &&
            json_get_string(said, "event", &event) == OP_OK && strcmp(event, "start_failed") == 0)
            (void)!json_get_string(said, "why", &why);
    }
    return why == NULL ? "" : mem_printf(ctx, ": %s", why);
}

enum op_err instances_lock(const char **ret_why)
{
    /* Not in a place that others may read: who can open it can lock it for ever. */
    int fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        *ret_why = LOCK " cannot be opened: are you root?";
        return OP_BROKEN;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        *ret_why = "another deployment is going on on this machine: wait for its end";
        return OP_BUSY;
    }
    return OP_OK;
}
