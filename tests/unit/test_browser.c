#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/mem.h"
#include "browser.h"

#define SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN-_0"

static struct http_request *request_with(const char *cookie)
{
    struct http_request *req = mem_new(NULL, struct http_request);
    struct http_field *field = mem_new(req, struct http_field);
    *field = (struct http_field){"cookie", cookie};
    req->fields = field;
    req->field_count = cookie == NULL ? 0 : 1;
    return req;
}

static const char *set_cookie(const struct http_request *req, size_t n)
{
    for (size_t i = 0; i < req->reply_field_count; i++) {
        if (strcasecmp(req->reply_fields[i].name, "set-cookie") == 0 && n-- == 0)
            return req->reply_fields[i].value;
    }
    return NULL;
}

static void only_a_secret_of_ours_is_read(void **state)
{
    (void)state;
    static const struct { const char *cookie, *session; } rows[] = {
        {NULL, NULL},
        {"__Host-partita=" SECRET, SECRET},
        {"a=b; __Host-partita=" SECRET "; c=d", SECRET},
        {"__Host-partita=" SECRET "x", NULL},
        {"__Host-partita=short", NULL},
        {"__Host-partita=\"" SECRET "\"", NULL},
        {"__Host-partita=" SECRET "; __Host-partita=" SECRET, NULL}, /* twice: somebody planted one */
        {"partita=" SECRET, NULL},
        {"__host-partita=" SECRET, NULL},
    };
    void *ctx = mem_root("test");
    assert_int_equal(browser_setup(ctx, "https://op.example"), OP_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_request *req = request_with(rows[i].cookie);
        const char *session = browser_session(req);
        if (rows[i].session == NULL)
            assert_null(session);
        else
            assert_string_equal(session, rows[i].session);
        talloc_free(req);
    }
    talloc_free(ctx);
}

static void cookies_are_as_closed_as_they_can_be(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    assert_int_equal(browser_setup(ctx, "https://op.example"), OP_OK);
    struct http_request *req = request_with(NULL);
    browser_set_session(req, SECRET);
    assert_string_equal(set_cookie(req, 0), "__Host-partita=" SECRET "; Path=/; Secure; HttpOnly; SameSite=Lax");
    browser_clear_session(req);
    assert_string_equal(set_cookie(req, 1), "__Host-partita=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    talloc_free(req);
    talloc_free(ctx);
}

static void the_browser_keeps_its_value(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    assert_int_equal(browser_setup(ctx, "https://op.example"), OP_OK);
    struct http_request *req = request_with("__Host-partita-browser=" SECRET);
    assert_string_equal(browser_id_or_new(req), SECRET);
    assert_null(set_cookie(req, 0));
    talloc_free(req);
    req = request_with(NULL);
    assert_null(browser_id(req));
    const char *made = browser_id_or_new(req);
    assert_int_equal(strlen(made), 43);
    assert_non_null(strstr(set_cookie(req, 0), made));
    assert_string_equal(browser_id_or_new(req), made); /* one cookie, however many forms a page has */
    assert_null(set_cookie(req, 1));
    talloc_free(req);
    talloc_free(ctx);
}

static void http_is_for_loopback_alone(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    assert_int_equal(browser_setup(ctx, "http://op.example"), OP_INVALID);
    assert_int_equal(browser_setup(ctx, "http://localhost:8080"), OP_OK);
    struct http_request *req = request_with("partita=" SECRET);
    assert_string_equal(browser_session(req), SECRET);
    browser_set_session(req, SECRET);
    assert_string_equal(set_cookie(req, 0), "partita=" SECRET "; Path=/; HttpOnly; SameSite=Lax");
    talloc_free(req);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_secret_of_ours_is_read),
        cmocka_unit_test(cookies_are_as_closed_as_they_can_be),
        cmocka_unit_test(the_browser_keeps_its_value),
        cmocka_unit_test(http_is_for_loopback_alone), /* last: it changes the names */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
