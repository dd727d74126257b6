#include "protocol/authorize_request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "data/uri.h"
#include "protocol/administration.h"
#include "protocol/client_auth.h"
#include "protocol/family.h"
#include "protocol/params.h"
#include "protocol/pkce.h"
#include "protocol/redirect_uri.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { CLIENT_ID_MAX = 255, REDIRECT_URI_MAX = 2048, REQUEST_URI_MAX = 512 };

static bool is_display(const char *value)
{
    return strcmp(value, "page") == 0 || strcmp(value, "popup") == 0 || strcmp(value, "touch") == 0 ||
           strcmp(value, "wap") == 0;
}

/* JSON text may hold line breaks and tabs; json_read judges the rest. */
static bool is_any(const char *value)
{
    return value != NULL;
}

static const struct param IDENTITY[] = {
    PARAM(struct authorize_request, client_id, PARAM_REQUIRED, CLIENT_ID_MAX, param_is_vschar),
    PARAM(struct authorize_request, redirect_uri, PARAM_OPTIONAL, REDIRECT_URI_MAX, param_is_vschar),
};

/* What an error response needs, read one by one so that a fault in one does not lose the other. */
static const struct param ANSWER[] = {
    PARAM(struct authorize_request, state, PARAM_OPTIONAL, 2048, param_is_vschar),
    PARAM(struct authorize_request, response_mode, PARAM_OPTIONAL, 32, param_is_vschar),
};

static const struct param PARAMETERS[] = {
    PARAM(struct authorize_request, client_id, PARAM_REQUIRED, CLIENT_ID_MAX, param_is_vschar),
    PARAM(struct authorize_request, redirect_uri, PARAM_REQUIRED, REDIRECT_URI_MAX, param_is_vschar),
    PARAM(struct authorize_request, response_type, PARAM_REQUIRED, 64, param_is_vschar),
    PARAM(struct authorize_request, response_mode, PARAM_OPTIONAL, 32, param_is_vschar),
    PARAM(struct authorize_request, scope, PARAM_OPTIONAL, 1024, NULL),
    PARAM(struct authorize_request, state, PARAM_OPTIONAL, 2048, param_is_vschar),
    PARAM(struct authorize_request, nonce, PARAM_OPTIONAL, 512, NULL),
    PARAM(struct authorize_request, display, PARAM_OPTIONAL, 16, is_display),
    PARAM(struct authorize_request, prompt, PARAM_OPTIONAL, 64, param_is_vschar),
    PARAM(struct authorize_request, max_age, PARAM_OPTIONAL, 10, param_is_number),
    PARAM(struct authorize_request, ui_locales, PARAM_OPTIONAL, 256, param_is_vschar),
    PARAM(struct authorize_request, id_token_hint, PARAM_OPTIONAL, 8192, param_is_vschar),
    PARAM(struct authorize_request, login_hint, PARAM_OPTIONAL, 256, NULL),
    PARAM(struct authorize_request, acr_values, PARAM_OPTIONAL, 512, param_is_vschar),
    PARAM(struct authorize_request, claims, PARAM_OPTIONAL, 8192, is_any),
    PARAM(struct authorize_request, code_challenge, PARAM_OPTIONAL, 128, pkce_challenge_is_valid),
    PARAM(struct authorize_request, code_challenge_method, PARAM_OPTIONAL, 16, param_is_vschar),
    RESOURCE_PARAM(struct authorize_request),
};

static const struct param REFERENCE[] = {
    PARAM(struct authorize_request, client_id, PARAM_REQUIRED, CLIENT_ID_MAX, param_is_vschar),
    PARAM(struct authorize_request, request_uri, PARAM_REQUIRED, REQUEST_URI_MAX, param_is_vschar),
};

static enum op_err refuse(struct oauth_error *ret_error, enum oauth_code code, const char *description)
{
    *ret_error = (struct oauth_error){code, description};
    return OP_INVALID;
}

static bool is_ours(const char *request_uri)
{
    return strncmp(request_uri, AUTHORIZE_REQUEST_URI, strlen(AUTHORIZE_REQUEST_URI)) == 0;
}

enum op_err authorize_request_reference(const void *ctx, const struct form *form, struct authorize_request *ret,
                                        struct oauth_error *ret_error)
{
    bool ours = false, object = false;
    for (size_t i = 0; i < form->count; i++) {
        const struct form_pair *pair = &form->pairs[i];
        ours = ours || (strcmp(pair->name, "request_uri") == 0 && is_ours(pair->value));
        object = object || (strcmp(pair->name, "request") == 0 && *pair->value != '\0');
    }
    if (!ours)
        return OP_ABSENT;
    if (object) /* RFC 9101 §5, OpenID Connect Core §6.1 */
        return refuse(ret_error, OAUTH_INVALID_REQUEST, "request and request_uri are both there");
    return params_read(ctx, REFERENCE, COUNT(REFERENCE), form, ret, sizeof *ret, ret_error);
}

enum op_err authorize_request_identify(const void *ctx, const struct form *form, struct authorize_request *ret,
                                       struct oauth_error *ret_error)
{
    enum op_err err = params_read(ctx, IDENTITY, COUNT(IDENTITY), form, ret, sizeof *ret, ret_error);
    if (err == OP_OK)
        ret->max_age_seconds = -1;
    return err;
}

enum op_err authorize_request_match(const struct authorize_request *request, const Rec__Client *client,
                                    struct oauth_error *ret_error)
{
    if (client == NULL || client->disabled) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_CLIENT, "client_id is not that of a client known here"};
        return OP_MISMATCH;
    }
    if (request->redirect_uri == NULL) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, "redirect_uri is missing"};
        return OP_MISMATCH;
    }
    bool native = client->application_type != NULL && strcmp(client->application_type, "native") == 0;
    if (!redirect_uri_matches(request->redirect_uri, client->redirect_uris, client->n_redirect_uris, native)) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, "redirect_uri is not registered for this client"};
        return OP_MISMATCH;
    }
    return OP_OK;
}

static enum op_err read_mode(const char *text, enum response_mode *ret, struct oauth_error *ret_error)
{
    static const char *const names[] = {"query", "fragment", "form_post"};
    for (size_t i = 0; i < COUNT(names); i++) {
        if (text == NULL || strcmp(text, names[i]) == 0) {
            *ret = (enum response_mode)i; /* code answers in the query unless told otherwise */
            return OP_OK;
        }
    }
    return refuse(ret_error, OAUTH_INVALID_REQUEST, "response_mode is none of query, fragment and form_post");
}

/* Sets state and mode, each if it can be; the first fault is the result. */
static enum op_err read_answer(const void *ctx, const struct form *form, struct authorize_request *request,
                               struct oauth_error *ret_error)
{
    struct authorize_request state = {0}, mode = {0};
    struct oauth_error mode_error;
    enum op_err err = params_read(ctx, &ANSWER[0], 1, form, &state, sizeof state, ret_error);
    enum op_err mode_err = params_read(ctx, &ANSWER[1], 1, form, &mode, sizeof mode, &mode_error);
    request->state = state.state;
    request->mode = RESPONSE_QUERY;
    if (mode_err == OP_OK)
        mode_err = read_mode(mode.response_mode, &request->mode, &mode_error);
    if (err == OP_OK && mode_err != OP_OK) {
        err = mode_err;
        *ret_error = mode_error;
    }
    return err;
}

/* OpenID Connect Core §3.1.2.6: these have errors of their own, whatever they hold. */
static enum op_err refuse_unsupported(const struct form *form, struct oauth_error *ret_error)
{
    static const struct {
        const char *name;
        enum oauth_code code;
        const char *description;
    } rows[] = {
        {"request", OAUTH_REQUEST_NOT_SUPPORTED, "request objects are not supported"},
        {"request_uri", OAUTH_REQUEST_URI_NOT_SUPPORTED, "request_uri is not one that /as/par gave"},
        {"registration", OAUTH_REGISTRATION_NOT_SUPPORTED, "registration is not supported"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t j = 0; j < form->count; j++)
            if (strcmp(form->pairs[j].name, rows[i].name) == 0 && *form->pairs[j].value != '\0')
                return refuse(ret_error, rows[i].code, rows[i].description);
    return OP_OK;
}

/* RFC 9126 §4: policy may make pushing the only way. */
static enum op_err judge_way(const Rec__Client *client, const struct authorize_policy *policy,
                             struct oauth_error *ret_error)
{
    if (policy->is_pushed || (!policy->require_pushed && !client->require_pushed_authorization_requests))
        return OP_OK;
    return refuse(ret_error, OAUTH_INVALID_REQUEST,
                  policy->require_pushed ? "authorization requests have to be pushed to /as/par first"
                                         : "this client has to push its authorization requests to /as/par first");
}

static bool may(char *const *registered, size_t count, const char *value, bool by_default)
{
    return count == 0 ? by_default : records_contain(registered, count, value);
}

static enum op_err judge_response_type(const struct authorize_request *request, const Rec__Client *client,
                                       struct oauth_error *ret_error)
{
    if (strcmp(request->response_type, "code") != 0)
        return refuse(ret_error, OAUTH_UNSUPPORTED_RESPONSE_TYPE, "response_type is not code");
    if (!may(client->response_types, client->n_response_types, "code", true) ||
        !may(client->grant_types, client->n_grant_types, "authorization_code", true))
        return refuse(ret_error, OAUTH_UNAUTHORIZED_CLIENT, "this client may not ask for codes");
    return OP_OK;
}

enum op_err authorize_scopes(const void *ctx, const char *text, const Rec__Client *client,
                             const struct scope_catalogue *catalogue, struct scope_list *ret,
                             struct oauth_error *ret_error)
{
    if (text == NULL)
        return refuse(ret_error, OAUTH_INVALID_SCOPE, "scope is missing");
    if (!param_is_scope(text))
        return refuse(ret_error, OAUTH_INVALID_SCOPE, "scope is not a list of scope tokens, one space apart");
    struct scope_list asked = scope_parse(ctx, text);
    struct scope_list kept = {.items = mem_array(ctx, char *, asked.count)};
    for (size_t i = 0; i < asked.count; i++) {
        char *scope = asked.items[i];
        bool registered = records_contain(client->scopes, client->n_scopes, scope);
        if (administration_is_scope(scope))
            return refuse(ret_error, OAUTH_INVALID_SCOPE, "scope has one that nobody can be asked for");
        if (!registered && scope_find(catalogue, scope) != NULL)
            return refuse(ret_error, OAUTH_INVALID_SCOPE, "scope has one that this client is not registered for");
        bool useless = strcmp(scope, "offline_access") == 0 &&
                       !may(client->grant_types, client->n_grant_types, "refresh_token", false);
        if (registered && !useless)
            kept.items[kept.count++] = scope;
    }
    if (kept.count == 0)
        return refuse(ret_error, OAUTH_INVALID_SCOPE, "scope has none that this client is registered for");
    *ret = kept;
    return OP_OK;
}

static enum op_err read_prompt(const void *ctx, struct authorize_request *request, struct oauth_error *ret_error)
{
    struct scope_list values = scope_parse(ctx, request->prompt);
    for (size_t i = 0; i < values.count; i++) {
        const char *value = values.items[i];
        if (strcmp(value, "none") == 0)
            request->prompt_none = true;
        else if (strcmp(value, "login") == 0)
            request->prompt_login = true;
        else if (strcmp(value, "consent") == 0)
            request->prompt_consent = true;
        else if (strcmp(value, "select_account") == 0)
            request->prompt_select_account = true;
        else
            return refuse(ret_error, OAUTH_INVALID_REQUEST,
                          "prompt has a value other than none, login, consent and select_account");
    }
    if (request->prompt_none && values.count > 1)
        return refuse(ret_error, OAUTH_INVALID_REQUEST, "prompt has none together with another value");
    return OP_OK;
}

/* RFC 7636 §4.3, §4.4.1; RFC 9700 §2.1.1. */
static enum op_err judge_pkce(const struct authorize_request *request, const Rec__Client *client,
                              const struct authorize_policy *policy, struct oauth_error *ret_error)
{
    const char *method = request->code_challenge_method;
    if (request->code_challenge == NULL && method != NULL)
        return refuse(ret_error, OAUTH_INVALID_REQUEST, "code_challenge_method is there without a code_challenge");
    if (request->code_challenge == NULL)
        return client_is_public(client) ? refuse(ret_error, OAUTH_INVALID_REQUEST, "code challenge required") : OP_OK;
    if (method != NULL && strcmp(method, "S256") == 0)
        return OP_OK;
    if ((method == NULL || strcmp(method, "plain") == 0) && policy->allow_plain_pkce)
        return OP_OK;
    return refuse(ret_error, OAUTH_INVALID_REQUEST, "transform algorithm not supported: use S256");
}

/* OpenID parameters mean nothing without the scope openid (OpenID Connect Core §3.1.2.1). */
static enum op_err read_openid(const void *ctx, struct authorize_request *request, struct oauth_error *ret_error)
{
    request->max_age_seconds = request->max_age == NULL ? -1 : strtoll(request->max_age, NULL, 10);
    enum op_err err = read_prompt(ctx, request, ret_error);
    if (err != OP_OK || request->claims == NULL || !scope_has(&request->scopes, "openid"))
        return err;
    return claims_request_parse(ctx, request->claims, &request->claims_request, ret_error);
}

/* RFC 8707 §2.1. */
static enum op_err read_resources(const void *ctx, const Rec__Client *client, struct authorize_request *request,
                                  struct oauth_error *ret_error)
{
    return resource_select(ctx, &request->resource, client->resources, client->n_resources,
                           RESOURCE_NOT_REGISTERED, &request->resources, ret_error);
}

enum op_err authorize_request_parse(const void *ctx, const struct form *form, const Rec__Client *client,
                                    const struct authorize_policy *policy, struct authorize_request *request,
                                    struct oauth_error *ret_error)
{
    struct authorize_request read;
    enum op_err err = read_answer(ctx, form, request, ret_error);
    if (err == OP_OK)
        err = refuse_unsupported(form, ret_error);
    if (err == OP_OK)
        err = judge_way(client, policy, ret_error);
    if (err == OP_OK)
        err = params_read(ctx, PARAMETERS, COUNT(PARAMETERS), form, &read, sizeof read, ret_error);
    if (err != OP_OK)
        return err;
    read.mode = request->mode;
    err = judge_response_type(&read, client, ret_error);
    if (err == OP_OK)
        err = judge_pkce(&read, client, policy, ret_error);
    if (err == OP_OK)
        err = authorize_scopes(ctx, read.scope, client, policy->catalogue, &read.scopes, ret_error);
    if (err == OP_OK)
        err = read_openid(ctx, &read, ret_error);
    if (err == OP_OK)
        err = read_resources(ctx, client, &read, ret_error);
    if (err == OP_OK)
        *request = read;
    return err;
}

char *authorize_request_text(const void *ctx, const struct authorize_request *request)
{
    struct buf out = buf_make(ctx);
    for (size_t i = 0; i < COUNT(PARAMETERS); i++) {
        const char *value, *member = (const char *)request + PARAMETERS[i].offset;
        if (PARAMETERS[i].flags & PARAM_LIST)
            continue;
        memcpy(&value, member, sizeof value);
        if (value != NULL)
            form_add(&out, PARAMETERS[i].name, value);
    }
    for (size_t i = 0; i < request->resources.count; i++)
        form_add(&out, "resource", request->resources.items[i]);
    return buf_string(&out);
}

/* §3.1.2.1: max_age=0 asks for a sign-in each time, as prompt=login does. */
static bool is_too_long_ago(const struct authorize_facts *facts)
{
    int64_t max_age = facts->request->max_age_seconds;
    if (max_age < 0)
        max_age = facts->client->has_default_max_age ? facts->client->default_max_age : -1;
    return max_age == 0 || (max_age > 0 && facts->now - facts->session->auth_time > max_age);
}

/* The user that id_token_hint or the sub of the claims parameter names, where they name one (§3.1.2.2, §5.5.1). */
static bool is_user_asked_for(const struct authorize_facts *facts)
{
    if (facts->hinted_user_id != NULL && strcmp(facts->hinted_user_id, facts->user->user_id) != 0)
        return false;
    const json_t *sub = claims_request_member(facts->request->claims_request, CLAIMS_ID_TOKEN, "sub");
    json_t *present = json_string(facts->user->user_id);
    bool fits = claims_value_fits(sub, present);
    json_decref(present);
    return fits;
}

/* §5.5.1.1: only an essential acr binds; acr_values and voluntary ones ask. */
static const json_t *essential_acr(const struct authorize_request *request)
{
    const json_t *acr = claims_request_member(request->claims_request, CLAIMS_ID_TOKEN, "acr");
    return json_is_true(json_object_get(acr, "essential")) ? acr : NULL;
}

static bool acr_fits(const json_t *wanted, const char *acr)
{
    json_t *value = json_string(acr == NULL ? "" : acr);
    bool fits = claims_value_fits(wanted, value);
    json_decref(value);
    return fits;
}

static bool acr_is_reachable(const struct authorize_facts *facts)
{
    const json_t *wanted = essential_acr(facts->request);
    if (wanted == NULL || facts->reachable_acrs == NULL)
        return true;
    for (size_t i = 0; i < facts->reachable_acrs->count; i++)
        if (acr_fits(wanted, facts->reachable_acrs->items[i]))
            return true;
    return false;
}

static enum authorize_step fail(struct oauth_error *ret_error, enum oauth_code code, const char *description)
{
    *ret_error = (struct oauth_error){code, description};
    return AUTHORIZE_ERROR;
}

/* §3.1.2.3. AUTHORIZE_GRANT: the right person is signed in, well enough and lately enough. */
static enum authorize_step decide_sign_in(const struct authorize_facts *facts, struct oauth_error *ret_error)
{
    const struct authorize_request *request = facts->request;
    if (!acr_is_reachable(facts))
        return fail(ret_error, OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS, "no sign-in here reaches the essential acr");
    if (!session_alive(facts->session, facts->user, facts->now))
        return AUTHORIZE_SIGN_IN;
    bool again = request->prompt_login || is_too_long_ago(facts);
    bool right_user = is_user_asked_for(facts);
    bool right_acr = acr_fits(essential_acr(request), facts->session->acr);
    if (!facts->signed_in_just_now)
        return again || !right_user || !right_acr ? AUTHORIZE_SIGN_IN : AUTHORIZE_GRANT;
    if (!right_user)
        return fail(ret_error, OAUTH_LOGIN_REQUIRED, "another user signed in than the one asked for");
    if (!right_acr)
        return fail(ret_error, OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS, "the sign-in did not reach the essential acr");
    return AUTHORIZE_GRANT;
}

/* §3.1.2.4. */
static bool needs_consent(const struct authorize_facts *facts)
{
    if (facts->consented_just_now)
        return false;
    return facts->request->prompt_consent ||
           (!facts->client->first_party && !authorize_consent_covers(facts->consent, facts->request));
}

enum authorize_step authorize_decide(const struct authorize_facts *facts, struct oauth_error *ret_error)
{
    const struct authorize_request *request = facts->request;
    enum authorize_step step = decide_sign_in(facts, ret_error);
    if (step == AUTHORIZE_SIGN_IN && request->prompt_none)
        return fail(ret_error, OAUTH_LOGIN_REQUIRED, "prompt is none, and the user would have to sign in");
    if (step != AUTHORIZE_GRANT)
        return step;
    if (request->prompt_select_account && !facts->account_chosen_just_now && !facts->signed_in_just_now)
        return AUTHORIZE_SELECT_ACCOUNT;
    if (!needs_consent(facts))
        return AUTHORIZE_GRANT;
    if (request->prompt_none)
        return fail(ret_error, OAUTH_CONSENT_REQUIRED, "prompt is none, and the user would have to consent");
    return AUTHORIZE_CONSENT;
}

bool authorize_consent_covers(const Rec__Consent *consent, const struct authorize_request *request)
{
    if (consent == NULL || consent->withdrawn)
        return false;
    for (size_t i = 0; i < request->scopes.count; i++)
        if (!records_contain(consent->scopes, consent->n_scopes, request->scopes.items[i]))
            return false;
    void *scratch = mem_root("consent");
    bool covered = true;
    for (enum claims_place place = CLAIMS_ID_TOKEN; place <= CLAIMS_USERINFO; place++) {
        struct scope_list names = claims_request_names(scratch, request->claims_request, place);
        for (size_t i = 0; i < names.count; i++)
            covered = covered && records_contain(consent->claims, consent->n_claims, names.items[i]);
    }
    talloc_free(scratch);
    return covered;
}

struct form authorize_response_fields(const void *ctx, const struct authorize_request *request, const char *issuer,
                                      const char *code, const struct oauth_error *error)
{
    assert((code == NULL) != (error == NULL));
    struct form form = {.pairs = mem_array(ctx, struct form_pair, 4)};
    if (code != NULL) {
        form.pairs[form.count++] = (struct form_pair){"code", code};
    } else {
        form.pairs[form.count++] = (struct form_pair){"error", oauth_error_name(error->code)};
        if (error->description != NULL)
            form.pairs[form.count++] = (struct form_pair){"error_description", error->description};
    }
    if (request->state != NULL)
        form.pairs[form.count++] = (struct form_pair){"state", request->state};
    form.pairs[form.count++] = (struct form_pair){"iss", issuer};
    return form;
}

char *authorize_response_url(const void *ctx, const struct authorize_request *request, const char *issuer,
                             const char *code, const struct oauth_error *error)
{
    assert(request->mode != RESPONSE_FORM_POST);
    struct form fields = authorize_response_fields(ctx, request, issuer, code, error);
    struct buf encoded = buf_make(ctx);
    for (size_t i = 0; i < fields.count; i++)
        form_add(&encoded, fields.pairs[i].name, fields.pairs[i].value);
    if (request->mode == RESPONSE_FRAGMENT)
        return uri_with_fragment(ctx, request->redirect_uri, buf_string(&encoded));
    return uri_with_query(ctx, request->redirect_uri, buf_string(&encoded));
}
