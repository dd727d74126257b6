#include "command.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

enum { OUTPUT_MAX = 64 * 1024, CANNOT_RUN = 127 };
extern char **environ;

/* Standard input from `in`, standard output to `out`, and standard error where `errors` says so. */
static int spawn(pid_t *pid, const char *const *argv, int in, int out, bool errors)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = in >= 0 ? posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO)
                    : posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (error == 0 && errors)
        error = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    if (error == 0)
        error = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Everything until the other end is closed; what is too much is read and dropped. */
static struct buf read_output(const void *ctx, int fd)
{
    struct buf out = buf_make(ctx);
    char part[4096];
    ssize_t got;
    while ((got = read(fd, part, sizeof part)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0 && out.len + (size_t)got <= OUTPUT_MAX)
            buf_add_bytes(&out, bytes_from(part, (size_t)got));
    mem_wipe(part, sizeof part);
    return out;
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return CANNOT_RUN;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static struct command_result run(const void *ctx, const char *const *argv, int in, bool errors)
{
    int ends[2];
    pid_t pid;
    int error = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
    if (error != 0)
        return (struct command_result){CANNOT_RUN, mem_strdup(ctx, strerror(error)), 0};
    error = spawn(&pid, argv, in, ends[1], errors);
    close(ends[1]);
    struct command_result result = {CANNOT_RUN, NULL, 0};
    if (error != 0) {
        result.output = mem_printf(ctx, "%s: %s", argv[0], strerror(error));
    } else {
        struct buf out = read_output(ctx, ends[0]);
        result = (struct command_result){wait_for(pid), buf_string(&out), out.len};
    }
    close(ends[0]);
    return result;
}

struct command_result command_run(const void *ctx, const char *const *argv)
{
    return run(ctx, argv, -1, true);
}

struct command_result command_pipe(const void *ctx, const char *const *argv, struct bytes input)
{
    int ends[2];
    assert(input.len <= COMMAND_INPUT_MAX);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return (struct command_result){CANNOT_RUN, mem_strdup(ctx, strerror(errno)), 0};
    ssize_t written = write(ends[1], input.data, input.len);
    close(ends[1]);
    struct command_result result = {CANNOT_RUN, mem_strdup(ctx, "a pipe cannot be written"), 0};
    if (written == (ssize_t)input.len)
        result = run(ctx, argv, ends[0], false);
    close(ends[0]);
    return result;
}
