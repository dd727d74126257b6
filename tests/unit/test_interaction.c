#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rand.h"
#include "interaction.h"

static const uint8_t KEY[32] = {1, 2, 3}, OTHER_KEY[32] = {1, 2, 4};

static const struct interaction SIGN_IN = {
    .purpose = INTERACTION_SIGN_IN, .created_at = 1000, .request = "client_id=a&state=%22", .sid = "s",
        .signed_in = true, .device = true,
};

static void what_is_sealed_comes_back(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct interaction_opened opened = {0};
    char *text = interaction_seal(ctx, KEY, "browser", &SIGN_IN);
    assert_null(strstr(text, "client_id"));
    assert_int_equal(interaction_open(ctx, KEY, text, &opened), OP_OK);
    assert_int_equal(opened.interaction.purpose, INTERACTION_SIGN_IN);
    assert_int_equal(opened.interaction.created_at, 1000);
    assert_string_equal(opened.interaction.request, SIGN_IN.request);
    assert_string_equal(opened.interaction.sid, "s");
    assert_true(opened.interaction.signed_in && opened.interaction.device);
    assert_false(opened.interaction.account_chosen);
    assert_false(opened.interaction.other_account);
    assert_null(opened.interaction.error);
    struct interaction bare = {.purpose = INTERACTION_EVERYWHERE, .created_at = 5, .account_chosen = true,
                               .other_account = true};
    assert_int_equal(interaction_open(ctx, KEY, interaction_seal(ctx, KEY, "b", &bare), &opened), OP_OK);
    assert_null(opened.interaction.request);
    assert_null(opened.interaction.sid);
    assert_true(opened.interaction.account_chosen && opened.interaction.other_account);
    struct interaction failed = {.purpose = INTERACTION_CONTINUE, .error = "sign_in.wrong", .username = "ann \"x\""};
    assert_int_equal(interaction_open(ctx, KEY, interaction_seal(ctx, KEY, "b", &failed), &opened), OP_OK);
    assert_string_equal(opened.interaction.error, "sign_in.wrong");
    assert_string_equal(opened.interaction.username, "ann \"x\"");
    assert_null(opened.interaction.pushed);
    struct interaction pushed = {.purpose = INTERACTION_CONSENT, .request = "client_id=a&request_uri=urn%3Ax",
                                 .pushed = "client_id=a&scope=openid", .pushed_until = 77};
    assert_int_equal(interaction_open(ctx, KEY, interaction_seal(ctx, KEY, "b", &pushed), &opened), OP_OK);
    assert_string_equal(opened.interaction.pushed, pushed.pushed);
    assert_int_equal(opened.interaction.pushed_until, 77);
    talloc_free(ctx);
}

static void every_change_is_noticed(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct interaction_opened opened = {0};
    char *text = interaction_seal(ctx, KEY, "browser", &SIGN_IN);
    assert_int_equal(interaction_open(ctx, OTHER_KEY, text, &opened), OP_INVALID);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char *changed = mem_strdup(ctx, text);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(interaction_open(ctx, KEY, changed, &opened), OP_INVALID);
    }
    static const char *const rubbish[] = {"", "x", "????", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++)
        assert_int_equal(interaction_open(ctx, KEY, rubbish[i], &opened), OP_INVALID);
    assert_int_equal(interaction_open(ctx, KEY, mem_strndup(ctx, text, strlen(text) - 1), &opened), OP_INVALID);
    assert_null(opened.interaction.request); /* untouched */
    talloc_free(ctx);
}

static void it_is_bound_to_purpose_browser_and_time(void **state)
{
    (void)state;
    static const struct { enum interaction_purpose purpose; const char *browser; int64_t now; enum interaction_verdict verdict; } rows[] = {
        {INTERACTION_SIGN_IN, "browser", 1000, INTERACTION_FINE},
        {INTERACTION_SIGN_IN, "browser", 1599, INTERACTION_FINE},
        {INTERACTION_SIGN_IN, "browser", 1600, INTERACTION_TOO_OLD},
        {INTERACTION_SIGN_IN, "browser", 940, INTERACTION_FINE},    /* another instance's clock */
        {INTERACTION_SIGN_IN, "browser", 939, INTERACTION_TOO_OLD},
        {INTERACTION_SIGN_IN, "browser2", 1000, INTERACTION_OTHER_BROWSER},
        {INTERACTION_SIGN_IN, "", 1000, INTERACTION_OTHER_BROWSER},
        {INTERACTION_SIGN_IN, NULL, 1000, INTERACTION_NO_COOKIE},
        {INTERACTION_CONSENT, "browser", 1000, INTERACTION_OTHER_PURPOSE},
        {INTERACTION_CONTINUE, "browser", 1000, INTERACTION_OTHER_PURPOSE},
        {INTERACTION_LOGOUT, NULL, 9999, INTERACTION_OTHER_PURPOSE},
    };
    void *ctx = mem_root("test");
    struct interaction_opened opened = {0};
    assert_int_equal(interaction_open(ctx, KEY, interaction_seal(ctx, KEY, "browser", &SIGN_IN), &opened), OP_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(interaction_judge(&opened, rows[i].purpose, rows[i].browser, rows[i].now, 600),
                         rows[i].verdict);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_comes_back),
        cmocka_unit_test(every_change_is_noticed),
        cmocka_unit_test(it_is_bound_to_purpose_browser_and_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
