#include "authorization.h"

#include <string.h>

#include "auth.h"
#include "runtime/settings.h"

enum { CLIENTS_MAX = 256, CLAIMS_MAX = 256 };

static enum authorization_outcome of_step(enum authorize_step step)
{
    switch (step) {
    case AUTHORIZE_SIGN_IN: return OUTCOME_SIGN_IN;
    case AUTHORIZE_SELECT_ACCOUNT: return OUTCOME_SELECT_ACCOUNT;
    case AUTHORIZE_CONSENT: return OUTCOME_CONSENT;
    case AUTHORIZE_GRANT: return OUTCOME_GRANT;
    case AUTHORIZE_ERROR: return OUTCOME_ERROR;
    }
    return OUTCOME_PROBLEM;
}

bool authorization_in_this_session(const struct authorization *a)
{
    return a->session != NULL && a->visit.sid != NULL && strcmp(a->session->sid, a->visit.sid) == 0;
}

enum authorization_outcome authorization_judge_request(struct authorization *a, int64_t now)
{
    char *acrs[] = {(char *)settings.password_acr};
    struct scope_list reachable = {.items = acrs, .count = 1};
    bool here = authorization_in_this_session(a);
    a->judged_at = now;
    struct authorize_facts facts = {
        .request = &a->request,
        .client = a->client,
        .session = a->session,
        .user = a->user,
        .consent = a->consent,
        .reachable_acrs = &reachable,
        .signed_in_just_now = here && a->visit.signed_in,
        .account_chosen_just_now = here && a->visit.account_chosen,
        .consented_just_now = here && a->answer != CONSENT_UNASKED,
        .now = now,
    };
    if (a->hint != NULL && json_get_string(a->hint, "sub", &facts.hinted_user_id) != OP_OK)
        facts.hinted_user_id = NULL;
    enum authorization_outcome outcome = of_step(authorize_decide(&facts, &a->error));
    if (outcome == OUTCOME_GRANT && here && a->answer == CONSENT_DENIED) {
        a->error = (struct oauth_error){OAUTH_ACCESS_DENIED, "the user did not consent"};
        return OUTCOME_ERROR;
    }
    return outcome;
}

const struct oauth_error authorization_unusable = {
    OAUTH_INVALID_REQUEST_URI, "request_uri is unknown, expired, already used or was given to another client"};

struct authorize_policy authorization_policy(bool is_pushed)
{
    return (struct authorize_policy){
        .allow_plain_pkce = settings.allow_plain_pkce,
        .catalogue = &auth.catalogue,
        .require_pushed = settings.require_pushed_authorization_requests,
        .is_pushed = is_pushed,
    };
}

bool authorization_hint_is_good(const struct authorize_request *request, const json_t *hint,
                                struct oauth_error *ret_error)
{
    if (request->id_token_hint == NULL || hint != NULL)
        return true;
    *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, "id_token_hint is not an ID token of this issuer"};
    return false;
}

/* RFC 9126 §4: what stands for a pushed request is refused where there is none. */
static enum op_err judge_reference(const void *ctx, struct authorization *a)
{
    struct authorize_request reference;
    enum op_err err = a->pushed != NULL ? OP_ABSENT : authorize_request_reference(ctx, &a->sent, &reference, &a->error);
    if (err == OP_OK)
        a->error = authorization_unusable;
    return err == OP_ABSENT ? OP_OK : OP_INVALID;
}

enum authorization_outcome authorization_judge(const void *ctx, struct authorization *a, int64_t now)
{
    struct authorize_policy policy = authorization_policy(a->pushed != NULL);
    if (judge_reference(ctx, a) != OP_OK || authorize_request_identify(ctx, &a->form, &a->request, &a->error) != OP_OK ||
        authorize_request_match(&a->request, a->client, &a->error) != OP_OK)
        return OUTCOME_PROBLEM;
    if (authorize_request_parse(ctx, &a->form, a->client, &policy, &a->request, &a->error) != OP_OK)
        return OUTCOME_ERROR;
    if (!authorization_hint_is_good(&a->request, a->hint, &a->error))
        return OUTCOME_ERROR;
    if (a->may_lack_cookies)
        return OUTCOME_REENTER;
    return authorization_judge_request(a, now);
}

/* Codes are compared with every `since`, which may stand a second ahead (see since_after). */
static int64_t granted_at(const struct authorization *a)
{
    int64_t at = a->judged_at;
    if (a->user->since > at)
        at = a->user->since;
    if (a->client->since > at)
        at = a->client->since;
    if (a->consent != NULL && a->consent->since > at)
        at = a->consent->since;
    return at;
}

Rec__Grant *authorization_grant(const void *ctx, const struct authorization *a)
{
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = mem_strdup(ctx, a->client->client_id);
    grant->user_id = mem_strdup(ctx, a->user->user_id);
    grant->sid = mem_strdup(ctx, a->session->sid);
    grant->scopes = records_strings(ctx, a->request.scopes.items, a->request.scopes.count);
    grant->n_scopes = a->request.scopes.count;
    struct scope_list audiences = a->request.resources;
    if (audiences.count == 0)
        audiences = (struct scope_list){a->client->audiences, a->client->n_audiences};
    grant->audiences = records_strings(ctx, audiences.items, audiences.count);
    grant->n_audiences = audiences.count;
    grant->has_auth_time = true;
    grant->auth_time = a->session->auth_time;
    if (a->session->acr != NULL)
        grant->acr = mem_strdup(ctx, a->session->acr);
    grant->amr = records_strings(ctx, a->session->amr, a->session->n_amr);
    grant->n_amr = a->session->n_amr;
    if (a->request.claims_request != NULL)
        grant->claims_request = json_text(ctx, a->request.claims_request);
    grant->has_granted_at = true;
    grant->granted_at = granted_at(a);
    grant->has_first_party = grant->first_party = a->client->first_party;
    if (a->request.nonce != NULL)
        grant->nonce = mem_strdup(ctx, a->request.nonce);
    return grant;
}

Rec__Code *authorization_code(const void *ctx, const struct authorization *a, int64_t now)
{
    Rec__Code *code = records_new(ctx, &rec__code__descriptor);
    code->grant = authorization_grant(ctx, a);
    code->redirect_uri = mem_strdup(ctx, a->request.redirect_uri);
    if (a->request.code_challenge != NULL) {
        const char *method = a->request.code_challenge_method;
        code->code_challenge = mem_strdup(ctx, a->request.code_challenge);
        code->code_challenge_method = mem_strdup(ctx, method == NULL ? "plain" : method);
    }
    code->has_created_at = code->has_expires_at = code->has_redirect_uri_was_sent = true;
    code->created_at = now;
    code->expires_at = now + settings.code_lifetime;
    code->redirect_uri_was_sent = true;
    return code;
}

static void add_strings(const void *ctx, char ***list, size_t *count, char *const *more, size_t more_count)
{
    for (size_t i = 0; i < more_count; i++) {
        if (records_contain(*list, *count, more[i]))
            continue;
        char **grown = mem_array(ctx, char *, *count + 1);
        if (*count > 0)
            memcpy(grown, *list, *count * sizeof *grown);
        grown[(*count)++] = mem_strdup(ctx, more[i]);
        *list = grown;
    }
}

Rec__Consent *authorization_consent(const void *ctx, const struct authorization *a, int64_t now)
{
    Rec__Consent *consent = a->consent;
    if (consent == NULL) {
        consent = records_new(ctx, &rec__consent__descriptor);
        consent->user_id = mem_strdup(ctx, a->user->user_id);
        consent->client_id = mem_strdup(ctx, a->client->client_id);
    }
    if (consent->withdrawn)
        consent->n_scopes = consent->n_claims = 0;
    if (consent->n_claims > CLAIMS_MAX)
        consent->n_claims = 0; /* asked for again when wanted again */
    consent->has_withdrawn = consent->withdrawn = false;
    consent->has_granted_at = true;
    consent->granted_at = now > consent->since ? now : consent->since;
    add_strings(ctx, &consent->scopes, &consent->n_scopes, a->request.scopes.items, a->request.scopes.count);
    for (enum claims_place place = CLAIMS_ID_TOKEN; place <= CLAIMS_USERINFO; place++) {
        struct scope_list names = claims_request_names(ctx, a->request.claims_request, place);
        add_strings(ctx, &consent->claims, &consent->n_claims, names.items, names.count);
    }
    return consent;
}

bool authorization_session_is_settled(const struct authorization *a, int64_t now)
{
    return records_contain(a->session->client_ids, a->session->n_client_ids, a->client->client_id) &&
           now - a->session->last_used < settings.session_idle_lifetime / 10;
}

void authorization_settle_session(const void *ctx, struct authorization *a, int64_t now)
{
    Rec__Session *session = a->session;
    char *client_id = a->client->client_id;
    if (session->n_client_ids >= CLIENTS_MAX) {
        session->client_ids++;
        session->n_client_ids--;
    }
    add_strings(ctx, &session->client_ids, &session->n_client_ids, &client_id, 1);
    session->has_last_used = session->has_idle_expires_at = true;
    session->last_used = now;
    session->idle_expires_at = now + settings.session_idle_lifetime;
}
