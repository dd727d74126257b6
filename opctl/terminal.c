#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "operator/operate_users.h"

enum { PASSWORD_MAX = OPERATE_PASSWORD_MAX };

const char *terminal_password_problem(const void *ctx, const char *password)
{
    if (*password == '\0')
        return "the password is empty: type it, or give it on standard input";
    const char *wrong = operate_password_problem(password);
    return wrong == NULL ? NULL : mem_printf(ctx, "the password %s", wrong);
}

static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
    interrupted = number;
}

/* One line without its end. OP_TOO_LARGE; OP_ABSENT: nothing came; OP_BROKEN: a signal or a read error. */
static enum op_err read_line(const void *ctx, int fd, char **ret)
{
    char *line = mem_secret(mem_array(ctx, char, PASSWORD_MAX + 2));
    size_t len = 0;
    for (;;) {
        ssize_t got = read(fd, line + len, 1);
        if (got < 0)
            return OP_BROKEN;
        if (got == 0 && len == 0)
            return OP_ABSENT;
        if (got == 0 || line[len] == '\n')
            break;
        if (++len > PASSWORD_MAX)
            return OP_TOO_LARGE;
    }
    line[len] = '\0';
    if (memchr(line, '\0', len) != NULL)
        return OP_INVALID;
    if (len > 0 && line[len - 1] == '\r')
        line[len - 1] = '\0';
    *ret = line;
    return OP_OK;
}

static enum op_err ask(const void *ctx, int fd, const char *prompt, char **ret)
{
    if (write(fd, prompt, strlen(prompt)) < 0)
        return OP_BROKEN;
    enum op_err err = read_line(ctx, fd, ret);
    if (write(fd, "\n", 1) < 0)
        return OP_BROKEN;
    return err;
}

static enum op_err ask_twice(const void *ctx, int fd, const char *prompt, char **ret, const char **ret_why)
{
    char *first, *second;
    enum op_err err = ask(ctx, fd, prompt, &first);
    if (err == OP_OK && (*ret_why = terminal_password_problem(ctx, first)) != NULL)
        return OP_INVALID;
    if (err == OP_OK)
        err = ask(ctx, fd, "Again: ", &second);
    if (err == OP_OK && strcmp(first, second) != 0) {
        *ret_why = "the two passwords are not the same";
        return OP_INVALID;
    }
    if (err == OP_OK)
        *ret = first;
    return err;
}

/* Runs ask_twice with echo off, and puts the terminal back also when a signal comes; the signal is then
 * delivered again. */
static enum op_err ask_without_echo(const void *ctx, int fd, const char *prompt, char **ret, const char **ret_why)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    enum { SIGNALS = sizeof signals / sizeof *signals };
    struct termios before, silent;
    struct sigaction noting = {.sa_handler = note_signal}, old[SIGNALS], stop = {.sa_handler = SIG_IGN}, old_stop;
    if (tcgetattr(fd, &before) != 0)
        return OP_BROKEN;
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &noting, &old[i]);
    sigaction(SIGTSTP, &stop, &old_stop);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    enum op_err err = tcsetattr(fd, TCSAFLUSH, &silent) != 0 ? OP_BROKEN : ask_twice(ctx, fd, prompt, ret, ret_why);
    tcsetattr(fd, TCSAFLUSH, &before);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &old[i], NULL);
    sigaction(SIGTSTP, &old_stop, NULL);
    if (interrupted != 0)
        raise(interrupted);
    return err;
}

static enum op_err from_terminal(const void *ctx, const char *prompt, char **ret, const char **ret_why)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool own = fd >= 0;
    if (!own)
        fd = STDIN_FILENO;
    enum op_err err = ask_without_echo(ctx, fd, prompt, ret, ret_why);
    if (own)
        close(fd);
    return err;
}

enum op_err terminal_new_password(const void *ctx, const char *prompt, char **ret, const char **ret_why)
{
    char *password;
    const char *why = NULL;
    enum op_err err = isatty(STDIN_FILENO) ? from_terminal(ctx, prompt, &password, &why)
                                           : read_line(ctx, STDIN_FILENO, &password);
    if (err == OP_OK)
        why = terminal_password_problem(ctx, password);
    else if (why == NULL)
        why = err == OP_TOO_LARGE ? "the password is longer than 1024 bytes"
              : err == OP_INVALID ? "the password has control characters in it"
                                  : "no password came: type it, or give it on standard input";
    if (why != NULL) {
        *ret_why = why;
        return OP_INVALID;
    }
    *ret = password;
    return OP_OK;
}

enum op_err terminal_answer(const void *ctx, const char *prompt, char **ret)
{
    if (write(STDERR_FILENO, prompt, strlen(prompt)) < 0)
        return OP_BROKEN;
    return read_line(ctx, STDIN_FILENO, ret);
}
