#pragma once
/* What a request to sign out leads to (OpenID Connect RP-Initiated Logout 1.0). Pure. */
#include "data/json.h"
#include "data/records.h"
#include "protocol/oauth_error.h"

struct logout_request {
    const char *id_token_hint, *client_id, *post_logout_redirect_uri, *state, *ui_locales, *logout_hint;
};

enum logout_step {
    LOGOUT_PROBLEM,  /* error: shown to the person, never redirected; signing out is still offered */
    LOGOUT_REENTER,  /* a POST that may have come without its cookies */
    LOGOUT_ASK,      /* may we? */
    LOGOUT_END,      /* end the session, then answer */
    LOGOUT_ANSWER,   /* nobody is signed in: answer at once */
};

struct logout_facts {
    const struct logout_request *request;
    const char *issuer;
    bool hint_verified;         /* id_token_hint is an ID token of ours, whatever its age */
    const json_t *hint;         /* its claims */
    const Rec__Client *client;  /* whom logout_client_id names; NULL unknown */
    const Rec__Session *session;  /* NULL: nobody is signed in */
    bool may_lack_cookies;
    bool confirmed;             /* the person said yes, on our page, in this very session */
};

/* Who asks: client_id, else the one audience of the hint (or its azp). NULL: nobody says. */
const char *logout_client_id(const struct logout_request *request, const json_t *hint);

/* §2, §6: the hint's user must be the one signed in, and in the very session that the hint is of (which keeps its sid
 * when its person signs in anew), else the person is asked; §3: no redirect unless the URI is
 * registered, exactly, by the client that the hint or client_id names. */
enum logout_step logout_decide(const struct logout_facts *facts, struct oauth_error *ret_error);

/* Where to send the browser afterwards, state appended; NULL: nowhere, show the page. Owned by ctx. */
char *logout_target(const void *ctx, const struct logout_request *request);
