#include "fetch.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "data/uri.h"
#include "runtime/http_peer.h"
#include "wire.h"

struct fetcher {
    struct event_base *base;
    const struct address_guard *guard;
    const char *ca_file;
    struct fetch_limits limits;
    CURLM *multi;
    struct event *timer;
    struct curl_slist *fields; /* of every request */
    void *transfers;           /* context of all that is under way */
};

struct transfer {
    struct fetcher *fetcher;
    CURL *easy;
    CURLU *url;
    struct curl_slist fields; /* its own, and behind it those of every request */
    const char *host;
    struct buf body;
    size_t head_len;
    bool too_large;
    char refused[HTTP_ADDRESS_MAX]; /* the last address that the guard refused; "" for none */
    char error[CURL_ERROR_SIZE];
    fetch_done *done;
    void *arg;
};

/* --- one transfer --- */

/* Called with each address before it is connected to: the name cannot mean another one afterwards. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = arg;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (!address_guard_allows(transfer->fetcher->guard, transfer->host, &address->addr)) {
        struct http_peer peer = http_peer_of(&address->addr);
        snprintf(transfer->refused, sizeof transfer->refused, "%s", peer.local ? "of another family" : peer.text);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t len = size * count;
    transfer->too_large = len > transfer->fetcher->limits.size_max - transfer->body.len;
    if (transfer->too_large)
        return 0;
    buf_add_bytes(&transfer->body, bytes_from(data, len));
    return len;
}

static size_t take_head(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    struct transfer *transfer = arg;
    transfer->head_len += size * count;
    transfer->too_large = transfer->head_len > FETCH_HEAD_MAX;
    return transfer->too_large ? 0 : size * count;
}

static void set_bounds(CURL *easy, const struct fetch_limits *limits)
{
    WIRE_SET(easy, CURLOPT_TIMEOUT_MS, (long)limits->timeout * 1000);
    WIRE_SET(easy, CURLOPT_LOW_SPEED_TIME, (long)limits->stall);
    WIRE_SET(easy, CURLOPT_LOW_SPEED_LIMIT, (long)FETCH_RATE_MIN);
    WIRE_SET(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)limits->size_max);
    WIRE_SET(easy, CURLOPT_NOSIGNAL, 1L);
    WIRE_SET(easy, CURLOPT_QUICK_EXIT, 1L); /* or the end of a transfer would wait for its resolver */
}

static void set_way(CURL *easy, struct transfer *transfer)
{
    WIRE_SET(easy, CURLOPT_PROTOCOLS_STR, "https");
    WIRE_SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    WIRE_SET(easy, CURLOPT_PROXY, ""); /* also none that the environment names */
    WIRE_SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    WIRE_SET(easy, CURLOPT_FRESH_CONNECT, 1L);
    WIRE_SET(easy, CURLOPT_FORBID_REUSE, 1L);
    WIRE_SET(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    WIRE_SET(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    WIRE_SET(easy, CURLOPT_OPENSOCKETDATA, transfer);
}

static void set_sinks(CURL *easy, struct transfer *transfer)
{
    WIRE_SET(easy, CURLOPT_PRIVATE, transfer);
    WIRE_SET(easy, CURLOPT_WRITEFUNCTION, take_body);
    WIRE_SET(easy, CURLOPT_WRITEDATA, transfer);
    WIRE_SET(easy, CURLOPT_HEADERFUNCTION, take_head);
    WIRE_SET(easy, CURLOPT_HEADERDATA, transfer);
    WIRE_SET(easy, CURLOPT_ERRORBUFFER, transfer->error);
}

/* The URL out of the parts that we read, so that libcurl cannot read it differently. */
static CURLU *make_url(const void *ctx, const struct uri *uri)
{
    CURLU *url = curl_url();
    wire_require(url != NULL);
    const char *host = uri->host_is_ipv6 ? mem_printf(ctx, "[%s]", uri->host) : uri->host;
    bool ok = curl_url_set(url, CURLUPART_SCHEME, "https", 0) == CURLUE_OK &&
              curl_url_set(url, CURLUPART_HOST, host, 0) == CURLUE_OK &&
              curl_url_set(url, CURLUPART_PATH, *uri->path == '\0' ? "/" : uri->path, 0) == CURLUE_OK;
    if (ok && uri->port >= 0)
        ok = curl_url_set(url, CURLUPART_PORT, mem_printf(ctx, "%d", uri->port), 0) == CURLUE_OK;
    if (ok && uri->query != NULL)
        ok = curl_url_set(url, CURLUPART_QUERY, uri->query, 0) == CURLUE_OK;
    if (ok)
        return url;
    curl_url_cleanup(url);
    return NULL;
}

static int transfer_free(struct transfer *transfer)
{
    if (transfer->easy != NULL) {
        curl_multi_remove_handle(transfer->fetcher->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_url_cleanup(transfer->url);
    return 0;
}

enum op_err fetch_get(struct fetcher *fetcher, const char *url, const struct trace *trace, fetch_done *done, void *arg)
{
    struct transfer *transfer = mem_new(fetcher->transfers, struct transfer);
    struct uri uri;
    talloc_set_destructor(transfer, transfer_free);
    transfer->fetcher = fetcher;
    bool good = uri_parse(transfer, url, &uri) == OP_OK && strcmp(uri.scheme, "https") == 0 && !uri.has_userinfo &&
                !uri.has_fragment;
    if (good)
        transfer->url = make_url(transfer, &uri);
    if (transfer->url == NULL) {
        talloc_free(transfer);
        return OP_INVALID;
    }
    transfer->host = uri.host;
    transfer->body = buf_make(transfer);
    transfer->done = done;
    transfer->arg = arg;
    transfer->easy = curl_easy_init();
    wire_require(transfer->easy != NULL);
    WIRE_SET(transfer->easy, CURLOPT_CURLU, transfer->url);
    transfer->fields = (struct curl_slist){
        mem_printf(transfer, "traceparent: %s", trace_parent(transfer, trace)), fetcher->fields};
    WIRE_SET(transfer->easy, CURLOPT_HTTPHEADER, &transfer->fields);
    set_bounds(transfer->easy, &fetcher->limits);
    set_way(transfer->easy, transfer);
    wire_set_trust(transfer->easy, fetcher->ca_file);
    set_sinks(transfer->easy, transfer);
    wire_require(curl_multi_add_handle(fetcher->multi, transfer->easy) == CURLM_OK);
    return OP_OK;
}

/* --- its end --- */

static const char *field(struct transfer *transfer, const char *name)
{
    struct buf all = buf_make(transfer);
    struct curl_header *header;
    for (size_t i = 0; curl_easy_header(transfer->easy, name, i, CURLH_HEADER, -1, &header) == CURLHE_OK; i++)
        buf_printf(&all, "%s%s", i == 0 ? "" : ", ", header->value);
    return all.len == 0 ? NULL : buf_string(&all);
}

static const char *explain(struct transfer *transfer, CURLcode result, long status)
{
    const struct fetch_limits *limits = &transfer->fetcher->limits;
    if (transfer->too_large || result == CURLE_FILESIZE_EXCEEDED)
        return mem_printf(transfer, "larger than %zu bytes", limits->size_max);
    if (result == CURLE_COULDNT_CONNECT && *transfer->refused != '\0')
        return mem_printf(transfer, "its address %s is not to be connected to", transfer->refused);
    if (result == CURLE_OK && status >= 300 && status < 400)
        return mem_printf(transfer, "status %ld: redirects are not followed", status);
    if (result == CURLE_OK)
        return mem_printf(transfer, "status %ld", status);
    return *transfer->error != '\0' ? transfer->error : curl_easy_strerror(result);
}

static void finish(struct transfer *transfer, CURLcode result)
{
    struct fetch_answer answer = {0};
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    answer.ok = result == CURLE_OK && answer.status == 200;
    if (answer.ok) {
        answer.body = buf_bytes(&transfer->body);
        answer.cache_control = field(transfer, "cache-control");
        answer.age = field(transfer, "age");
    } else {
        answer.why = explain(transfer, result, answer.status);
    }
    transfer->done(&answer, transfer->arg);
    talloc_free(transfer);
}

static void finish_all(struct fetcher *fetcher)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        char *transfer = NULL;
        CURLcode result = message->data.result;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        finish((struct transfer *)(void *)transfer, result);
    }
}

/* --- libcurl on the event loop --- */

static void act(struct fetcher *fetcher, curl_socket_t fd, int what)
{
    int running;
    curl_multi_socket_action(fetcher->multi, fd, what, &running);
    finish_all(fetcher);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    act(arg, fd, ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct fetcher *fetcher = arg;
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    if (ms < 0)
        event_del(fetcher->timer);
    else
        wire_require(event_add(fetcher->timer, &after) == 0);
    return 0;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    (void)easy;
    struct fetcher *fetcher = arg;
    struct event *event = socket_arg;
    if (event != NULL)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        int flags = EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) | ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0);
        event = event_new(fetcher->base, fd, (short)flags, on_ready, fetcher);
        wire_require(event != NULL && event_add(event, NULL) == 0);
    }
    curl_multi_assign(fetcher->multi, fd, event);
    return 0;
}

static int fetcher_free(struct fetcher *fetcher)
{
    TALLOC_FREE(fetcher->transfers);
    curl_multi_cleanup(fetcher->multi);
    curl_slist_free_all(fetcher->fields);
    event_free(fetcher->timer);
    return 0;
}

static void add_field(struct fetcher *fetcher, const char *line)
{
    struct curl_slist *fields = curl_slist_append(fetcher->fields, line);
    wire_require(fields != NULL);
    fetcher->fields = fields;
}

struct fetcher *fetcher_new(const void *ctx, struct event_base *base, const struct address_guard *guard,
                            const char *ca_file, struct fetch_limits limits)
{
    wire_setup();
    struct fetcher *fetcher = mem_new(ctx, struct fetcher);
    fetcher->base = base;
    fetcher->guard = guard;
    fetcher->ca_file = ca_file;
    fetcher->limits = limits;
    fetcher->transfers = talloc_new(fetcher);
    fetcher->multi = curl_multi_init();
    fetcher->timer = event_new(base, -1, 0, on_timer, fetcher);
    wire_require(fetcher->multi != NULL && fetcher->timer != NULL && fetcher->transfers != NULL);
    talloc_set_destructor(fetcher, fetcher_free);
    add_field(fetcher, "Accept: application/jwk-set+json, application/json");
    add_field(fetcher, "User-Agent: Partita/" PARTITA_VERSION);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    return fetcher;
}
