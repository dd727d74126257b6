/* The small rules of the account page: device names, new passwords, since. */
#include "base/mem.h"
#include "device.h"
#include "password_change.h"
#include "rows.h"
#include "who.h"

static void browsers_have_names(void **state)
{
    (void)state;
    static const struct { const char *agent, *browser, *system; } rows[] = {
        {"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox", "Linux"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36", "Chrome", "Windows"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0", "Edge", "Windows"},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Safari", "iPhone"},
        {"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36", "Chrome", "Android"},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "Safari", "macOS"},
        {"something else", NULL, NULL},
        {"", NULL, NULL},
        {NULL, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *browser = "?", *system = "?";
        device_describe(rows[i].agent, &browser, &system);
        row_string(rows[i].agent, browser, rows[i].browser);
        row_string(rows[i].agent, system, rows[i].system);
    }
}

static void new_passwords_are_judged(void **state)
{
    (void)state;
    char long_enough[PASSWORD_MAX + 1], too_long[PASSWORD_MAX + 2];
    memset(long_enough, 'a', sizeof long_enough);
    memset(too_long, 'a', sizeof too_long);
    long_enough[PASSWORD_MAX] = too_long[PASSWORD_MAX + 1] = '\0';
    const struct { const char *what, *current, *wanted, *repeated, *wrong; } rows[] = {
        {"fine", "old", "12345678", "12345678", NULL},
        {"the longest", "old", long_enough, long_enough, NULL},
        {"no present one", "", "12345678", "12345678", "password.no_current"},
        {"too short", "old", "1234567", "1234567", "password.too_short"},
        {"none", "old", "", "", "password.too_short"},
        {"too long", "old", too_long, too_long, "password.too_long"},
        {"present one too long", too_long, "12345678", "12345678", "password.too_long"},
        {"not repeated", "old", "12345678", "12345679", "password.not_repeated"},
        {"the same", "12345678", "12345678", "12345678", "password.same"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_string(rows[i].what, password_change_judge(rows[i].current, rows[i].wanted, rows[i].repeated),
                   rows[i].wrong);
}

static void since_always_moves(void **state)
{
    (void)state;
    assert_true(since_after(100, 0, 0) == 101);   /* a grant of second 100 dies */
    assert_true(since_after(100, 101, 0) == 102); /* and one made at 101 after the last time */
    assert_true(since_after(100, 0, 103) == 104); /* whatever it was that moved then */
    assert_true(since_after(100, 90, 80) == 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(browsers_have_names),
        cmocka_unit_test(new_passwords_are_judged),
        cmocka_unit_test(since_always_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
