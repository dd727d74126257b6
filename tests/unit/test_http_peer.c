/* Trusted proxies: lists of addresses and networks, and what those proxies say of the client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/un.h>

#include "runtime/http_peer.h"

static void lists_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"", true}, {"unix", true}, {"127.0.0.1 ::1", true}, {"10.0.0.0/8, unix,\tfd00::/8", true}, {"0.0.0.0/0", true},
        {"1.2.3.4/32", true}, {"::/128", true}, {"localhost", false}, {"1.2.3", false}, {"1.2.3.4/33", false},
        {"1.2.3.4/", false}, {"1.2.3.4/-1", false}, {"1.2.3.4/8/8", false}, {"::/129", false}, {"[::1]", false},
        {"1.2.3.4:80", false}, {"/8", false}, {"unix,x", false}, {"fe80::1%eth0", false}, {"1.2.3.4/8x", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((http_trusted_check(rows[i].text) == NULL) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].text);
}

static struct http_peer peer_of(const char *text)
{
    struct http_peer peer = {.local = true};
    if (strcmp(text, "unix") != 0) {
        peer.local = false;
        assert_int_equal(http_peer_parse(bytes_of(text), &peer), OP_OK);
    }
    return peer;
}

static void networks_hold_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *word, *peer;
        bool trusted;
    } rows[] = {
        {"unix", "unix", true}, {"unix", "127.0.0.1", false}, {"127.0.0.1", "unix", false},
        {"127.0.0.1", "127.0.0.1", true}, {"127.0.0.1", "127.0.0.2", false}, {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"10.0.0.0/8", "10.255.0.1", true}, {"10.0.0.0/8", "11.0.0.1", false}, {"10.9.9.9/8", "10.1.1.1", true},
        {"192.168.4.0/22", "192.168.7.255", true}, {"192.168.4.0/22", "192.168.8.0", false},
        {"0.0.0.0/0", "9.9.9.9", true}, {"0.0.0.0/0", "2001:db8::1", false}, {"::/0", "9.9.9.9", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true}, {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1", "::1", true}, {"::1", "::2", false}, {"nonsense", "127.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("row");
        char *words[] = {mem_strdup(ctx, rows[i].word)};
        struct http_peer peer = peer_of(rows[i].peer);
        if (http_peers_trust(http_peers_new(ctx, words, 1), &peer) != rows[i].trusted)
            fail_msg("row %zu: %s in %s", i, rows[i].peer, rows[i].word);
        talloc_free(ctx);
    }
}

static void sockets_have_addresses(void **state)
{
    (void)state;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001)}};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    assert_string_equal(http_peer_of((struct sockaddr *)&four).text, "127.0.0.1");
    assert_string_equal(http_peer_of((struct sockaddr *)&six).text, "::1");
    assert_string_equal(http_peer_of((struct sockaddr *)&local).text, "");
    assert_true(http_peer_of((struct sockaddr *)&local).local);
    inet_pton(AF_INET6, "::ffff:9.8.7.6", &six.sin6_addr);
    assert_string_equal(http_peer_of((struct sockaddr *)&six).text, "9.8.7.6");
}

/* Fields of a request, name and value in turn, NULL at the end. */
static struct http_request *request_with(const char *const *fields)
{
    struct http_request *req = mem_new(NULL, struct http_request);
    struct http_field *list = mem_array(req, struct http_field, 8);
    for (; fields[2 * req->field_count] != NULL; req->field_count++)
        list[req->field_count] =
            (struct http_field){.name = fields[2 * req->field_count], .value = fields[2 * req->field_count + 1]};
    req->fields = list;
    return req;
}

static struct http_request *identified(const char *peer_text, const char *const *fields)
{
    struct http_request *req = request_with(fields);
    char *words[] = {mem_strdup(req, "unix"), mem_strdup(req, "10.0.0.0/8"), mem_strdup(req, "fd00::/8")};
    struct http_peer peer = peer_of(peer_text);
    http_peers_identify(http_peers_new(req, words, 3), &peer, req);
    return req;
}

static void clients_are_named_by_trusted_peers(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *first, *second, *client;
    } rows[] = {
        {"9.9.9.9", "1.1.1.1", NULL, "9.9.9.9"},
        {"10.0.0.1", NULL, NULL, "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1", NULL, "1.1.1.1"},
        {"10.0.0.1", "1.1.1.1, 2.2.2.2", NULL, "2.2.2.2"},
        {"10.0.0.1", "1.1.1.1, 2.2.2.2 ,\t10.0.0.2", NULL, "2.2.2.2"},
        {"10.0.0.1", "1.1.1.1,2.2.2.2", "10.0.0.2", "2.2.2.2"},
        {"10.0.0.1", "1.1.1.1", "2.2.2.2, fd00::1", "2.2.2.2"},
        {"10.0.0.1", "10.0.0.3, 10.0.0.2", NULL, "10.0.0.3"},
        {"10.0.0.1", "1.1.1.1, unknown", NULL, "10.0.0.1"},
        {"10.0.0.1", "1.1.1.1, unknown, 10.0.0.2", NULL, "10.0.0.2"},
        {"10.0.0.1", "1.1.1.1,", NULL, "10.0.0.1"},
        {"10.0.0.1", "", NULL, "10.0.0.1"},
        {"10.0.0.1", "2001:DB8:0::1", NULL, "2001:db8::1"},
        {"10.0.0.1", "::ffff:1.1.1.1", NULL, "1.1.1.1"},
        {"unix", "1.1.1.1", NULL, "1.1.1.1"},
        {"unix", "1.1.1.1, unix", NULL, ""},
        {"unix", NULL, NULL, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *name = rows[i].first == NULL ? NULL : "x-forwarded-for";
        const char *more = rows[i].second == NULL ? NULL : "x-forwarded-for";
        const char *const fields[] = {name, rows[i].first, more, rows[i].second, NULL};
        struct http_request *req = identified(rows[i].peer, fields);
        if (strcmp(req->client_address, rows[i].client) != 0)
            fail_msg("row %zu: expected %s, is %s", i, rows[i].client, req->client_address);
        talloc_free(req);
    }
}

static void request_ids_are_made_or_taken(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *id;
        bool taken;
    } rows[] = {
        {"unix", "abcdefgh", true}, {"unix", "A.b_c-0123456789", true}, {"9.9.9.9", "abcdefgh", false},
        {"unix", "abcdefg", false}, {"unix", "abcdefg h", false}, {"unix", "abcdefg\"", false}, {"unix", "", false},
        {"unix", "0123456789012345678901234567890123456789012345678901234567890123", true},
        {"unix", "01234567890123456789012345678901234567890123456789012345678901234", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const fields[] = {"x-request-id", rows[i].id, NULL};
        struct http_request *req = identified(rows[i].peer, fields);
        bool taken = strcmp(req->request_id, rows[i].id) == 0;
        if (taken != rows[i].taken || (!taken && strlen(req->request_id) != 16))
            fail_msg("row %zu: %s", i, req->request_id);
        talloc_free(req);
    }
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"
static void traces_are_taken_of_trusted_peers(void **state)
{
    (void)state;
    static const char PARENT[] = "00-" TRACE "-b7ad6b7169203331-01";
    static const struct {
        const char *peer, *first, *second;
        bool taken;
    } rows[] = {
        {"unix", PARENT, NULL, true}, {"9.9.9.9", PARENT, NULL, false}, {"unix", "nonsense", NULL, false},
        {"unix", NULL, NULL, false},
        {"unix", PARENT, PARENT, false}, {"unix", PARENT, "", false}, {"unix", "", PARENT, false}, /* one field only */
        {"unix", "00-" TRACE "-b7ad6b7169203331-01, 00-" TRACE "-b7ad6b7169203331-01", NULL, false}, /* two that a proxy has joined */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const fields[] = {rows[i].first == NULL ? NULL : "traceparent", rows[i].first,
                                      rows[i].second == NULL ? NULL : "traceparent", rows[i].second, NULL};
        struct http_request *req = identified(rows[i].peer, fields);
        if ((strcmp(req->trace->trace_id, TRACE) == 0) != rows[i].taken || strlen(req->trace->trace_id) != TRACE_ID_LEN ||
            strlen(req->trace->span_id) != TRACE_SPAN_ID_LEN)
            fail_msg("row %zu: %s", i, req->trace->trace_id);
        talloc_free(req);
    }
}

static void cookies_are_found_once(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *value;
    } rows[] = {
        {"a=b", NULL, "b"}, {"x=y; a=b; c=d", NULL, "b"}, {"x=y;a=b ;c=d", NULL, "b"}, {"a=", NULL, ""},
        {"a=b=c", NULL, "b=c"}, {"aa=b", NULL, NULL}, {"A=b", NULL, NULL}, {"a", NULL, NULL}, {"", NULL, NULL},
        {"a=b; a=c", NULL, NULL}, {"a=b", "a=c", NULL}, {"x=y", "a=c", "c"}, {"x=a=b", NULL, NULL},
        {";;a=b;", NULL, "b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const fields[] = {"cookie", rows[i].first, rows[i].second == NULL ? NULL : "cookie", rows[i].second,
                                      NULL};
        struct http_request *req = request_with(fields);
        const char *value = http_cookie(req, "a");
        if ((value == NULL) != (rows[i].value == NULL) || (value != NULL && strcmp(value, rows[i].value) != 0))
            fail_msg("row %zu: %s", i, rows[i].first);
        talloc_free(req);
    }
}

static void media_types_are_compared(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool is;
    } rows[] = {
        {"text/plain", true}, {"TEXT/Plain", true}, {"text/plain;a=b", true}, {"text/plain ; a=b", true},
        {"text/plain a", false}, {"text/plainx", false}, {"text/plai", false}, {"", false}, {"x;text/plain", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const fields[] = {"content-type", rows[i].value, NULL};
        struct http_request *req = request_with(fields);
        if (http_content_type_is(req, "text/plain") != rows[i].is)
            fail_msg("row %zu: %s", i, rows[i].value);
        talloc_free(req);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_checked),
        cmocka_unit_test(networks_hold_addresses),
        cmocka_unit_test(sockets_have_addresses),
        cmocka_unit_test(clients_are_named_by_trusted_peers),
        cmocka_unit_test(request_ids_are_made_or_taken),
        cmocka_unit_test(traces_are_taken_of_trusted_peers),
        cmocka_unit_test(cookies_are_found_once),
        cmocka_unit_test(media_types_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
