/* The limit that endpoints are compared with: libevent's own HTTP server, bare, answering 1 KiB.
 * usage: evhttp_limit PORT */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer(struct evhttp_request *req, void *arg)
{
    struct evbuffer *body = evbuffer_new();
    evbuffer_add(body, arg, 1024);
    evhttp_send_reply(req, 200, "OK", body);
    evbuffer_free(body);
}

int main(int argc, char **argv)
{
    static char kibibyte[1024];
    memset(kibibyte, 'x', sizeof kibibyte);
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    struct event_base *base = event_base_new_with_config(config);
    struct evhttp *http = evhttp_new(base);
    if (argc != 2 || evhttp_bind_socket(http, "127.0.0.1", (unsigned short)atoi(argv[1])) != 0) {
        fputs("usage: evhttp_limit PORT (a free one)\n", stderr);
        return 64;
    }
    evhttp_set_gencb(http, answer, kibibyte);
    event_base_dispatch(base);
    return 0;
}
