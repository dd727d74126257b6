/* Preloaded into opctl: kills it with -9 just before the CUT_AT-th step that would change something outside of it (a link, a
 * file, a word to systemd), counted from 1. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void step(void)
{
    static int steps;
    const char *at = getenv("CUT_AT");
    if (strcmp(program_invocation_short_name, "opctl") == 0 && at != NULL && ++steps == atoi(at))
        kill(getpid(), SIGKILL);
}

static int exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

int symlink(const char *target, const char *path)
{
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "symlink");
    if (!exists(path))
        step();
    return real(target, path);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    if (exists(from))
        step();
    return real(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    int (*real)(int, const char *, int, const char *, unsigned) =
        (int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2");
    step();
    return real(from_dir, from, to_dir, to, flags);
}

int unlink(const char *path)
{
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    if (exists(path))
        step();
    return real(path);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const *argv, char *const *envp)
{
    int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *) =
        (int (*)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *,
                 char *const *))dlsym(RTLD_NEXT, "posix_spawnp");
    if (argv[1] != NULL && (strcmp(argv[1], "start") == 0 || strcmp(argv[1], "stop") == 0))
        step();
    return real(pid, file, actions, attributes, argv, envp);
}
