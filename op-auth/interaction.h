#pragma once
/* What has to come back with a form: until a person has signed in, nothing of a visit is stored, so the
 * visit travels sealed in its own form (AES-256-GCM under the form key). It is bound to one purpose, to
 * the browser it was shown to (a cookie), and to a time. Pure; nothing blocks. */
#include "base/err.h"
#include "base/mem.h"

enum interaction_purpose {
    INTERACTION_CONTINUE = 1, /* a redirect of ours back to /authorize */
    INTERACTION_SIGN_IN,
    INTERACTION_SELECT_ACCOUNT,
    INTERACTION_CONSENT,
    INTERACTION_LOGOUT,
    INTERACTION_PASSWORD,     /* the forms of the account page */
    INTERACTION_END_SESSION,
    INTERACTION_WITHDRAW,
    INTERACTION_EVERYWHERE,
    INTERACTION_DEVICE,
    INTERACTION_PURPOSES,
};

struct interaction {
    enum interaction_purpose purpose;
    int64_t created_at;
    const char *request;  /* the parameters of /authorize or /logout, form-encoded; NULL: the account page */
    const char *pushed;   /* what request's request_uri stood for when the visit began (RFC 9126); NULL: it has none */
    int64_t pushed_until; /* and until when the visit may go on: as long as its end is remembered */
    const char *sid;      /* the session it was made for, or the one that sign-in began; NULL nobody's */
    bool device;          /* request is that of /device/approve */
    /* What this visit has already done, so that prompt=login and the like are not asked twice: */
    bool signed_in;       /* in the session sid */
    bool account_chosen;  /* that of the session sid */
    bool other_account;   /* the session that is there is not wanted */
    /* What went wrong at the last try, to be told on the next page: */
    const char *error;    /* key of a message, NULL nothing */
    const char *username; /* as typed, NULL none */
};

/* Seals it for a browser (the value of its cookie). Text for a form or URL, owned by ctx. */
char *interaction_seal(const void *ctx, const uint8_t key[32], const char *browser,
                       const struct interaction *interaction);

struct interaction_opened {
    struct interaction interaction;
    struct bytes browser_hash;
};
/* Unseals. OP_INVALID: not sealed by us, or changed. Owned by ctx. */
must_check enum op_err interaction_open(const void *ctx, const uint8_t key[32], const char *text,
                                        struct interaction_opened *ret);

enum interaction_verdict {
    INTERACTION_FINE = 0,
    INTERACTION_OTHER_PURPOSE, /* the form of another page */
    INTERACTION_NO_COOKIE,     /* the browser sent none: switched off */
    INTERACTION_OTHER_BROWSER, /* its cookie is another one */
    INTERACTION_TOO_OLD,
};
/* browser is the cookie's value, NULL when none was sent. lifetime in seconds. */
enum interaction_verdict interaction_judge(const struct interaction_opened *opened, enum interaction_purpose purpose,
                                           const char *browser, int64_t now, int64_t lifetime);
