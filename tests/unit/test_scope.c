#include "rows.h"

#include "protocol/scope.h"

static void scopes_are_split_and_joined(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *text, *joined;
    } rows[] = {
        {"RFC 6749 §3.3: space-delimited", "openid profile", "openid profile"},
        {"RFC 6749 §3.3: order does not matter and is kept", "b a", "b a"},
        {"RFC 6749 §3.3: case-sensitive", "A a", "A a"},
        {"duplicates are dropped", "a b a", "a b"},
        {"a prefix is no duplicate", "ab a abc", "ab a abc"},
        {"stray spaces", "  a   b ", "a b"},
        {"nothing", "", ""},
        {"none sent", NULL, ""},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scope_list list = scope_parse(ctx, rows[i].text);
        row_string(rows[i].rule, scope_text(ctx, list.items, list.count), rows[i].joined);
    }
    talloc_free(ctx);
}

static void subsets_and_intersections(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *part, *whole;
        bool subset;
        const char *both;
    } rows[] = {
        {"RFC 6749 §6: the same", "a b", "b a", true, "a b"},
        {"RFC 6749 §6: fewer", "a", "a b", true, "a"},
        {"RFC 6749 §6: must not include any not granted", "a c", "a b", false, "a"},
        {"nothing is a subset", "", "a", true, ""},
        {"of nothing nothing else is", "a", "", false, ""},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scope_list part = scope_parse(ctx, rows[i].part), whole = scope_parse(ctx, rows[i].whole);
        row_equal(rows[i].rule, scope_is_subset(&part, &whole), rows[i].subset);
        struct scope_list both = scope_intersect(ctx, &part, &whole);
        row_string(rows[i].rule, scope_text(ctx, both.items, both.count), rows[i].both);
    }
    talloc_free(ctx);
}

static void the_catalogue_knows_the_standard_scopes(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *scope, *claims; /* NULL: unknown */
    } rows[] = {
        {"Core §5.4: openid carries none (sub is always there)", "openid", ""},
        {"Core §5.4: profile", "profile",
         "name family_name given_name middle_name nickname preferred_username profile picture website gender "
         "birthdate zoneinfo locale updated_at"},
        {"Core §5.4: email", "email", "email email_verified extra"},
        {"Core §5.4: address", "address", "address"},
        {"Core §5.4: phone", "phone", "phone_number phone_number_verified"},
        {"Core §11: offline_access", "offline_access", ""},
        {"the operator's own", "groups", "groups roles"},
        {"the operator's own, of a line further", "team", "team"},
        {"unknown", "nothing", NULL},
    };
    char *custom[] = {(char[]){"groups:groups:roles"}, (char[]){"team:team"}, (char[]){"email:extra:email"}};
    void *ctx = mem_root("test");
    struct scope_catalogue catalogue;
    const char *why = NULL;
    assert_int_equal(scope_catalogue_make(ctx, custom, COUNT(custom), &catalogue, &why), OP_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct scope_definition *found = scope_find(&catalogue, rows[i].scope);
        row_string(rows[i].rule, found == NULL ? NULL : scope_text(ctx, found->claims, found->claim_count), rows[i].claims);
    }
    talloc_free(ctx);
}

static void bad_lines_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "groups", ":groups", "groups:", "groups::a", "gro ups:a", "groups:a b",
                                       "groups:\"a", "groups:a\\", "gr\xc3\xbc:a", "groups:a:"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct scope_catalogue catalogue = {0};
        const char *why = NULL;
        char *line = mem_strdup(ctx, rows[i]);
        row_equal(rows[i], scope_catalogue_make(ctx, &line, 1, &catalogue, &why), OP_INVALID);
        assert_non_null(why);
        assert_null(catalogue.items);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_are_split_and_joined),
        cmocka_unit_test(subsets_and_intersections),
        cmocka_unit_test(the_catalogue_knows_the_standard_scopes),
        cmocka_unit_test(bad_lines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
