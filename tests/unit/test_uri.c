#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/uri.h"

static void uris_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *scheme, *host;
        int port;
        const char *path, *query;
        bool fragment, userinfo, ipv6;
    } rows[] = {
        {"https://example.com", "https", "example.com", -1, "", NULL, 0, 0, 0},
        {"HTTPS://EXAMPLE.com:8443/Cb?x=1", "https", "example.com", 8443, "/Cb", "x=1", 0, 0, 0},
        {"https://example.com?", "https", "example.com", -1, "", "", 0, 0, 0},
        {"https://example.com:/", "https", "example.com", -1, "/", NULL, 0, 0, 0},
        {"https://example.com/#", "https", "example.com", -1, "/", NULL, 1, 0, 0},
        {"https://example.com/?a#b?c", "https", "example.com", -1, "/", "a", 1, 0, 0},
        {"https://u:p@example.com/", "https", "example.com", -1, "/", NULL, 0, 1, 0},
        {"https://@example.com/", "https", "example.com", -1, "/", NULL, 0, 1, 0},
        {"http://[::1]:80/x", "http", "::1", 80, "/x", NULL, 0, 0, 1},
        {"http://[2001:DB8::A]", "http", "2001:db8::a", -1, "", NULL, 0, 0, 1},
        {"http://127.0.0.1:65535/", "http", "127.0.0.1", 65535, "/", NULL, 0, 0, 0},
        {"com.example.app:/cb", "com.example.app", NULL, -1, "/cb", NULL, 0, 0, 0},
        {"com.example.app:cb", "com.example.app", NULL, -1, "cb", NULL, 0, 0, 0},
        {"app://host/cb", "app", "host", -1, "/cb", NULL, 0, 0, 0},
        {"file:///etc/x", "file", "", -1, "/etc/x", NULL, 0, 0, 0},
        {"urn:ietf:wg:oauth:2.0:oob", "urn", NULL, -1, "ietf:wg:oauth:2.0:oob", NULL, 0, 0, 0},
        {"https://e.com/%7Ea/..//b;c=d@e:f", "https", "e.com", -1, "/%7Ea/..//b;c=d@e:f", NULL, 0, 0, 0},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct uri uri;
        assert_int_equal(uri_parse(ctx, rows[i].text, &uri), OP_OK);
        assert_string_equal(uri.scheme, rows[i].scheme);
        assert_true((uri.host == NULL) == (rows[i].host == NULL));
        assert_true(uri.host == NULL || strcmp(uri.host, rows[i].host) == 0);
        assert_int_equal(uri.port, rows[i].port);
        assert_string_equal(uri.path, rows[i].path);
        assert_true((uri.query == NULL) == (rows[i].query == NULL));
        assert_true(uri.query == NULL || strcmp(uri.query, rows[i].query) == 0);
        assert_int_equal(uri.has_fragment, rows[i].fragment);
        assert_int_equal(uri.has_userinfo, rows[i].userinfo);
        assert_int_equal(uri.host_is_ipv6, rows[i].ipv6);
    }
    talloc_free(ctx);
}

static void what_is_no_uri_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "/path",
        "//host/path",
        "example.com",
        "://example.com",
        "1http://example.com",
        "ht tp://example.com",
        "https:",
        "https:/example.com",
        "https:example.com",
        "https://",
        "https:///path",
        "https://:443/",
        "https://user@/",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/a\tb",
        "https://example.com/\n",
        "https://example.com/\r\nX: y",
        "https://example.com/\x7f",
        "https://example.com/\xc3\xa9",
        "https://\xc3\xa9.com/",
        "https://example.com\\@evil.com/",
        "https://example.com/a\\b",
        "https://example.com/<x>",
        "https://example.com/\"",
        "https://example.com/{x}",
        "https://example.com/a|b",
        "https://example.com/^",
        "https://example.com/`",
        "https://example.com/%",
        "https://example.com/%4",
        "https://example.com/%4g",
        "https://example.com/?a=%zz",
        "https://example.com/?a=[b]",
        "https://example.com/#a#b",
        "https://ex%61mple.com/",
        "https://example.com:65536/",
        "https://example.com:-1/",
        "https://example.com:+1/",
        "https://example.com: 1/",
        "https://example.com:80:90/",
        "https://example.com:a/",
        "https://a@b@c/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[::g]/",
        "https://[]/",
        "https://[1.2.3.4]/",
        "https://[fe80::1%25eth0]/",
        "https://[v1.x]/",
        "https://::1/",
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct uri uri = {.port = 77};
        assert_int_equal(uri_parse(ctx, rows[i], &uri), OP_INVALID);
        assert_int_equal(uri.port, 77);
    }
    char *text = mem_array(ctx, char, 2050);
    memset(text, 'a', 2049);
    memcpy(text, "https://e/", 10);
    struct uri uri;
    assert_int_equal(uri_parse(ctx, text, &uri), OP_TOO_LARGE);
    text[2048] = '\0';
    assert_int_equal(uri_parse(ctx, text, &uri), OP_OK);
    talloc_free(ctx);
}

static void origins_leave_the_default_port_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *origin;
    } rows[] = {
        {"https://Example.com/cb?x", "https://example.com"},
        {"https://example.com:443/", "https://example.com"},
        {"https://example.com:0443/", "https://example.com"},
        {"http://example.com:80", "http://example.com"},
        {"http://example.com:443", "http://example.com:443"},
        {"https://example.com:80", "https://example.com:80"},
        {"http://localhost:8081/cb", "http://localhost:8081"},
        {"http://u:p@localhost/", "http://localhost"},
        {"http://[0:0:0:0:0:0:0:1]:9/", "http://[::1]:9"},
        {"http://[::1]/", "http://[::1]"},
        {"com.example.app:/cb", NULL},
        {"app://host/", NULL},
        {"https://", NULL},
        {"null", NULL},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *origin = NULL;
        assert_int_equal(uri_origin(ctx, rows[i].text, &origin), rows[i].origin == NULL ? OP_INVALID : OP_OK);
        if (rows[i].origin == NULL)
            assert_null(origin);
        else
            assert_string_equal(origin, rows[i].origin);
    }
    talloc_free(ctx);
}

static void loopback_is_told_from_names_like_it(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool loopback;
    } rows[] = {
        {"localhost", true},  {"LOCALHOST", true},        {"a.localhost", true},       {"127.0.0.1", true},
        {"127.255.1.9", true}, {"::1", true},             {"0:0:0:0:0:0:0:1", true},   {".localhost", false},
        {"xlocalhost", false}, {"xxlocalhost", false},
        {"localhost.com", false},  {"localhost.", false},       {"127.0.0.1.com", false},
        {"128.0.0.1", false},  {"127.1", false},          {"0.0.0.0", false},          {"::", false},
        {"::2", false},        {"::ffff:127.0.0.1", false}, {"example.com", false},    {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(uri_host_is_loopback(rows[i].host), rows[i].loopback);
    assert_false(uri_host_is_loopback(NULL));
}

static void parameters_are_appended(void **state)
{
    (void)state;
    static const struct {
        const char *base, *with_query, *with_fragment;
    } rows[] = {
        {"https://e/cb", "https://e/cb?a=b", "https://e/cb#a=b"},
        {"https://e", "https://e?a=b", "https://e#a=b"},
        {"https://e/cb?", "https://e/cb?a=b", "https://e/cb?#a=b"},
        {"https://e/cb?x=y", "https://e/cb?x=y&a=b", "https://e/cb?x=y#a=b"},
        {"https://e/cb?x=y&", "https://e/cb?x=y&a=b", "https://e/cb?x=y&#a=b"},
        {"https://e/cb?x=?", "https://e/cb?x=?&a=b", "https://e/cb?x=?#a=b"},
        {"app:cb", "app:cb?a=b", "app:cb#a=b"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(uri_with_query(ctx, rows[i].base, "a=b"), rows[i].with_query);
        assert_string_equal(uri_with_fragment(ctx, rows[i].base, "a=b"), rows[i].with_fragment);
    }
    assert_string_equal(uri_with_query(ctx, "https://e/cb#f?g", "a=b"), "https://e/cb?a=b#f?g");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_are_parsed),
        cmocka_unit_test(what_is_no_uri_is_refused),
        cmocka_unit_test(origins_leave_the_default_port_out),
        cmocka_unit_test(loopback_is_told_from_names_like_it),
        cmocka_unit_test(parameters_are_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
