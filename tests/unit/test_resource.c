/* RFC 8707 §2, a row per sentence. */
#include "rows.h"

#include "protocol/resource.h"

#define API "https://api.example/v1"
#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONGER LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG

static char *allowed[] = {(char[]){API}, (char[]){"https://files.example/?tenant=7"}, (char[]){"urn:example:mail"},
                          (char[]){"https://api.example/V1"}};

static void what_may_be_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *sentence, *form;
        const char *selected; /* NULL: invalid_target */
    } rows[] = {
        {"the client may leave it out", "", ""},
        {"it indicates the target service or resource", "resource=https%3A%2F%2Fapi.example%2Fv1", API},
        {"multiple parameters may be used", "resource=https%3A%2F%2Fapi.example%2Fv1&resource=urn%3Aexample%3Amail",
         API " urn:example:mail"},
        {"one that comes twice is one", "resource=https%3A%2F%2Fapi.example%2Fv1&resource=https%3A%2F%2Fapi.example%2Fv1", API},
        {"one without a value is left out (RFC 6749 §3.1)", "resource=&resource=https%3A%2F%2Fapi.example%2Fv1", API},
        {"it may be a more abstract identifier", "resource=urn%3Aexample%3Amail", "urn:example:mail"},
        {"it should not include a query, but there are cases", "resource=https%3A%2F%2Ffiles.example%2F%3Ftenant%3D7",
         "https://files.example/?tenant=7"},
        {"its value must be an absolute URI: no path", "resource=%2Fv1", NULL},
        {"no name", "resource=mail", NULL},
        {"no host without a scheme", "resource=api.example%2Fv1", NULL},
        {"no list in one parameter", "resource=https%3A%2F%2Fapi.example%2Fv1%20urn%3Aexample%3Amail", NULL},
        {"no control character", "resource=https%3A%2F%2Fapi.example%2Fv1%0A", NULL},
        {"no other character than those of URIs", "resource=https%3A%2F%2Fapi.example%2F%C3%A4", NULL},
        {"it must not include a fragment", "resource=https%3A%2F%2Fapi.example%2Fv1%23a", NULL},
        {"an empty fragment is one", "resource=https%3A%2F%2Fapi.example%2Fv1%23", NULL},
        {"longer than any URI here", "resource=https%3A%2F%2Fapi.example%2F" LONGER LONGER LONG, NULL},
        {"unknown", "resource=https%3A%2F%2Fother.example%2F", NULL},
        {"a good one does not carry a bad one", "resource=https%3A%2F%2Fapi.example%2Fv1&resource=urn%3Ax", NULL},
        {"simple string comparison: a slash more", "resource=https%3A%2F%2Fapi.example%2Fv1%2F", NULL},
        {"a port more", "resource=https%3A%2F%2Fapi.example%3A443%2Fv1", NULL},
        {"a path below", "resource=https%3A%2F%2Fapi.example%2Fv1%2Fusers", NULL},
        {"upper case is another", "resource=https%3A%2F%2FAPI.example%2Fv1", NULL},
        {"unless that is allowed", "resource=https%3A%2F%2Fapi.example%2FV1", "https://api.example/V1"},
    };
    static const struct param table[] = {
        {"resource", 0, PARAM_LIST, RESOURCE_BYTES_MAX, resource_is_any},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct form form;
        struct param_list asked;
        struct scope_list selected;
        struct oauth_error error = {OAUTH_OK, NULL};
        assert_int_equal(form_parse(ctx, bytes_of(rows[i].form), 8, &form), OP_OK);
        row_equal(rows[i].sentence, params_read(ctx, table, 1, &form, &asked, sizeof asked, &error), OP_OK);
        enum op_err err = resource_select(ctx, &asked, allowed, COUNT(allowed), "not allowed", &selected, &error);
        row_equal(rows[i].sentence, err, rows[i].selected == NULL ? OP_INVALID : OP_OK);
        row_equal(rows[i].sentence, error.code, rows[i].selected == NULL ? OAUTH_INVALID_TARGET : OAUTH_OK);
        row_equal(rows[i].sentence, error.description != NULL, rows[i].selected == NULL);
        if (err == OP_OK)
            row_string(rows[i].sentence, scope_text(ctx, selected.items, selected.count), rows[i].selected);
        talloc_free(ctx);
    }
}

static void where_nothing_is_allowed(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    const char *api = API;
    struct param_list none = {0}, one = {.items = &api, .count = 1};
    struct scope_list selected;
    struct oauth_error error;
    assert_int_equal(resource_select(ctx, &none, NULL, 0, "not allowed", &selected, &error), OP_OK);
    assert_int_equal(selected.count, 0);
    assert_int_equal(resource_select(ctx, &one, NULL, 0, "not allowed", &selected, &error), OP_INVALID);
    assert_string_equal(error.description, "not allowed");
    talloc_free(ctx);
}

static void what_may_be_registered(void **state)
{
    (void)state;
    assert_null(resource_problem(API));
    assert_null(resource_problem("urn:example:mail"));
    assert_string_equal(resource_problem("mail"), "is not an absolute URI");
    assert_string_equal(resource_problem("https://api.example/#x"), "has a fragment");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_asked_for),
        cmocka_unit_test(where_nothing_is_allowed),
        cmocka_unit_test(what_may_be_registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
