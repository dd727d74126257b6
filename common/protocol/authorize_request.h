#pragma once
/* The authorization request (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1): its parameters, and what
 * is wrong with them; then what has to happen before a code is given. Pure. */
#include "data/form.h"
#include "data/records.h"
#include "protocol/claims.h"
#include "protocol/oauth_error.h"
#include "protocol/resource.h"

enum response_mode { RESPONSE_QUERY, RESPONSE_FRAGMENT, RESPONSE_FORM_POST };

struct authorize_request {
    const char *client_id, *redirect_uri, *response_type, *response_mode, *scope, *state, *nonce, *display, *prompt,
        *max_age, *ui_locales, *id_token_hint, *login_hint, *acr_values, *claims, *code_challenge,
        *code_challenge_method, *request, *request_uri, *registration;
    struct param_list resource;
    /* typed by authorize_request_parse: */
    enum response_mode mode;
    struct scope_list scopes;
    bool prompt_none, prompt_login, prompt_consent, prompt_select_account;
    int64_t max_age_seconds; /* -1 when absent */
    json_t *claims_request;  /* NULL when absent */
    struct scope_list resources; /* RFC 8707: each once, all allowed for the client; empty when absent */
};

/* What a request_uri of ours begins with (RFC 9126 §2.2). */
#define AUTHORIZE_REQUEST_URI "urn:ietf:params:oauth:request_uri:"

/* Step 0: does this stand for a request that was pushed (RFC 9126 §4)? Then client_id and request_uri are read, and
 * nothing else counts (RFC 9101 §6.3). OP_ABSENT: it has no request_uri of ours. OP_INVALID with ret_error: one of
 * the two is not there exactly once, or there is a request object beside it. */
must_check enum op_err authorize_request_reference(const void *ctx, const struct form *form,
                                                   struct authorize_request *ret, struct oauth_error *ret_error);

/* Two steps, because errors before the redirect URI is known to be good are shown to the person and
 * never redirected.
 * Step 1: client_id and redirect_uri, which say who asks and where to answer. OP_INVALID with ret_error. */
must_check enum op_err authorize_request_identify(const void *ctx, const struct form *form,
                                                  struct authorize_request *ret, struct oauth_error *ret_error);
/* The client and its redirect URI. NULL client: unknown. OP_MISMATCH with ret_error: unknown or disabled
 * client, redirect_uri missing (even with one registered: OpenID Connect Core requires it) or not registered. */
must_check enum op_err authorize_request_match(const struct authorize_request *request, const Rec__Client *client,
                                               struct oauth_error *ret_error);

struct authorize_policy {
    bool allow_plain_pkce;
    const struct scope_catalogue *catalogue;
    bool require_pushed; /* of every client; one may also be registered so (RFC 9126 §5, §6) */
    bool is_pushed;      /* this request is */
};
/* Step 2: all the rest; request is filled. OP_INVALID with an error to be redirected. state and mode are
 * set even then, when they could be read, so that the error can be sent where it belongs. scopes are
 * those that may be granted: unknown ones are left out, and offline_access when the client has not the
 * grant type refresh_token. Without the scope openid claims_request stays NULL. */
must_check enum op_err authorize_request_parse(const void *ctx, const struct form *form, const Rec__Client *client,
                                               const struct authorize_policy *policy, struct authorize_request *request,
                                               struct oauth_error *ret_error);

/* The scopes that may be granted of those that text asks for; the device grant has the same rule. RFC 6749 §3.3: those
 * known here must be registered for the client. OpenID Connect Core §3.1.2.1: those that nobody knows are ignored;
 * §11: offline_access is, where no refresh token could be. OP_INVALID with invalid_scope: also when text is NULL, or
 * none is left. Owned by ctx. */
must_check enum op_err authorize_scopes(const void *ctx, const char *text, const Rec__Client *client,
                                        const struct scope_catalogue *catalogue, struct scope_list *ret,
                                        struct oauth_error *ret_error);

/* The parameters of a request that was parsed, form-encoded: all that are known here and nothing else. Owned by
 * ctx. Parsing them gives the same request. */
char *authorize_request_text(const void *ctx, const struct authorize_request *request);

/* What has to happen before a code can be given. */
enum authorize_step {
    AUTHORIZE_SIGN_IN,        /* show the sign-in page */
    AUTHORIZE_SELECT_ACCOUNT, /* ask which account (the present one or another) */
    AUTHORIZE_CONSENT,
    AUTHORIZE_GRANT,          /* nothing: give the code */
    AUTHORIZE_ERROR,          /* redirect ret_error: prompt=none and the like */
};
struct authorize_facts {
    const struct authorize_request *request;
    const Rec__Client *client;
    const Rec__Session *session;   /* NULL: nobody is signed in */
    const Rec__User *user;         /* of the session; NULL: gone */
    const Rec__Consent *consent;   /* NULL: none */
    const char *hinted_user_id;    /* sub of a verified id_token_hint; NULL none (claims.id_token.sub is judged too) */
    const struct scope_list *reachable_acrs; /* the acr values a sign-in here can give; NULL: not known */
    /* What this interaction has already asked for and got, so that prompt=login does not ask forever: */
    bool signed_in_just_now, consented_just_now, account_chosen_just_now;
    int64_t now;
};
/* OpenID Connect Core §3.1.2.3, §3.1.2.4, §3.1.2.6. ret_error is written for AUTHORIZE_ERROR only. */
enum authorize_step authorize_decide(const struct authorize_facts *facts, struct oauth_error *ret_error);

/* True when the consent covers every scope and every claim that claims_request_names names, in both
 * places: all of those are to be written to the consent's claims. NULL consent: false. */
bool authorize_consent_covers(const Rec__Consent *consent, const struct authorize_request *request);

/* The success (code) or error response: the other one is NULL. iss is always there (RFC 9207). The names
 * and values, for the page of form_post; owned by ctx, values not copied. */
struct form authorize_response_fields(const void *ctx, const struct authorize_request *request, const char *issuer,
                                      const char *code, const struct oauth_error *error);
/* The same as the URL to redirect to, for the modes query and fragment. Owned by ctx. */
char *authorize_response_url(const void *ctx, const struct authorize_request *request, const char *issuer,
                             const char *code, const struct oauth_error *error);
