#pragma once
/* The device authorization grant (RFC 8628): the code that a person types, and what a device that polls is told. Pure. */
#include "data/records.h"
#include "protocol/oauth_error.h"
#include "protocol/family.h"

#define DEVICE_GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"

/* --- user codes (§6.1): eight of twenty consonants, 34 bits, no vowels, no digits --- */

enum { DEVICE_USER_CODE_LEN = 8, DEVICE_USER_CODE_TYPED_MAX = 64 };

/* A code out of random bytes. */
void device_user_code_make(const uint8_t random[8], char ret[DEVICE_USER_CODE_LEN + 1]);
/* What somebody typed, in any case, with whatever between the letters. False: not eight letters of a code. */
bool device_user_code_read(const char *typed, char ret[DEVICE_USER_CODE_LEN + 1]);
/* As it is shown: WDJB-MJHT. Owned by ctx. */
char *device_user_code_text(const void *ctx, const char *user_code);

/* --- polling (§3.4, §3.5) --- */

struct device_poll {
    const Rec__DeviceRequest *request; /* NULL: none to be had */
    const char *client_id;             /* authenticated */
    enum family_verdict alive;         /* of what was approved; looked at only when it was */
    int64_t now;
};

enum device_verdict {
    DEVICE_REDEEM, /* approved: the code is to be taken, tokens given */
    DEVICE_WAIT,   /* refused with ret_error, authorization_pending or slow_down; device_poll_note() is to be written */
    DEVICE_REFUSE, /* refused with ret_error; nothing changes */
};
/* ret_error is set unless the verdict is DEVICE_REDEEM. */
enum device_verdict device_poll_decide(const struct device_poll *poll, struct oauth_error *ret_error);
/* Notes a poll that was answered with error: slow_down makes the interval five seconds longer, for good. */
void device_poll_note(Rec__DeviceRequest *request, const struct oauth_error *error, int64_t now);
