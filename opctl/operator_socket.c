#include "operator_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"

enum { WAIT_S = 5, ANSWER_MAX = 4 * 1024 * 1024 };

static int connect_to(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const struct timeval wait = {.tv_sec = WAIT_S};
    if (strlen(path) >= sizeof name.sun_path)
        return -1;
    memcpy(name.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The server closes the connection after its answer, because it was told to. */
static enum op_err read_all(int fd, struct buf *out)
{
    char part[8192];
    for (;;) {
        ssize_t got = recv(fd, part, sizeof part, 0);
        if (got == 0)
            return OP_OK;
        if (got < 0)
            return OP_BUSY;
        if (out->len + (size_t)got > ANSWER_MAX)
            return OP_INVALID;
        buf_add_bytes(out, bytes_from(part, (size_t)got));
    }
}

static enum op_err ask(int fd, const char *request, struct buf *answer)
{
    size_t len = strlen(request);
    if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
        return OP_BUSY;
    return read_all(fd, answer);
}

enum op_err operator_socket_get(const void *ctx, const char *socket_path, const char *path, int *ret_status,
                                char **ret_body)
{
    int fd = connect_to(socket_path), status;
    if (fd < 0)
        return OP_ABSENT;
    struct buf answer = buf_make(ctx);
    enum op_err err = ask(fd, mem_printf(ctx, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path),
                          &answer);
    close(fd);
    if (err != OP_OK)
        return err;
    const char *text = buf_string(&answer), *body = strstr(text, "\r\n\r\n");
    if (body == NULL || sscanf(text, "HTTP/1.1 %3d ", &status) != 1)
        return OP_INVALID;
    *ret_status = status;
    *ret_body = mem_strdup(ctx, body + 4);
    return OP_OK;
}
