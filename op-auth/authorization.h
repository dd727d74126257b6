#pragma once
/* One pass of an authorization request: who asks, who is signed in, what is still to be done, and the code
 * when nothing is. /authorize, sign-in and consent all end here. */
#include "data/form.h"
#include "interaction.h"
#include "protocol/authorize_request.h"
#include "runtime/audit.h"
#include "runtime/http.h"
#include "store/kv.h"

enum authorization_outcome {
    OUTCOME_PROBLEM,   /* an error for the person: never redirected */
    OUTCOME_ERROR,     /* an error for the client, at its redirect URI */
    OUTCOME_REENTER,   /* a POST that may have come without its cookies */
    OUTCOME_SIGN_IN,
    OUTCOME_SELECT_ACCOUNT,
    OUTCOME_CONSENT,
    OUTCOME_GRANT,
};

enum consent_answer { CONSENT_UNASKED, CONSENT_ALLOWED, CONSENT_DENIED };

struct authorization {
    struct http_request *req;
    /* What came in: */
    struct form sent;              /* the parameters as the browser brought them */
    struct form form;              /* those that count: the same, or what was pushed under sent's request_uri */
    const char *pushed;            /* the latter, form-encoded (RFC 9126); NULL: the same */
    int64_t pushed_until;          /* when the visit has to end then */
    struct interaction visit;      /* what this visit has done so far */
    const char *session_cookie;    /* NULL none */
    bool may_lack_cookies;
    enum consent_answer answer;
    const json_t *hint;            /* verified claims of id_token_hint; NULL: none, or not verified */
    /* What the store says: */
    Rec__Client *client;
    Rec__Session *session;
    Rec__User *user;
    Rec__Consent *consent;
    /* What is decided: */
    struct authorize_request request;
    struct oauth_error error;
    enum authorization_outcome outcome;
    int64_t judged_at;
    Rec__Code *record;             /* OUTCOME_GRANT */
    const char *code;
};

/* One answer for a request_uri that never was, is another client's, has expired or was used: a stranger learns nothing. */
extern const struct oauth_error authorization_unusable;

/* The rules by the settings. */
struct authorize_policy authorization_policy(bool is_pushed);
/* Pure: false with ret_error where an id_token_hint was sent and is none of ours. */
bool authorization_hint_is_good(const struct authorize_request *request, const json_t *hint,
                                struct oauth_error *ret_error);

/* Pure: from the first two groups and `now` to the outcome, request and error. Strings are of ctx. */
enum authorization_outcome authorization_judge(const void *ctx, struct authorization *a, int64_t now);
/* Pure: the same for a request that is read already (a->request) and a client that may ask. */
enum authorization_outcome authorization_judge_request(struct authorization *a, int64_t now);
/* Pure: what is granted, as of when it was judged: power that is taken away before it is written takes it, too. Owned
 * by ctx. */
Rec__Grant *authorization_grant(const void *ctx, const struct authorization *a);
/* Pure: the record of the code to be given. Owned by ctx. */
Rec__Code *authorization_code(const void *ctx, const struct authorization *a, int64_t now);
/* Pure: the consent as it is after this answer: what was granted before, unless withdrawn, and what was asked
 * for now. Owned by ctx; a consent that is there is changed in place. */
Rec__Consent *authorization_consent(const void *ctx, const struct authorization *a, int64_t now);

/* Pure: what this visit did counts only in the session in which it was done. */
bool authorization_in_this_session(const struct authorization *a);
/* Pure: does the session know this client, and was its use noted lately ("last used" is written at most every
 * tenth of the idle time)? If not, note both. */
bool authorization_session_is_settled(const struct authorization *a, int64_t now);
void authorization_settle_session(const void *ctx, struct authorization *a, int64_t now);

/* In a transaction on sessions, for OUTCOME_GRANT: writes what the grant leans on, consent and session. */
must_check enum op_err authorization_settle(struct kv_txn *txn, struct authorization *a);
/* Notes that the person said so to the client. */
void authorization_note(const struct authorization *a, enum audit_event event);
/* The same of a consent, where authorization_settle() has written one. */
void authorization_note_consent(const struct authorization *a);
/* What this visit has done, to be carried on by a form of that purpose; the flags only with the session they belong to. */
struct interaction authorization_carry(const struct authorization *a, enum interaction_purpose purpose);

/* The verified claims of the form's id_token_hint, whatever its age; NULL: none, or not of this issuer. Owned by
 * req. Runs its own transaction. */
const json_t *authorization_hint(struct http_request *req, const struct form *form);

/* A request as the browser brought it, or the request of a visit that goes on. cookie is the session's, as the
 * browser has it after this reply. */
struct authorization *authorization_new(struct http_request *req, const struct form *sent, const char *cookie);
struct authorization *authorization_resume(struct http_request *req, const struct interaction *visit,
                                           const char *cookie);
/* Goes on and answers. */
void authorization_run(struct authorization *a);
/* The same by a redirect to /authorize (of a device: to /device/approve), so that reload and Back find a page and no form that was sent; where
 * that URL would be too long, at once. */
void authorization_go_on(struct http_request *req, const struct interaction *visit, const char *cookie);
