#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

enum { OUTPUT_MAX = 64 * 1024, CANNOT_RUN = 127 };
extern char **environ;

static int spawn(pid_t *pid, const char *const *argv, const int pipe_ends[2])
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO && error == 0; fd++)
        error = posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], fd);
    if (error == 0)
        error = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Everything until the other end is closed; what is too much is read and dropped. */
static char *read_output(const void *ctx, int fd)
{
    struct buf out = buf_make(ctx);
    char part[4096];
    ssize_t got;
    while ((got = read(fd, part, sizeof part)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0 && out.len + (size_t)got <= OUTPUT_MAX)
            buf_add_bytes(&out, bytes_from(part, (size_t)got));
    return buf_string(&out);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return CANNOT_RUN;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct command_result command_run(const void *ctx, const char *const *argv)
{
    int ends[2];
    pid_t pid;
    int error = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
    if (error != 0)
        return (struct command_result){CANNOT_RUN, mem_strdup(ctx, strerror(error))};
    error = spawn(&pid, argv, ends);
    close(ends[1]);
    struct command_result result = {CANNOT_RUN, NULL};
    if (error != 0) {
        result.output = mem_printf(ctx, "%s: %s", argv[0], strerror(error));
    } else {
        result.output = read_output(ctx, ends[0]);
        result.status = wait_for(pid);
    }
    close(ends[0]);
    return result;
}
