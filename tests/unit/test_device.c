/* User codes and polling, a row per sentence of RFC 8628 §3.3, §3.4, §3.5, §5.1, §6.1. */
#include "protocol/device.h"
#include "rows.h"

static void what_people_type(void **state)
{
    (void)state;
    static const struct { const char *sentence, *typed, *code; } rows[] = {
        {"as it was shown", "WDJB-MJHT", "WDJBMJHT"},
        {"without the dash: the server should strip punctuation that it added (§6.1)", "WDJBMJHT", "WDJBMJHT"},
        {"input should be upper-cased before it is compared (§6.1)", "wdjb-mjht", "WDJBMJHT"},
        {"in mixed case", "WdJb-mJhT", "WDJBMJHT"},
        {"with spaces, as phones like to add", " wdjb mjht ", "WDJBMJHT"},
        {"letter by letter", "w d j b m j h t", "WDJBMJHT"},
        {"with dashes that are none of ASCII", "WDJB\xe2\x80\x93MJHT", "WDJBMJHT"},
        {"characters outside the set are stripped (§6.1)", "W0DJB1MJHTa", "WDJBMJHT"},
        {"all letters of the alphabet, the first ones", "BCDFGHJK", "BCDFGHJK"},
        {"and the last ones", "lmnpqrst", "LMNPQRST"},
        {"and the very last", "vwxzvwxz", "VWXZVWXZ"},
        {"too short", "WDJB-MJH", NULL},
        {"too long", "WDJB-MJHTT", NULL},
        {"a vowel is not a letter of a code", "ADJB-MJHT", NULL},
        {"nothing", "", NULL},
        {"nothing of a code", "----", NULL},
        {"more than anybody types", "WDJBMJHT                                                         ", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char code[DEVICE_USER_CODE_LEN + 1] = "?";
        bool good = device_user_code_read(rows[i].typed, code);
        row_string(rows[i].sentence, good ? code : NULL, rows[i].code);
        if (!good)
            row_string(rows[i].sentence, code, "?");
    }
}

static void codes_are_made_of_randomness(void **state)
{
    (void)state;
    static const struct { uint8_t random[8]; const char *code; } rows[] = {
        {{0}, "BBBBBBBB"},
        {{0, 0, 0, 0, 0, 0, 0, 19}, "ZBBBBBBB"},
        {{0, 0, 0, 0, 0, 0, 0, 21}, "CCBBBBBB"},
        {{0, 0, 0, 5, 0xf5, 0xe0, 0xff, 0xff}, "ZZZZZZZZ"}, /* 20^8 - 1 */
        {{0, 0, 0, 5, 0xf5, 0xe1, 0, 0}, "BBBBBBBB"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        char code[DEVICE_USER_CODE_LEN + 1], read[DEVICE_USER_CODE_LEN + 1];
        device_user_code_make(rows[i].random, code);
        row_string("made", code, rows[i].code);
        assert_true(device_user_code_read(device_user_code_text(ctx, code), read));
        row_string("shown and typed", read, code);
    }
    assert_string_equal(device_user_code_text(ctx, "WDJBMJHT"), "WDJB-MJHT");
    talloc_free(ctx);
}

enum state { PENDING, APPROVED, DENIED, NOTHING };

static const struct row {
    const char *sentence;
    enum state state;
    const char *client_id;
    int64_t now, polled_at; /* good before 100; polled_at 0: never */
    int64_t interval;
    enum family_verdict alive;
    enum device_verdict verdict;
    enum oauth_code error;
} ROWS[] = {
    {"authorization_pending: the user has not yet completed the interaction (§3.5)",
     PENDING, "c1", 50, 0, 5, FAMILY_DEAD, DEVICE_WAIT, OAUTH_AUTHORIZATION_PENDING},
    {"the client should wait the interval between polls: exactly that is enough",
     PENDING, "c1", 50, 45, 5, FAMILY_DEAD, DEVICE_WAIT, OAUTH_AUTHORIZATION_PENDING},
    {"slow_down: still pending, but polling should go on more slowly",
     PENDING, "c1", 50, 46, 5, FAMILY_DEAD, DEVICE_WAIT, OAUTH_SLOW_DOWN},
    {"at once again",
     PENDING, "c1", 50, 50, 5, FAMILY_DEAD, DEVICE_WAIT, OAUTH_SLOW_DOWN},
    {"the longer interval is for all subsequent requests",
     PENDING, "c1", 50, 41, 10, FAMILY_DEAD, DEVICE_WAIT, OAUTH_SLOW_DOWN},
    {"and keeping it is enough",
     PENDING, "c1", 50, 40, 10, FAMILY_DEAD, DEVICE_WAIT, OAUTH_AUTHORIZATION_PENDING},
    {"a clock that was set back slows nobody down",
     PENDING, "c1", 50, 90, 5, FAMILY_DEAD, DEVICE_WAIT, OAUTH_AUTHORIZATION_PENDING},
    {"access_denied: the authorization request was denied",
     DENIED, "c1", 50, 0, 5, FAMILY_DEAD, DEVICE_REFUSE, OAUTH_ACCESS_DENIED},
    {"however fast it polls",
     DENIED, "c1", 50, 50, 5, FAMILY_DEAD, DEVICE_REFUSE, OAUTH_ACCESS_DENIED},
    {"expired_token: the device_code has expired",
     PENDING, "c1", 100, 0, 5, FAMILY_DEAD, DEVICE_REFUSE, OAUTH_EXPIRED_TOKEN},
    {"however fast it polls",
     PENDING, "c1", 100, 100, 5, FAMILY_DEAD, DEVICE_REFUSE, OAUTH_EXPIRED_TOKEN},
    {"also when it was approved too late to be fetched",
     APPROVED, "c1", 100, 95, 5, FAMILY_ALIVE, DEVICE_REFUSE, OAUTH_EXPIRED_TOKEN},
    {"the last second is good",
     PENDING, "c1", 99, 0, 5, FAMILY_DEAD, DEVICE_WAIT, OAUTH_AUTHORIZATION_PENDING},
    {"approved: a success response as of RFC 6749 §5.1 (§3.5)",
     APPROVED, "c1", 50, 45, 5, FAMILY_ALIVE, DEVICE_REDEEM, OAUTH_OK},
    {"slow_down is a variant of pending: what is approved is given however fast it polls",
     APPROVED, "c1", 50, 50, 5, FAMILY_ALIVE, DEVICE_REDEEM, OAUTH_OK},
    {"and without a poll before",
     APPROVED, "c1", 50, 0, 5, FAMILY_ALIVE, DEVICE_REDEEM, OAUTH_OK},
    {"invalid_grant of RFC 6749 §5.2: issued to another client",
     APPROVED, "c2", 50, 0, 5, FAMILY_ALIVE, DEVICE_REFUSE, OAUTH_INVALID_GRANT},
    {"issued to another client, and pending",
     PENDING, "c2", 50, 0, 5, FAMILY_DEAD, DEVICE_REFUSE, OAUTH_INVALID_GRANT},
    {"another client does not even hear that it expired",
     PENDING, "c2", 100, 0, 5, FAMILY_DEAD, DEVICE_REFUSE, OAUTH_INVALID_GRANT},
    {"nobody made it, or it was used",
     NOTHING, "c1", 50, 0, 0, FAMILY_DEAD, DEVICE_REFUSE, OAUTH_INVALID_GRANT},
    {"the session ended meanwhile",
     APPROVED, "c1", 50, 0, 5, FAMILY_SESSION_ENDED, DEVICE_REFUSE, OAUTH_INVALID_GRANT},
    {"the consent was withdrawn meanwhile",
     APPROVED, "c1", 50, 0, 5, FAMILY_CONSENT_WITHDRAWN, DEVICE_REFUSE, OAUTH_INVALID_GRANT},
    {"the user was disabled meanwhile",
     APPROVED, "c1", 50, 0, 5, FAMILY_USER_GONE, DEVICE_REFUSE, OAUTH_INVALID_GRANT},
};

static void every_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct row *row = &ROWS[i];
        Rec__Grant grant = REC__GRANT__INIT;
        Rec__DeviceRequest request = REC__DEVICE_REQUEST__INIT;
        request.client_id = (char[]){"c1"};
        request.expires_at = 100;
        request.has_interval = true;
        request.interval = row->interval;
        request.has_polled_at = row->polled_at > 0;
        request.polled_at = row->polled_at;
        request.denied = row->state == DENIED;
        request.grant = row->state == APPROVED ? &grant : NULL;
        struct device_poll poll = {
            .request = row->state == NOTHING ? NULL : &request,
            .client_id = row->client_id,
            .alive = row->alive,
            .now = row->now,
        };
        struct oauth_error error = {OAUTH_OK, NULL};
        row_equal(row->sentence, device_poll_decide(&poll, &error), row->verdict);
        row_equal(row->sentence, error.code, row->error);
        row_equal(row->sentence, error.description != NULL, row->verdict != DEVICE_REDEEM);
    }
}

static void a_stranger_learns_nothing(void **state)
{
    (void)state;
    Rec__DeviceRequest request = REC__DEVICE_REQUEST__INIT;
    struct oauth_error unknown, foreign;
    request.client_id = (char[]){"c1"};
    struct device_poll poll = {.client_id = "c2", .now = 50};
    assert_int_equal(device_poll_decide(&poll, &unknown), DEVICE_REFUSE);
    poll.request = &request;
    assert_int_equal(device_poll_decide(&poll, &foreign), DEVICE_REFUSE);
    assert_string_equal(unknown.description, foreign.description);
}

static void slowing_down_is_for_good(void **state)
{
    (void)state;
    Rec__DeviceRequest request = REC__DEVICE_REQUEST__INIT;
    request.client_id = (char[]){"c1"};
    request.expires_at = 1000;
    request.interval = 5;
    static const struct { int64_t now; enum oauth_code error; int64_t interval; } polls[] = {
        {100, OAUTH_AUTHORIZATION_PENDING, 5}, /* the first */
        {105, OAUTH_AUTHORIZATION_PENDING, 5},
        {107, OAUTH_SLOW_DOWN, 10},            /* the interval must be increased by 5 seconds (§3.5) */
        {112, OAUTH_SLOW_DOWN, 15},            /* the old one is too fast now */
        {127, OAUTH_AUTHORIZATION_PENDING, 15},
        {141, OAUTH_SLOW_DOWN, 20},            /* for this and all subsequent requests */
        {161, OAUTH_AUTHORIZATION_PENDING, 20},
    };
    for (size_t i = 0; i < COUNT(polls); i++) {
        struct device_poll poll = {.request = &request, .client_id = "c1", .now = polls[i].now};
        struct oauth_error error;
        assert_int_equal(device_poll_decide(&poll, &error), DEVICE_WAIT);
        device_poll_note(&request, &error, polls[i].now);
        row_equal("error", error.code, polls[i].error);
        row_equal("interval", request.interval, polls[i].interval);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_type),
        cmocka_unit_test(codes_are_made_of_randomness),
        cmocka_unit_test(every_sentence),
        cmocka_unit_test(a_stranger_learns_nothing),
        cmocka_unit_test(slowing_down_is_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
