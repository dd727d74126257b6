#include "rows.h"

#include "protocol/params.h"

struct sample {
    const char *one, *two, *number;
    struct param_list resource;
};

static const struct param TABLE[] = {
    PARAM(struct sample, one, PARAM_REQUIRED, 8, NULL),
    PARAM(struct sample, two, PARAM_OPTIONAL, 8, param_is_vschar),
    PARAM(struct sample, number, PARAM_OPTIONAL, 10, param_is_number),
    PARAM(struct sample, resource, PARAM_LIST, 8, param_is_vschar),
};

static void fields_are_read_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *form;
        const char *one, *two;
        size_t resources;
        const char *error; /* NULL: good */
    } rows[] = {
        {"a value is read", "one=a", "a", NULL, 0, NULL},
        {"RFC 6749 §3.1: unrecognized parameters are ignored", "one=a&what=1&what=2", "a", NULL, 0, NULL},
        {"RFC 6749 §3.1: a parameter without a value counts as left out", "one=a&two=", "a", NULL, 0, NULL},
        {"RFC 6749 §3.1: so a required one without a value is missing", "one=", NULL, NULL, 0, "one is missing"},
        {"a required one is missing", "two=b", NULL, NULL, 0, "one is missing"},
        {"RFC 6749 §3.1: not more than once", "one=a&one=a", NULL, NULL, 0, "one is there more than once"},
        {"RFC 6749 §3.1: not more than once, even if one is empty", "one=a&two=&two=b", NULL, NULL, 0,
         "two is there more than once"},
        {"RFC 8707 §2: resource may come more than once", "one=a&resource=x&resource=y", "a", NULL, 2, NULL},
        {"an empty item of a list counts as left out", "one=a&resource=&resource=y", "a", NULL, 1, NULL},
        {"each item of a list is bounded", "one=a&resource=123456789", NULL, NULL, 0, "resource is too long"},
        {"the bound itself is allowed", "one=12345678", "12345678", NULL, 0, NULL},
        {"over the bound", "one=123456789", NULL, NULL, 0, "one is too long"},
        {"the bound is of bytes", "one=%C3%A4%C3%A4%C3%A4%C3%A4%C3%A4", NULL, NULL, 0, "one is too long"},
        {"text beyond ASCII is printable", "one=%C3%A4", "\xc3\xa4", NULL, 0, NULL},
        {"a control character", "one=a%07", NULL, NULL, 0, "one has a form or characters that are not allowed"},
        {"a line break", "one=a%0D%0Ab", NULL, NULL, 0, "one has a form or characters that are not allowed"},
        {"DEL", "one=%7F", NULL, NULL, 0, "one has a form or characters that are not allowed"},
        {"a C1 control", "one=%C2%85", NULL, NULL, 0, "one has a form or characters that are not allowed"},
        {"the check decides", "one=a&two=%C3%A4", NULL, NULL, 0, "two has a form or characters that are not allowed"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct form form;
        struct sample out = {.one = "untouched"};
        struct oauth_error error = {OAUTH_OK, NULL};
        assert_int_equal(form_parse(ctx, bytes_of(rows[i].form), 16, &form), OP_OK);
        enum op_err err = params_read(ctx, TABLE, COUNT(TABLE), &form, &out, sizeof out, &error);
        row_equal(rows[i].rule, err, rows[i].error == NULL ? OP_OK : OP_INVALID);
        row_equal(rows[i].rule, error.code, rows[i].error == NULL ? OAUTH_OK : OAUTH_INVALID_REQUEST);
        row_string(rows[i].rule, error.description, rows[i].error);
        row_string(rows[i].rule, out.one, rows[i].error == NULL ? rows[i].one : "untouched");
        row_string(rows[i].rule, out.two, rows[i].two);
        row_equal(rows[i].rule, (long)out.resource.count, (long)rows[i].resources);
        talloc_free(ctx);
    }
}

static void checks_hold_to_the_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        bool (*check)(const char *);
        const char *value;
        bool good;
    } rows[] = {
        {"RFC 6749 A: VSCHAR is %x20-7E", param_is_vschar, " ~az", true},
        {"VSCHAR: no tab", param_is_vschar, "a\tb", false},
        {"VSCHAR: no DEL", param_is_vschar, "\x7f", false},
        {"VSCHAR: nothing beyond ASCII", param_is_vschar, "\xc3\xa4", false},
        {"RFC 6749 §3.3: tokens and single spaces", param_is_scope, "openid a:b/c", true},
        {"scope: a space in front", param_is_scope, " a", false},
        {"scope: a space behind", param_is_scope, "a ", false},
        {"scope: two spaces", param_is_scope, "a  b", false},
        {"scope: a quote", param_is_scope, "a\"", false},
        {"scope: a backslash", param_is_scope, "a\\", false},
        {"scope: at least one", param_is_scope, "", false},
        {"scope: ASCII", param_is_scope, "\xc3\xa4", false},
        {"base64url", param_is_b64url, "AZaz09-_", true},
        {"base64url: no padding", param_is_b64url, "AA==", false},
        {"base64url: not empty", param_is_b64url, "", false},
        {"a number", param_is_number, "0123456789", true},
        {"a number: at most ten digits", param_is_number, "01234567890", false},
        {"a number: no sign", param_is_number, "-1", false},
        {"a number: not empty", param_is_number, "", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].rule, rows[i].check(rows[i].value), rows[i].good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_or_refused),
        cmocka_unit_test(checks_hold_to_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
