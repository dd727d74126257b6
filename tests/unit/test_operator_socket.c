#include "rows.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "operator_socket.h"

struct played {
    int listener;
    const char *answer;
};

static void *answer_once(void *arg)
{
    const struct played *played = arg;
    char request[1024];
    int fd = accept(played->listener, NULL, NULL);
    if (fd >= 0 && recv(fd, request, sizeof request, 0) > 0)
        (void)send(fd, played->answer, strlen(played->answer), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static const struct row {
    const char *answer;
    enum op_err result;
    int status;
    const char *body;
} ROWS[] = {
    {"HTTP/1.1 200 OK\r\n\r\nready\n", OP_OK, 200, "ready\n"},
    {"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nnot ready: draining\n", OP_OK, 503, "not ready: draining\n"},
    {"HTTP/1.1 200 OK\r\n\r\n\033[2Jready\r\007\t\n", OP_OK, 200, "?[2Jready???\n"}, /* control of a terminal */
    {"HTTP/1.1 200 OK\r\n\r\n\302\2332J\177", OP_OK, 200, "??2J?"},
    {"HTTP/1.1 200 OK\r\n", OP_INVALID, 0, NULL},
    {"\r\n\r\n", OP_INVALID, 0, NULL},
};

static void answers(void **state)
{
    (void)state;
    char directory[] = "/tmp/test_operator_socket.XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", directory);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(listener, 1), 0);
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        void *ctx = mem_root("answer");
        struct played played = {listener, ROWS[i].answer};
        pthread_t server;
        int status = 0;
        char *body = NULL;
        assert_int_equal(pthread_create(&server, NULL, answer_once, &played), 0);
        assert_int_equal(operator_socket_get(ctx, name.sun_path, "/.ready", &status, &body), ROWS[i].result);
        assert_int_equal(pthread_join(server, NULL), 0);
        if (ROWS[i].result == OP_OK) {
            assert_int_equal(status, ROWS[i].status);
            assert_string_equal(body, ROWS[i].body);
        }
        talloc_free(ctx);
    }
    close(listener);
    unlink(name.sun_path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
