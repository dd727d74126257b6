/* A real server in a child process on a Unix socket or a loopback port, and raw sockets against it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/http.h"

enum { PATIENCE_MS = 5000 };

/* ---- the server under test: answers with what it saw ---- */

static struct event_base *base;
static struct http_server *server;

static long head_hook(struct http_request *req, void *arg)
{
    (void)arg;
    if (strcmp(req->path, "/refused") == 0) {
        http_reply(req, 404, "text/plain", bytes_of("no"));
        return -1;
    }
    return strcmp(req->path, "/small") == 0 ? 8 : 1 << 20;
}

struct later {
    struct http_request *req;
    struct event *timer;
};

static void reply_seen(struct http_request *req)
{
    char *body = mem_printf(req, "%d %s %zu:%.*s %s", req->method, req->path, req->body.len, (int)req->body.len,
                            req->body.len == 0 ? "" : (const char *)req->body.data, req->client_address);
    http_reply(req, 200, "text/plain", bytes_of(body));
}

static void reply_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct later *later = arg;
    struct http_request *req = later->req;
    event_free(later->timer);
    free(later);
    reply_seen(req);
}

static void request_hook(struct http_request *req, void *arg)
{
    (void)arg;
    if (strcmp(req->path, "/later") != 0) {
        reply_seen(req);
        return;
    }
    struct later *later = malloc(sizeof *later);
    struct timeval in = {.tv_usec = 30000};
    later->req = req;
    later->timer = evtimer_new(base, reply_later, later);
    event_add(later->timer, &in);
}

static void on_drained(void *arg)
{
    (void)arg;
    event_base_loopexit(base, NULL);
}

static void on_sigterm(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    http_drain(server, on_drained, NULL);
}

static void serve(int fd, const struct http_limits *limits, char *const *trusted, size_t trusted_count)
{
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(config);
    event_config_free(config);
    void *ctx = mem_root("server");
    const struct http_hooks hooks = {.head = head_hook, .request = request_hook};
    server = http_new(ctx, base, limits, &hooks, trusted, trusted_count);
    if (http_listen_fd(server, fd) != OP_OK)
        _exit(2);
    struct event *term = evsignal_new(base, SIGTERM, on_sigterm, NULL);
    event_add(term, NULL);
    alarm(60);
    event_base_dispatch(base);
    event_free(term);
    talloc_free(ctx);
    event_base_free(base);
    exit(0);
}

/* ---- the other side ---- */

struct fixture {
    pid_t pid;
    struct sockaddr_in address;
};

static struct fixture start(const struct http_limits *limits, char *const *trusted, size_t trusted_count)
{
    struct fixture f = {.address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    socklen_t len = sizeof f.address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&f.address, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&f.address, &len), 0);
    f.pid = fork();
    assert_true(f.pid >= 0);
    if (f.pid == 0)
        serve(fd, limits, trusted, trusted_count);
    close(fd);
    return f;
}

/* Ends the server by draining; its status must be 0 (and so no sanitizer complained). */
static void stop(struct fixture *f)
{
    int status = -1;
    kill(f->pid, SIGTERM);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_int_equal(status, 0);
}

static int dial(const struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&f->address, sizeof f->address), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the peer closes. */
static void hear(int fd, char *out, size_t size)
{
    size_t len = 0;
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        ssize_t n = recv(fd, out + len, size - 1 - len, 0);
        assert_true(n >= 0); /* a reset would have lost the reply */
        if (n == 0)
            break;
        len += (size_t)n;
        assert_true(len < size - 1);
    }
    out[len] = '\0';
}

static void a_request_is_answered(void **state)
{
    (void)state;
    const struct http_limits limits = {0};
    struct fixture f = start(&limits, NULL, 0);
    char reply[4096];
    int fd = dial(&f);
    say(fd, "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\nPOST /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            "Content-Length: 3\r\n\r\nabc");
    hear(fd, reply, sizeof reply);
    close(fd);
    const char *second = strstr(reply, "1 /a 0: 127.0.0.1HTTP/1.1 200 OK\r\n");
    assert_non_null(second);
    assert_non_null(strstr(second, "Connection: close\r\n"));
    assert_non_null(strstr(second, "4 /c 3:abc 127.0.0.1"));
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
