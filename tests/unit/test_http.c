/* A real server in a child process on a Unix socket or a loopback port, and raw sockets against it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/http.h"
#include "runtime/http_reply.h"

enum { PATIENCE_MS = 5000 };

/* ---- the server under test: answers with what it saw ---- */

static struct event_base *base;
static struct http_server *server;
static int last_breach;
static unsigned finished;

static long head_hook(struct http_request *req, void *arg)
{
    (void)arg;
    if (strcmp(req->path, "/refused") == 0) {
        http_reply(req, 404, "text/plain", bytes_of("no"));
        return -1;
    }
    return strcmp(req->path, "/small") == 0 ? 8 : 1 << 20;
}

static void finished_hook(const struct http_request *req, int status, size_t bytes, void *arg)
{
    (void)req, (void)status, (void)bytes, (void)arg;
    finished++;
}

static void breach_hook(const struct http_request *req, int status, const char *what, const char *client_address, void *arg)
{
    (void)req, (void)what, (void)client_address, (void)arg;
    last_breach = status;
}

struct later {
    struct http_request *req;
    struct event *timer;
};

static struct http_request *held; /* a request to /held, which is answered once the drain has begun */
static bool drains;

static void reply_seen(struct http_request *req)
{
    char *body = mem_printf(req, "%d %s %zu:%.*s %s", req->method, req->path, req->body.len, (int)req->body.len,
                            req->body.len == 0 ? "" : (const char *)req->body.data, req->client_address);
    http_reply(req, 200, "text/plain", bytes_of(body));
}

static void reply_special(struct http_request *req)
{
    if (strcmp(req->path, "/stats") == 0) {
        char *body = mem_printf(req, "connections=%u breach=%d finished=%u failures=%d ", http_stats(server).connections,
                                last_breach, finished, (int)http_stats(server).accept_failures);
        http_reply(req, 200, "text/plain", bytes_of(body));
    } else if (strcmp(req->path, "/ids") == 0) {
        char *body = mem_printf(req, "<%s> <%s> <%s>", req->client_address, req->request_id,
                                req->trace->trace_id);
        http_reply(req, 200, "text/plain", bytes_of(body));
    } else if (strcmp(req->path, "/empty") == 0) {
        http_set_field(req, "X-Set", "one");
        http_set_fieldf(req, "X-Set", "t%s", "wo");
        http_reply(req, 204, NULL, bytes_of(NULL));
    } else if (strcmp(req->path, "/unchanged") == 0) {
        http_reply(req, 304, "text/plain", bytes_of("x"));
    } else if (strcmp(req->path, "/big") == 0) {
        http_reply(req, 200, "text/plain", bytes_from(mem_array(req, char, 16 << 20), 16 << 20));
    } else {
        struct rlimit files = {.rlim_cur = strcmp(req->path, "/starve") == 0 ? 1 : 1024, .rlim_max = 1024};
        http_reply(req, setrlimit(RLIMIT_NOFILE, &files) == 0 ? 200 : 500, NULL, bytes_of(NULL));
    }
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
    static const char *const special[] = {"/stats", "/ids", "/empty", "/unchanged", "/big", "/starve", "/feed"};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (strcmp(req->path, special[i]) == 0) {
            reply_special(req);
            return;
        }
    }
    if (strcmp(req->path, "/held") == 0 && !drains) {
        held = req;
        return;
    }
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
    drains = true;
    if (held != NULL)
        reply_seen(held);
    held = NULL;
}

static void serve(int fd, const struct http_limits *limits, char *const *trusted, size_t trusted_count)
{
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(config);
    event_config_free(config);
    void *ctx = mem_root("server");
    const struct http_hooks hooks = {.head = head_hook, .request = request_hook, .finished = finished_hook,
                                     .breach = breach_hook};
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
    struct sockaddr_storage address;
    socklen_t len;
};

static struct fixture start_at(struct fixture f, const struct http_limits *limits, char *const *trusted,
                               size_t trusted_count)
{
    int fd = socket(f.address.ss_family, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&f.address, f.len), 0);
    assert_int_equal(listen(fd, 64), 0);
    f.len = sizeof f.address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&f.address, &f.len), 0);
    f.pid = fork();
    assert_true(f.pid >= 0);
    if (f.pid == 0)
        serve(fd, limits, trusted, trusted_count);
    close(fd);
    return f;
}

static struct fixture start(const struct http_limits *limits)
{
    struct fixture f = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    memcpy(&f.address, &address, sizeof address);
    return start_at(f, limits, NULL, 0);
}

/* The server ended by itself or by a drain; its status is 0, so no sanitizer complained. */
static void wait_for(struct fixture *f)
{
    int status = -1;
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_int_equal(status, 0);
}

static void stop(struct fixture *f)
{
    kill(f->pid, SIGTERM);
    wait_for(f);
}

static int dial(const struct fixture *f)
{
    int fd = socket(f->address.ss_family, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&f->address, f->len), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

static bool readable_within(int fd, int ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, ms) == 1;
}

static char heard[65536]; /* what hear() and hear_until() read last */

/* Reads until the text has come, or with NULL until the peer closes. */
static const char *hear_until(int fd, const char *text)
{
    size_t len = 0;
    heard[0] = '\0';
    while (text == NULL || strstr(heard, text) == NULL) {
        assert_true(readable_within(fd, PATIENCE_MS));
        ssize_t n = recv(fd, heard + len, sizeof heard - 1 - len, 0);
        assert_true(n >= 0); /* a reset would have lost the reply */
        if (n == 0)
            break;
        len += (size_t)n;
        assert_true(len < sizeof heard - 1);
        heard[len] = '\0';
    }
    assert_true(text == NULL || strstr(heard, text) != NULL);
    return heard;
}

/* Reads until the peer closes, and closes. */
static const char *hear(int fd)
{
    hear_until(fd, NULL);
    close(fd);
    return heard;
}

/* The statuses of all replies in a text: "200 400 ". */
static const char *statuses(const char *text)
{
    static char out[256];
    out[0] = '\0';
    for (const char *at = strstr(text, "HTTP/1.1 "); at != NULL; at = strstr(at + 9, "HTTP/1.1 "))
        strncat(out, at + 9, 4);
    return out;
}

static int64_t now_ms(void)
{
    return clock_monotonic_us() / 1000;
}

/* ---- the tests ---- */

#define HOST "Host: x\r\n"
#define LAST "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

struct row {
    const char *text;
    const char *expected; /* the statuses of the replies, up to the close */
};

static void check(const struct http_limits *limits, const struct row *rows, size_t count)
{
    struct fixture f = start(limits);
    for (size_t i = 0; i < count; i++) {
        int fd = dial(&f);
        say(fd, rows[i].text);
        const char *is = statuses(hear(fd));
        if (strcmp(is, rows[i].expected) != 0)
            fail_msg("row %zu: expected %s, is %s: %s", i, rows[i].expected, is, rows[i].text);
    }
    stop(&f);
}

/* Each tries to hide a second request; only what is unambiguous gets a second reply. */
static void nothing_is_smuggled(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"GET /a HTTP/1.1\r\n" HOST "\r\n" LAST, "200 200 "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" LAST, "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 6\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" LAST, "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" LAST, "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" LAST, "501 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" LAST, "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" LAST, "400 "},
        {"GET / HTTP/1.1\n" HOST "\n" LAST, "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n" LAST, "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\n0\r\n\r\n" LAST, "400 "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +0\r\n\r\n" LAST, "400 "},
        {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" LAST, "400 "},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" LAST, "400 "},
        {"GET / HTTP/1.0\r\n\r\n" LAST, "200 "},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" LAST, "200 "},
        {"GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" LAST, "200 200 "},
        {"HEAD / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" LAST, "200 200 "},
        {"HEAD / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" LAST, "200 200 "},
        {"DELETE /refused HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" LAST, "404 "},
        {"GET /refused HTTP/1.1\r\n" HOST "\r\n" LAST, "404 200 "},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n" LAST, "200 200 "},
        {"GET http://x/a HTTP/1.1\r\n" HOST "\r\n" LAST, "200 200 "},
        {"CONNECT x:1 HTTP/1.1\r\n" HOST "\r\n" LAST, "501 "},
        {"GET / HTTP/1.3\r\n" HOST "\r\n" LAST, "505 "},
        {"GET / HTTP/1.1\r\n" HOST "Expect: something\r\n\r\n" LAST, "417 "},
        {"GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n" LAST, "200 200 "},
    };
    check(&(struct http_limits){0}, rows, sizeof rows / sizeof *rows);
}

static void bounds_hold(void **state)
{
    (void)state;
    static const struct http_limits limits = {.line_max = 64, .head_max = 64, .fields_max = 3, .body_max = 16};
    static const struct row rows[] = {
        {"GET /0123456789012345678901234567890123456789012345678 HTTP/1.1\r\n" HOST "\r\n", "414 "},
        {"GET / HTTP/1.1\r\n" HOST "A: 012345678901234567890123456789012345678901234567890\r\n\r\n", "431 "},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\nA: b\r\nA: b\r\n\r\n", "431 "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 17\r\n\r\n", "413 "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 16\r\n\r\n0123456789abcdef" LAST, "200 200 "},
        {"POST /small HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n", "413 "},
        {"POST /small HTTP/1.1\r\n" HOST "Content-Length: 8\r\n\r\n01234567" LAST, "200 200 "},
        {"POST /small HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n9\r\n", "413 "},
    };
    check(&limits, rows, sizeof rows / sizeof *rows);
}

static void replies_keep_their_order(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){.requests_max = 1000});
    int fd = dial(&f);
    say(fd, "GET /later HTTP/1.1\r\n" HOST "\r\nGET /b HTTP/1.1\r\n" HOST "\r\n"
            "POST /later HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" LAST);
    const char *at = hear(fd);
    static const char *const bodies[] = {"1 /later 0:", "1 /b 0:", "4 /later 3:abc 127.0.0.1", "1 /last 0:"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        at = strstr(at, bodies[i]);
        assert_non_null(at);
    }
    fd = dial(&f);
    for (int i = 0; i < 300; i++)
        say(fd, "GET /many HTTP/1.1\r\n" HOST "\r\n");
    say(fd, LAST);
    size_t count = 0;
    for (at = hear(fd); (at = strstr(at, "1 /many 0:")) != NULL; at++)
        count++;
    assert_int_equal(count, 300);
    stop(&f);
}

static void every_status_has_a_reason(void **state)
{
    (void)state;
    static const int used[] = {200, 201, 204, 302, 303, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 417,
                               428, 429, 431, 500, 501, 503, 505};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        if (*http_reply_reason(used[i]) == '\0')
            fail_msg("%d has none", used[i]);
    assert_string_equal(http_reply_reason(428), "Precondition Required"); /* RFC 6585 §3 */
    assert_string_equal(http_reply_reason(799), "");
}

static void replies_are_formed(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){0});
    int fd = dial(&f);
    say(fd, "HEAD /h HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" LAST);
    const char *second = strstr(hear(fd) + 1, "HTTP/1.1 200 OK\r\n"); /* nothing between the two heads */
    assert_non_null(second);
    assert_non_null(strstr(heard, "Content-Type: text/plain\r\nContent-Length: 20\r\n\r\nHTTP/1.1"));
    assert_non_null(strstr(heard, "\r\nDate: "));
    assert_null(strstr(heard, "abc"));
    assert_non_null(strstr(second, "Connection: close\r\n\r\n1 /last 0: 127.0.0.1"));
    fd = dial(&f);
    say(fd, "GET /empty HTTP/1.1\r\n" HOST "\r\nGET /unchanged HTTP/1.1\r\n" HOST "\r\n" LAST);
    hear(fd);
    assert_non_null(strstr(heard, "\r\nX-Set: one\r\nX-Set: two\r\n\r\nHTTP/1.1 304 Not Modified\r\n"));
    second = strstr(heard, "304");
    assert_memory_equal(strstr(second, "\r\n\r\n"), "\r\n\r\nHTTP/1.1 200", 16);
    assert_true(strstr(second, "Content-Length") > strstr(second, "HTTP/1.1 200"));
    stop(&f);
}

static void slowness_is_bounded(void **state)
{
    (void)state;
    static const struct http_limits limits = {.head_ms = 150, .body_ms = 150, .idle_ms = 150};
    static const struct row rows[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n", "408 "},
        {"G", "408 "},
        {"GET / HTTP/1.1\r\n" HOST "\r\nGE", "200 408 "},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab", "408 "},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\n", "408 "},
        {"GET / HTTP/1.1\r\n" HOST "\r\n", "200 "},
        {"\r\n", ""},
        {"", ""},
    };
    int64_t before = now_ms();
    check(&limits, rows, sizeof rows / sizeof *rows);
    assert_true(now_ms() - before >= (int64_t)(sizeof rows / sizeof *rows) * 140);

    static const char *const heads[] = {"GET /", "POST / HTTP/1.1\r\n" HOST "Content-Length: 999\r\n\r\n"};
    struct fixture f = start(&limits);
    for (size_t i = 0; i < 2; i++) { /* a deadline, not a silence: bytes that keep coming do not put it off */
        int fd = dial(&f), sent = 0;
        say(fd, heads[i]);
        while (sent < 200 && !readable_within(fd, 20))
            sent += (int)send(fd, "a", 1, MSG_NOSIGNAL);
        assert_in_range(sent, 1, 199);
        assert_string_equal(statuses(hear(fd)), "408 ");
    }
    stop(&f);
}

/* The idle deadline begins anew with each request. */
static void busy_connections_stay(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){.idle_ms = 500});
    int fd = dial(&f);
    for (int i = 0; i < 8; i++) {
        say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\n");
        hear_until(fd, "1 /a 0:");
        pause_ms(100);
    }
    close(fd);
    stop(&f);
}

/* A peer that goes on sending reads the refusal all the same: no reset overtakes it. */
static void refusals_arrive(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){.linger_ms = 300});
    static char block[65536];
    memset(block, 'a', sizeof block);
    for (int round = 0; round < 10; round++) {
        int fd = dial(&f);
        say(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 10000000\r\n\r\n");
        for (int i = 0; i < 16; i++)
            assert_int_equal(send(fd, block, sizeof block, MSG_NOSIGNAL), sizeof block);
        assert_string_equal(statuses(hear_until(fd, "too large\n")), "413 ");
        close(fd);
    }
    int fd = dial(&f); /* one that never closes is let go */
    say(fd, "X\r\n");
    int64_t before = now_ms();
    hear_until(fd, NULL);
    while (send(fd, "a", 1, MSG_NOSIGNAL) == 1 && now_ms() - before < PATIENCE_MS)
        pause_ms(20);
    assert_in_range(now_ms() - before, 250, PATIENCE_MS - 1);
    close(fd);
    stop(&f);
}

static void expectations_are_met(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){0});
    int fd = dial(&f);
    say(fd, "POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_string_equal(hear_until(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "abc" LAST);
    assert_string_equal(statuses(hear(fd)), "200 200 ");
    static const struct row rows[] = {
        {"POST /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" LAST, "200 200 "},
        {"POST /refused HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", "404 "},
        {"POST /small HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n", "413 "},
        {"GET /a HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n" LAST, "200 200 "},
    };
    stop(&f);
    check(&(struct http_limits){0}, rows, sizeof rows / sizeof *rows);
}

static void pieces_are_joined(void **state)
{
    (void)state;
    static const char text[] = "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                               "4;x=y\r\nabcd\r\n2\r\nef\r\n0\r\nA: b\r\n\r\n" LAST;
    struct fixture f = start(&(struct http_limits){0});
    int fd = dial(&f), one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        if (i % 8 == 0)
            pause_ms(1);
    }
    hear(fd);
    assert_string_equal(statuses(heard), "200 200 ");
    assert_non_null(strstr(heard, "4 /a 6:abcdef"));
    stop(&f);
}

static void peers_may_vanish(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){0});
    const struct linger reset = {.l_onoff = 1};
    for (int i = 0; i < 20; i++) {
        int fd = dial(&f);
        say(fd, i % 2 == 0 ? "GET /later HTTP/1.1\r\n" HOST "\r\n"
                           : "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\na");
        pause_ms(i % 3);
        if (i % 4 < 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    int fd = dial(&f); /* one that only stops sending gets its replies */
    say(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 40; i++)
        say(fd, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    shutdown(fd, SHUT_WR);
    assert_int_equal(strlen(statuses(hear(fd))), 41 * strlen("200 "));
    fd = dial(&f);
    say(fd, "GET /b HTTP/1.1\r\n");
    shutdown(fd, SHUT_WR);
    assert_string_equal(statuses(hear(fd)), "400 ");
    fd = dial(&f);
    say(fd, "GET /stats HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    assert_non_null(strstr(hear(fd), "connections=1 breach=400"));
    stop(&f);
}

static void peers_must_read(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){.write_ms = 200});
    int fd = dial(&f);
    say(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n");
    int other = dial(&f);
    int64_t before = now_ms();
    do {
        assert_true(now_ms() - before < PATIENCE_MS);
        pause_ms(50);
        say(other, "GET /stats HTTP/1.1\r\n" HOST "\r\n");
    } while (strstr(hear_until(other, " failures="), "connections=1 ") == NULL);
    assert_true(now_ms() - before >= 200);
    close(fd);
    close(other);
    stop(&f);
}

static void draining_loses_nothing(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){.drain_idle_ms = 1000});
    int idle = dial(&f), used = dial(&f), half = dial(&f), working = dial(&f), fresh = dial(&f);
    say(used, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    hear_until(used, "1 /a 0:");
    say(half, "GET /b HT");
    pause_ms(50);
    say(working, "GET /held HTTP/1.1\r\n" HOST "\r\n");
    pause_ms(10);
    int64_t before = now_ms();
    kill(f.pid, SIGTERM);
    assert_non_null(strstr(hear(working), "Connection: close\r\n"));
    say(used, "GET /c HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(hear(used), "Connection: close\r\n"));
    assert_non_null(strstr(heard, "1 /c 0:"));
    say(half, "TP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(hear(half), "1 /b 0:"));
    say(fresh, LAST);
    assert_string_equal(statuses(hear(fresh)), "200 ");
    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(late, (struct sockaddr *)&f.address, f.len), -1);
    close(late);
    assert_false(readable_within(idle, 0));
    assert_string_equal(hear(idle), "");
    assert_in_range(now_ms() - before, 980, PATIENCE_MS - 1);
    wait_for(&f);
}

/* However many requests a connection carries, it is made anew now and then; nothing that was sent is lost by it. */
static void connections_end_after_some_requests(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){.requests_max = 3});
    int fd = dial(&f), ahead = dial(&f);
    for (int i = 0; i < 2; i++) {
        say(fd, "GET /a HTTP/1.1\r\n" HOST "\r\n");
        assert_null(strstr(hear_until(fd, "1 /a 0:"), "Connection: close\r\n"));
    }
    say(fd, "GET /b HTTP/1.1\r\n" HOST "\r\n");
    assert_non_null(strstr(hear(fd), "Connection: close\r\n"));
    assert_non_null(strstr(heard, "1 /b 0:"));
    say(ahead, "GET /a HTTP/1.1\r\n" HOST "\r\nGET /a HTTP/1.1\r\n" HOST "\r\nGET /a HTTP/1.1\r\n" HOST "\r\n"
               "GET /a HTTP/1.1\r\n" HOST "\r\nGET /a HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(statuses(hear(ahead)), "200 200 200 200 200 ");
    stop(&f);
}

static void connections_are_bounded(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){.connections_max = 2});
    int first = dial(&f), second = dial(&f);
    pause_ms(20);
    int third = dial(&f);
    say(third, LAST);
    say(first, "GET /a HTTP/1.1\r\n" HOST "\r\n"); /* a reply makes no room, an end does */
    hear_until(first, "1 /a 0:");
    assert_false(readable_within(third, 100));
    say(second, LAST);
    assert_string_equal(statuses(hear(second)), "200 ");
    assert_string_equal(statuses(hear(third)), "200 ");
    close(first);
    stop(&f);
}

/* Without descriptors accepting pauses, costs nothing, and goes on when there are some. */
static void descriptors_may_run_out(void **state)
{
    (void)state;
    struct fixture f = start(&(struct http_limits){0});
    int fd = dial(&f);
    say(fd, "GET /starve HTTP/1.1\r\n" HOST "\r\n");
    hear_until(fd, "200 OK");
    int waiting = dial(&f);
    say(waiting, LAST);
    assert_false(readable_within(waiting, 300));
    say(fd, "GET /stats HTTP/1.1\r\n" HOST "\r\n");
    const char *failures = strstr(hear_until(fd, " failures="), " failures=");
    assert_in_range(atoi(failures + strlen(" failures=")), 1, 10); /* a busy loop would count thousands */
    say(fd, "GET /feed HTTP/1.1\r\n" HOST "\r\n");
    hear_until(fd, "200 OK");
    assert_string_equal(statuses(hear(waiting)), "200 ");
    close(fd);
    stop(&f);
}

static void local_proxies_name_the_client(void **state)
{
    (void)state;
    char *trusted[] = {(char *)(uintptr_t)"unix", (char *)(uintptr_t)"10.0.0.0/8"};
    for (size_t trusted_count = 0; trusted_count <= 2; trusted_count += 2) {
        struct fixture f = {0};
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "/tmp/test_http.%d", getpid());
        f.len = sizeof address;
        memcpy(&f.address, &address, sizeof address);
        f = start_at(f, &(struct http_limits){0}, trusted, trusted_count);
        int fd = dial(&f);
        say(fd, "GET /ids HTTP/1.1\r\n" HOST
                "X-Forwarded-For: 1.1.1.1, 192.0.2.7, 10.1.2.3\r\nX-Request-Id: abc-DEF_1.2\r\n"
                "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nConnection: close\r\n\r\n");
        hear(fd);
        bool told = strstr(heard, "<192.0.2.7> <abc-DEF_1.2> <0af7651916cd43dd8448eb211c80319c>") != NULL;
        assert_true(told == (trusted_count > 0));
        assert_true(told || (strstr(heard, "\r\n\r\n<> <") != NULL && strstr(heard, "0af7651916") == NULL));
        stop(&f);
        unlink(address.sun_path);
    }
}

static void only_listeners_are_taken(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    int sockets[2], datagram = socket(AF_INET, SOCK_DGRAM, 0), idle = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    base = event_base_new();
    const struct http_hooks hooks = {.head = head_hook, .request = request_hook};
    server = http_new(ctx, base, &(struct http_limits){0}, &hooks, NULL, 0);
    const int wrong[] = {sockets[0], datagram, idle, 0, -1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(http_listen_fd(server, wrong[i]), OP_INVALID);
    struct http_request *req = mem_new(NULL, struct http_request);
    http_set_field(req, "A", "b");
    http_reply(req, 200, NULL, bytes_of("x")); /* goes nowhere, is freed */
    talloc_free(ctx);
    event_base_free(base);
    close(sockets[0]), close(sockets[1]), close(datagram), close(idle);
}

static struct http_request *captured;

static void capture_hook(struct http_request *req, void *arg)
{
    (void)arg;
    captured = req;
}

static void requests_outlive_the_server(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct fixture f = {.len = sizeof(struct sockaddr_un)};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/test_http.%d", getpid());
    memcpy(&f.address, &address, sizeof address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    base = event_base_new();
    const struct http_hooks hooks = {.head = head_hook, .request = capture_hook, .finished = finished_hook};
    server = http_new(ctx, base, &(struct http_limits){0}, &hooks, NULL, 0);
    assert_int_equal(http_listen_fd(server, fd), OP_OK);
    int client = dial(&f);
    say(client, "GET /a HTTP/1.1\r\n" HOST "\r\n");
    captured = NULL;
    for (int i = 0; i < 100 && captured == NULL; i++)
        event_base_loop(base, EVLOOP_ONCE);
    assert_non_null(captured);
    talloc_free(ctx);
    assert_string_equal(captured->path, "/a");
    http_reply(captured, 200, NULL, bytes_of("x"));
    event_base_free(base); /* its sockets are closed by the loop, or at its end */
    assert_string_equal(hear(client), "");
    unlink(address.sun_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_smuggled),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(replies_keep_their_order),
        cmocka_unit_test(every_status_has_a_reason),
        cmocka_unit_test(replies_are_formed),
        cmocka_unit_test(slowness_is_bounded),
        cmocka_unit_test(busy_connections_stay),
        cmocka_unit_test(refusals_arrive),
        cmocka_unit_test(expectations_are_met),
        cmocka_unit_test(pieces_are_joined),
        cmocka_unit_test(peers_may_vanish),
        cmocka_unit_test(peers_must_read),
        cmocka_unit_test(draining_loses_nothing),
        cmocka_unit_test(connections_end_after_some_requests),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(descriptors_may_run_out),
        cmocka_unit_test(local_proxies_name_the_client),
        cmocka_unit_test(only_listeners_are_taken),
        cmocka_unit_test(requests_outlive_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
