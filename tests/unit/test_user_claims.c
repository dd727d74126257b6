#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "operator/operate_user_claims.h"
#include "user_claims.h"

/* As opctl does: read from the line, then set. */
static enum op_err set(const void *ctx, Rec__User *user, const char *text, const char **ret_why)
{
    json_t *claims = json_make_object(ctx);
    struct refusal refusal;
    enum op_err err = user_claim_read(ctx, text, claims, ret_why);
    if (err == OP_OK && !operate_user_claims_change(ctx, user, claims, true, &refusal)) {
        *ret_why = refusal.what;
        return OP_INVALID;
    }
    return err;
}

static void claims_are_text_or_json(void **state)
{
    (void)state;
    static const struct {
        const char *text, *claims; /* NULL: refused */
    } rows[] = {
        {"name=Alice Doe", "{\"name\":\"Alice Doe\"}"},
        {"nickname=", "{\"nickname\":\"\"}"},
        {"x=a=b", "{\"x\":\"a=b\"}"},
        {"employee=007", "{\"employee\":\"007\"}"},
        {"employee:=7", "{\"employee\":7}"},
        {"email_verified=true", "{\"email_verified\":true}"},
        {"member=false", "{\"member\":false}"},
        {"member:=\"false\"", "{\"member\":\"false\"}"},
        {"groups=[\"a\",\"b\"]", "{\"groups\":[\"a\",\"b\"]}"},
        {"address={\"country\":\"DE\"}", "{\"address\":{\"country\":\"DE\"}}"},
        {"https://example.org/role=admin", "{\"https://example.org/role\":\"admin\"}"},
        {"name=Zo\xc3\xab", "{\"name\":\"Zo\xc3\xab\"}"},
        {"name=Eve\xe2\x80\xae" "nimda", NULL}, /* U+202E turns what follows round */
        {"nickname:=\"a\\u0085b\"", NULL},
        {"website=a\xe2\x80\x8e", "{\"website\":\"a\xe2\x80\x8e\"}"},
        {"name", NULL},
        {"=x", NULL},
        {":=1", NULL},
        {"na me=x", NULL},
        {"name=\xff", NULL},
        {"groups=[\"a\"", NULL},
        {"x:=", NULL},
        {"x:=null", NULL},
        {"x:={\"a\":1,\"a\":2}", NULL},
        {"sub=alice", NULL},
        {"iss=x", NULL},
        {"updated_at:=1", NULL},
        {"sid=x", NULL},
        {"fam=x", NULL},
        {"email_verified=yes", NULL},
        {"phone_number_verified:=1", NULL},
        {"name:=7", NULL},
        {"email=[\"a\"]", NULL},
        {"address=Street 1", NULL},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rec__User *user = records_new(ctx, &rec__user__descriptor);
        const char *why = NULL;
        enum op_err err = set(ctx, user, rows[i].text, &why);
        assert_int_equal(err, rows[i].claims == NULL ? OP_INVALID : OP_OK);
        if (rows[i].claims == NULL)
            assert_true(why != NULL && user->n_claims == 0);
        else
            assert_string_equal(json_text(ctx, operate_user_claims_json(ctx, user)), rows[i].claims);
    }
    talloc_free(ctx);
}

static void a_claim_replaces_its_like_and_can_be_removed(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    const char *why;
    assert_int_equal(set(ctx, user, "a=1", &why), OP_OK);
    assert_int_equal(set(ctx, user, "b=2", &why), OP_OK);
    assert_int_equal(set(ctx, user, "a=3", &why), OP_OK);
    assert_string_equal(json_text(ctx, operate_user_claims_json(ctx, user)), "{\"a\":\"3\",\"b\":\"2\"}");
    struct refusal refusal;
    json_t *patch = json_make_object(ctx);
    json_set(patch, "a", json_null());
    json_set(patch, "zzz", json_null());
    assert_true(operate_user_claims_change(ctx, user, patch, true, &refusal));
    assert_string_equal(json_text(ctx, operate_user_claims_json(ctx, user)), "{\"b\":\"2\"}");
    talloc_free(ctx);
}

static void long_values_are_refused(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    const char *why;
    char *text = mem_array(ctx, char, 17000);
    memset(text, 'a', 16999);
    text[1] = '=';
    assert_int_equal(set(ctx, user, text, &why), OP_INVALID);
    text[2 + 16384] = '\0';
    assert_int_equal(set(ctx, user, text, &why), OP_OK);
    memset(text, 'a', 65);
    text[65] = '=';
    assert_int_equal(set(ctx, user, text, &why), OP_INVALID);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_text_or_json),
        cmocka_unit_test(a_claim_replaces_its_like_and_can_be_removed),
        cmocka_unit_test(long_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
