/* What op-async decides about messages: when they are tried again, and what a mail server's word means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "post.h"
#include "retry.h"
#include "runtime/settings.h"
#include "smtp.h"

enum { MINUTE = 60, HOUR = 3600 };

static const struct {
    struct retry_settings settings;
    int64_t tries;
    int64_t seconds; /* give or take a quarter */
} WAITS[] = {
    {{14, 30, 6 * HOUR}, 1, 30},
    {{14, 30, 6 * HOUR}, 2, MINUTE},
    {{14, 30, 6 * HOUR}, 3, 2 * MINUTE},
    {{14, 30, 6 * HOUR}, 10, 30 * 512},
    {{14, 30, 6 * HOUR}, 11, 6 * HOUR},
    {{14, 30, 6 * HOUR}, 14, 6 * HOUR},
    {{100, 30, 6 * HOUR}, 100, 6 * HOUR},
    {{100, 1, 7 * 24 * HOUR}, 100, 7 * 24 * HOUR},
    {{14, HOUR, MINUTE}, 1, MINUTE}, /* the longest is the longest */
    {{14, 1, 1}, 1, 1},
    {{14, 1, 1}, 9, 1},
};

static void each_wait_is_twice_the_one_before(void **state)
{
    (void)state;
    static const uint32_t chances[] = {0, 1, 12345, UINT32_MAX / 2, UINT32_MAX};
    for (size_t i = 0; i < sizeof WAITS / sizeof *WAITS; i++) {
        int64_t ms = WAITS[i].seconds * 1000;
        for (size_t n = 0; n < sizeof chances / sizeof *chances; n++)
            assert_in_range(retry_delay_ms(&WAITS[i].settings, WAITS[i].tries, chances[n]), ms - ms / 4, ms + ms / 4);
    }
}

static void what_failed_together_does_not_come_back_together(void **state)
{
    (void)state;
    struct retry_settings hourly = {14, 30, HOUR};
    int64_t least = INT64_MAX, most = 0;
    for (uint32_t chance = 0; chance < 20000; chance++) {
        int64_t ms = retry_delay_ms(&hourly, 1, chance);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_int_equal(least, 22500);
    assert_int_equal(most, 37500);
}

static const struct {
    bool accepted, about_letter;
    long code;
    enum smtp_fate fate;
} ANSWERS[] = {
    {true, false, 250, SMTP_DELIVERED},
    {true, true, 250, SMTP_DELIVERED},
    /* it says no to the letter (RFC 5321 §4.2.1) */
    {false, true, 550, SMTP_REFUSED},
    {false, true, 500, SMTP_REFUSED},
    {false, true, 552, SMTP_REFUSED},
    {false, true, 554, SMTP_REFUSED},
    {false, true, 599, SMTP_REFUSED},
    {false, true, 421, SMTP_LATER},
    {false, true, 450, SMTP_LATER},
    {false, true, 451, SMTP_LATER},
    {false, true, 499, SMTP_LATER},
    /* it broke off: the last word was no answer to what it is asked about */
    {false, true, 250, SMTP_LATER},
    {false, true, 354, SMTP_LATER},
    {false, true, 600, SMTP_LATER},
    {false, true, 0, SMTP_LATER},
    /* it says no to us: at the greeting, at our name, to TLS */
    {false, false, 554, SMTP_LATER},
    {false, false, 502, SMTP_LATER},
    {false, false, 0, SMTP_LATER},
    /* our password (RFC 4954 §6): a setting is wrong, not the letter */
    {false, true, 530, SMTP_LATER},
    {false, true, 534, SMTP_LATER},
    {false, true, 535, SMTP_LATER},
    {false, true, 538, SMTP_LATER},
};

static void a_servers_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++)
        assert_int_equal(smtp_judge(ANSWERS[i].accepted, ANSWERS[i].about_letter, ANSWERS[i].code), ANSWERS[i].fate);
}

static const struct {
    const char *server, *from, *user;
    bool starttls, good;
} SETTINGS[] = {
    {"", "", "", true, true},
    {"", "", "someone", false, true}, /* nothing is sent */
    {"smtp://mail.example", "a@example.org", "", true, true},
    {"smtp://mail.example", "", "", true, false},
    {"smtp://mail.example", "a@example.org", "", false, true},
    {"smtp://mail.example", "a@example.org", "someone", true, true},
    {"smtp://mail.example", "a@example.org", "someone", false, false},
    {"smtps://mail.example", "a@example.org", "someone", false, true},
};

static void settings_that_fit_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) {
        settings.mail_server = SETTINGS[i].server;
        settings.mail_from = SETTINGS[i].from;
        post_settings.user = SETTINGS[i].user;
        post_settings.starttls = SETTINGS[i].starttls;
        assert_int_equal(post_check_settings() == NULL, SETTINGS[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wait_is_twice_the_one_before),
        cmocka_unit_test(what_failed_together_does_not_come_back_together),
        cmocka_unit_test(a_servers_word),
        cmocka_unit_test(settings_that_fit_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
