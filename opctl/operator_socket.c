#include "operator_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { WAIT_MS = 5000, ANSWER_MAX = 4 * 1024 * 1024 };

static int connect_to(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof name.sun_path)
        return -1;
    memcpy(name.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* Returns the descriptor to read from; -1: the question is answered already. */
static int begin(const void *ctx, struct operator_question *question)
{
    int fd = connect_to(question->socket_path);
    question->err = OP_BUSY;
    if (fd < 0) {
        question->err = errno == EAGAIN ? OP_BUSY : OP_ABSENT;
        return -1;
    }
    const char *request =
        mem_printf(ctx, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", question->path);
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request))
        return fd;
    close(fd);
    return -1;
}

/* What a server says is shown on the operator's terminal, and a server may have been taken over: lines of visible ASCII. */
static void make_harmless(char *text)
{
    for (; *text != '\0'; text++)
        if (*text != '\n' && (*text < ' ' || *text > '~'))
            *text = '?';
}

static void judge(const void *ctx, struct operator_question *question, struct buf *answer)
{
    const char *text = buf_string(answer), *body = strstr(text, "\r\n\r\n");
    question->err = OP_INVALID;
    if (body == NULL || sscanf(text, "HTTP/1.1 %3d ", &question->status) != 1)
        return;
    question->body = mem_strdup(ctx, body + 4);
    make_harmless(question->body);
    question->err = OP_OK;
}

/* The server closes the connection after its answer, because it was told to. True: it has. */
static bool read_more(const void *ctx, struct operator_question *question, int fd, struct buf *answer)
{
    char part[16384];
    ssize_t got = recv(fd, part, sizeof part, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got > 0 && answer->len + (size_t)got <= ANSWER_MAX) {
        buf_add_bytes(answer, bytes_from(part, (size_t)got));
        return false;
    }
    if (got == 0)
        judge(ctx, question, answer);
    else
        question->err = got < 0 ? OP_ABSENT : OP_INVALID;
    return true;
}

static size_t begin_all(const void *ctx, struct operator_question *questions, size_t count, struct pollfd *fds)
{
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = begin(ctx, &questions[i]), .events = POLLIN};
        open += fds[i].fd >= 0;
    }
    return open;
}

void operator_socket_ask(const void *ctx, struct operator_question *questions, size_t count, unsigned wait_ms)
{
    struct pollfd *fds = mem_array(ctx, struct pollfd, count);
    struct buf *answers = mem_array(ctx, struct buf, count);
    int64_t deadline = clock_monotonic_us() + (int64_t)wait_ms * 1000, left;
    size_t open = begin_all(ctx, questions, count, fds);
    for (size_t i = 0; i < count; i++)
        answers[i] = buf_make(ctx);
    while (open > 0 && (left = deadline - clock_monotonic_us()) > 0) {
        if (poll(fds, count, (int)(left / 1000) + 1) < 0 && errno != EINTR)
            break;
        for (size_t i = 0; i < count; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0 || !read_more(ctx, &questions[i], fds[i].fd, &answers[i]))
                continue;
            close(fds[i].fd);
            fds[i].fd = -1; /* poll leaves it out */
            open--;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
}

enum op_err operator_socket_get(const void *ctx, const char *socket_path, const char *path, int *ret_status,
                                char **ret_body)
{
    struct operator_question question = {.socket_path = socket_path, .path = path};
    operator_socket_ask(ctx, &question, 1, WAIT_MS);
    if (question.err == OP_OK) {
        *ret_status = question.status;
        *ret_body = question.body;
    }
    return question.err;
}
