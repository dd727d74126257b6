/* Authorization requests: the first byte says what is known, the rest is the form. What is accepted holds
 * to the rules, and every answer goes to the registered URI and nowhere else. */
#include <stdlib.h>
#include <string.h>

#include "protocol/authorize_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REDIRECT_URI "https://rp.example/cb"
#define ISSUER "https://op.example"

static char client_id[] = "c", user_id[] = "u", acr[] = "1", redirect_uri[] = REDIRECT_URI, none[] = "none";
static char openid[] = "openid", email[] = "email";
static char api[] = "https://api.example/";
static char *redirect_uris[] = {redirect_uri}, *scopes[] = {openid, email}, *resources[] = {api};

enum { PUBLIC = 1, PLAIN = 2, SIGNED_IN = 4, CONSENTED = 8, JUST_NOW = 16, FIRST_PARTY = 32, MUST_PUSH = 64, PUSHED = 128 };

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_error(const struct oauth_error *error)
{
    require(error->code != OAUTH_OK && error->description != NULL && *error->description != '\0');
    for (const char *p = error->description; *p != '\0'; p++)
        require(*p >= 0x20 && *p <= 0x7e && *p != '"' && *p != '\\');
}

static void check_accepted(const struct authorize_request *request, unsigned known)
{
    struct scope_list allowed = {scopes, 2};
    require(strcmp(request->response_type, "code") == 0 && request->scopes.count > 0);
    require(scope_is_subset(&request->scopes, &allowed));
    require(request->max_age_seconds >= -1);
    require(!request->prompt_none || !(request->prompt_login || request->prompt_consent || request->prompt_select_account));
    require(!(known & PUBLIC) || request->code_challenge != NULL);
    if (request->code_challenge != NULL && !(known & PLAIN))
        require(request->code_challenge_method != NULL && strcmp(request->code_challenge_method, "S256") == 0);
}

static void check_answer(const void *ctx, const struct authorize_request *request, const struct oauth_error *error)
{
    if (request->mode == RESPONSE_FORM_POST)
        return;
    const char *url = authorize_response_url(ctx, request, ISSUER, error == NULL ? "code" : NULL, error);
    char end = request->mode == RESPONSE_FRAGMENT ? '#' : '?';
    require(strncmp(url, REDIRECT_URI, strlen(REDIRECT_URI)) == 0 && url[strlen(REDIRECT_URI)] == end);
    for (const char *p = url; *p != '\0'; p++)
        require(*p > 0x20 && *p < 0x7f);
}

static void decide(const void *ctx, const struct authorize_request *request, const Rec__Client *client, unsigned known)
{
    Rec__Session session = REC__SESSION__INIT;
    Rec__User user = REC__USER__INIT;
    Rec__Consent consent = REC__CONSENT__INIT;
    struct oauth_error error = {OAUTH_OK, NULL};
    user.user_id = session.user_id = user_id;
    session.acr = acr;
    session.auth_time = session.created_at = 500;
    session.idle_expires_at = session.expires_at = 2000;
    consent.scopes = scopes;
    consent.n_scopes = 2;
    enum authorize_step step = authorize_decide(&(struct authorize_facts){
        .request = request,
        .client = client,
        .session = known & SIGNED_IN ? &session : NULL,
        .user = known & SIGNED_IN ? &user : NULL,
        .consent = known & CONSENTED ? &consent : NULL,
        .signed_in_just_now = (known & JUST_NOW) && !request->prompt_none,
        .now = 1000,
    }, &error);
    require((step == AUTHORIZE_ERROR) == (error.code != OAUTH_OK));
    require(!request->prompt_none || step == AUTHORIZE_GRANT || step == AUTHORIZE_ERROR);
    require((known & SIGNED_IN) || step == AUTHORIZE_SIGN_IN || step == AUTHORIZE_ERROR);
    if (step == AUTHORIZE_ERROR)
        check_error(&error);
    check_answer(ctx, request, step == AUTHORIZE_ERROR ? &error : NULL);
}

/* What was pushed is read again at the authorization endpoint: it must be the same. */
static void check_text(const void *ctx, const struct authorize_request *request, const Rec__Client *client,
                       const struct authorize_policy *policy)
{
    struct form form;
    struct authorize_request again;
    struct oauth_error error;
    const char *text = authorize_request_text(ctx, request);
    require(form_parse(ctx, bytes_of(text), 64, &form) == OP_OK);
    require(authorize_request_reference(ctx, &form, &again, &error) == OP_ABSENT);
    require(authorize_request_identify(ctx, &form, &again, &error) == OP_OK);
    require(authorize_request_match(&again, client, &error) == OP_OK);
    require(authorize_request_parse(ctx, &form, client, policy, &again, &error) == OP_OK);
    require(strcmp(authorize_request_text(ctx, &again), text) == 0);
}

static void check_reference(const void *ctx, const struct form *form)
{
    struct authorize_request request;
    struct oauth_error error = {OAUTH_OK, NULL};
    enum op_err err = authorize_request_reference(ctx, form, &request, &error);
    require((err == OP_INVALID) == (error.code != OAUTH_OK));
    if (err == OP_OK)
        require(request.client_id != NULL && strncmp(request.request_uri, AUTHORIZE_REQUEST_URI, strlen(AUTHORIZE_REQUEST_URI)) == 0);
    else if (err == OP_INVALID)
        check_error(&error);
}

static void try_request(const void *ctx, const struct form *form, unsigned known)
{
    struct scope_catalogue catalogue;
    struct authorize_request request;
    struct oauth_error error = {OAUTH_OK, NULL};
    const char *why;
    Rec__Client client = REC__CLIENT__INIT;
    client.client_id = client_id;
    client.redirect_uris = redirect_uris;
    client.n_redirect_uris = 1;
    client.scopes = scopes;
    client.n_scopes = 2;
    client.resources = resources;
    client.n_resources = 1;
    client.require_pushed_authorization_requests = (known & MUST_PUSH) != 0;
    client.first_party = (known & FIRST_PARTY) != 0;
    client.token_endpoint_auth_method = known & PUBLIC ? none : NULL;
    require(scope_catalogue_make(ctx, NULL, 0, &catalogue, &why) == OP_OK);
    check_reference(ctx, form);
    if (authorize_request_identify(ctx, form, &request, &error) != OP_OK ||
        authorize_request_match(&request, &client, &error) != OP_OK) {
        check_error(&error);
        return;
    }
    require(strcmp(request.redirect_uri, REDIRECT_URI) == 0);
    struct authorize_policy policy = {.allow_plain_pkce = (known & PLAIN) != 0, .catalogue = &catalogue,
                                      .is_pushed = (known & PUSHED) != 0};
    if (authorize_request_parse(ctx, form, &client, &policy, &request, &error) != OP_OK) {
        check_error(&error);
        check_answer(ctx, &request, &error);
        return;
    }
    require(policy.is_pushed || !client.require_pushed_authorization_requests);
    check_accepted(&request, known);
    check_text(ctx, &request, &client, &policy);
    decide(ctx, &request, &client, known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char front[] = "client_id=c&redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=code&scope=openid&";
    struct form form;
    if (size == 0)
        return 0;
    void *ctx = mem_root("fuzz");
    if (form_parse(ctx, bytes_from(data + 1, size - 1), 64, &form) == OP_OK)
        try_request(ctx, &form, data[0]);
    /* the same behind what is good, so that the rest is reached */
    const char *text = mem_printf(ctx, "%s%.*s", front, (int)(size - 1), (const char *)(data + 1));
    if (form_parse(ctx, bytes_of(text), 64, &form) == OP_OK)
        try_request(ctx, &form, data[0]);
    talloc_free(ctx);
    return 0;
}
