#include "runtime/listen.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };
static const char UNIX_PREFIX[] = "unix:";

static const char *unix_path(const char *address)
{
    size_t len = strlen(UNIX_PREFIX);
    return strncmp(address, UNIX_PREFIX, len) == 0 ? address + len : NULL;
}

static enum op_err failed(const void *ctx, const char *address, int error, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "%s: %s", address, strerror(error));
    return error == EADDRINUSE ? OP_EXISTS : OP_BROKEN;
}

/* A socket file whose process is gone stays behind and would block its name. */
static void remove_if_dead(const struct sockaddr_un *name)
{
    struct stat st;
    if (lstat(name->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED)
        (void)unlink(name->sun_path);
    close(fd);
}

static int bind_and_listen(int family, const struct sockaddr *address, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int yes = 1;
    if (family != AF_UNIX)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, address, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static enum op_err bind_unix(const void *ctx, const char *address, int *ret_fd, const char **ret_why)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const char *path = unix_path(address);
    if (path[0] != '/' || strlen(path) >= sizeof name.sun_path) {
        *ret_why = mem_printf(ctx, "%s: the path is not absolute or longer than %zu bytes", address,
                              sizeof name.sun_path - 1);
        return OP_INVALID;
    }
    memcpy(name.sun_path, path, strlen(path));
    remove_if_dead(&name);
    int fd = bind_and_listen(AF_UNIX, (const struct sockaddr *)&name, sizeof name);
    if (fd < 0)
        return failed(ctx, address, errno, ret_why);
    *ret_fd = fd;
    return OP_OK;
}

static enum op_err bind_inet(const void *ctx, const char *address, int *ret_fd, const char **ret_why)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == '\0') {
        *ret_why = mem_printf(ctx, "%s: an address is HOST:PORT or unix:PATH", address);
        return OP_INVALID;
    }
    bool brackets = address[0] == '[' && colon[-1] == ']';
    size_t skip = brackets ? 1 : 0;
    char *host = mem_strndup(ctx, address + skip, (size_t)(colon - address) - 2 * skip);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int code = getaddrinfo(host, colon + 1, &hints, &found);
    if (code != 0) {
        *ret_why = mem_printf(ctx, "%s: %s", address, gai_strerror(code));
        return OP_INVALID;
    }
    int fd = bind_and_listen(found->ai_family, found->ai_addr, found->ai_addrlen);
    int error = errno;
    freeaddrinfo(found);
    if (fd < 0)
        return failed(ctx, address, error, ret_why);
    *ret_fd = fd;
    return OP_OK;
}

enum op_err listen_bind(const void *ctx, const char *address, int *ret_fd, const char **ret_why)
{
    if (unix_path(address) != NULL)
        return bind_unix(ctx, address, ret_fd, ret_why);
    return bind_inet(ctx, address, ret_fd, ret_why);
}

void listen_remove(const char *address)
{
    const char *path = unix_path(address);
    if (path != NULL)
        (void)unlink(path);
}
