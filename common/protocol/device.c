#include "protocol/device.h"

#include <string.h>

#include "base/num.h"

enum { SLOWER = 5 }; /* seconds, §3.5 */

/* §6.1: letters that are not mistaken for each other, and without vowels no words. */
static const char LETTERS[] = "BCDFGHJKLMNPQRSTVWXZ";

void device_user_code_make(const uint8_t random[8], char ret[DEVICE_USER_CODE_LEN + 1])
{
    uint64_t value = num_get_be64(random); /* of 2^64 the remainder by 20^8 is even to one part in 10^8 */
    for (size_t i = 0; i < DEVICE_USER_CODE_LEN; i++) {
        ret[i] = LETTERS[value % (sizeof LETTERS - 1)];
        value /= sizeof LETTERS - 1;
    }
    ret[DEVICE_USER_CODE_LEN] = '\0';
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

bool device_user_code_read(const char *typed, char ret[DEVICE_USER_CODE_LEN + 1])
{
    char code[DEVICE_USER_CODE_LEN + 1];
    size_t len = 0;
    if (strlen(typed) > DEVICE_USER_CODE_TYPED_MAX)
        return false;
    for (; *typed != '\0'; typed++) {
        char letter = upper(*typed);
        if (strchr(LETTERS, letter) == NULL)
            continue; /* §6.1: whatever is not of the alphabet is stripped */
        if (len == DEVICE_USER_CODE_LEN)
            return false;
        code[len++] = letter;
    }
    if (len < DEVICE_USER_CODE_LEN)
        return false;
    code[len] = '\0';
    memcpy(ret, code, sizeof code);
    return true;
}

char *device_user_code_text(const void *ctx, const char *user_code)
{
    enum { HALF = DEVICE_USER_CODE_LEN / 2 };
    return mem_printf(ctx, "%.*s-%s", HALF, user_code, user_code + HALF);
}

static enum device_verdict refuse(enum oauth_code code, const char *description, struct oauth_error *ret_error)
{
    *ret_error = (struct oauth_error){code, description};
    return DEVICE_REFUSE;
}

static enum device_verdict judge_pending(const struct device_poll *poll, struct oauth_error *ret_error)
{
    const Rec__DeviceRequest *request = poll->request;
    int64_t since_last = request->has_polled_at ? poll->now - request->polled_at : request->interval;
    bool too_soon = since_last >= 0 && since_last < request->interval; /* below 0 the clock was set back */
    if (too_soon)
        refuse(OAUTH_SLOW_DOWN, "polled too soon: wait five seconds longer than before between polls", ret_error);
    else
        refuse(OAUTH_AUTHORIZATION_PENDING, "the person has not answered yet", ret_error);
    return DEVICE_WAIT;
}

enum device_verdict device_poll_decide(const struct device_poll *poll, struct oauth_error *ret_error)
{
    const Rec__DeviceRequest *request = poll->request;
    /* One answer for a code that never was, was used or is another client's: a stranger learns nothing. */
    if (request == NULL || request->client_id == NULL || strcmp(request->client_id, poll->client_id) != 0)
        return refuse(OAUTH_INVALID_GRANT, "the device_code is unknown, already used or was given to another client",
                      ret_error);
    if (poll->now >= request->expires_at)
        return refuse(OAUTH_EXPIRED_TOKEN, "the device_code has expired: ask for a new one", ret_error);
    if (request->denied)
        return refuse(OAUTH_ACCESS_DENIED, "the person did not allow it", ret_error);
    if (request->grant == NULL)
        return judge_pending(poll, ret_error);
    if (poll->alive != FAMILY_ALIVE)
        return refuse(OAUTH_INVALID_GRANT, "what the person approved has ended", ret_error);
    return DEVICE_REDEEM;
}

void device_poll_note(Rec__DeviceRequest *request, const struct oauth_error *error, int64_t now)
{
    request->has_polled_at = true;
    request->polled_at = now;
    if (error->code == OAUTH_SLOW_DOWN) {
        request->has_interval = true;
        request->interval += SLOWER;
    }
}
