#include "authorization.h"

#include <string.h>

#include "auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "browser.h"
#include "consent.h"
#include "respond.h"
#include "runtime/server.h"
#include "runtime/settings.h"
#include "sign_in.h"
#include "store/clients.h"
#include "store/codes.h"
#include "store/consents.h"
#include "store/sessions.h"
#include "view.h"
#include "who.h"

enum { CLIENTS_MAX = 256, CLAIMS_MAX = 256 };

/* --- decide --- */

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

/* What this visit did counts only in the session in which it was done. */
static bool in_this_session(const struct authorization *a)
{
    return a->session != NULL && a->visit.sid != NULL && strcmp(a->session->sid, a->visit.sid) == 0;
}

static enum authorization_outcome judge_step(struct authorization *a, int64_t now)
{
    char *acrs[] = {(char *)auth.settings.password_acr};
    struct scope_list reachable = {.items = acrs, .count = 1};
    bool here = in_this_session(a);
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

enum authorization_outcome authorization_judge(const void *ctx, struct authorization *a, int64_t now)
{
    struct authorize_policy policy = {.allow_plain_pkce = settings.allow_plain_pkce, .catalogue = &auth.catalogue};
    if (authorize_request_identify(ctx, &a->form, &a->request, &a->error) != OP_OK ||
        authorize_request_match(&a->request, a->client, &a->error) != OP_OK)
        return OUTCOME_PROBLEM;
    if (authorize_request_parse(ctx, &a->form, a->client, &policy, &a->request, &a->error) != OP_OK)
        return OUTCOME_ERROR;
    if (a->request.id_token_hint != NULL && a->hint == NULL) {
        a->error = (struct oauth_error){OAUTH_INVALID_REQUEST, "id_token_hint is not an ID token of this issuer"};
        return OUTCOME_ERROR;
    }
    if (a->may_lack_cookies)
        return OUTCOME_REENTER;
    return judge_step(a, now);
}

/* Codes are compared with every `since`, which may stand a second ahead (see since_after). */
static int64_t granted_at(const struct authorization *a, int64_t now)
{
    int64_t at = now;
    if (a->user->since > at)
        at = a->user->since;
    if (a->client->since > at)
        at = a->client->since;
    if (a->consent != NULL && a->consent->since > at)
        at = a->consent->since;
    return at;
}

static Rec__Grant *make_grant(const void *ctx, const struct authorization *a, int64_t now)
{
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = mem_strdup(ctx, a->client->client_id);
    grant->user_id = mem_strdup(ctx, a->user->user_id);
    grant->sid = mem_strdup(ctx, a->session->sid);
    grant->scopes = records_strings(ctx, a->request.scopes.items, a->request.scopes.count);
    grant->n_scopes = a->request.scopes.count;
    grant->audiences = records_strings(ctx, a->client->audiences, a->client->n_audiences);
    grant->n_audiences = a->client->n_audiences;
    grant->has_auth_time = true;
    grant->auth_time = a->session->auth_time;
    if (a->session->acr != NULL)
        grant->acr = mem_strdup(ctx, a->session->acr);
    grant->amr = records_strings(ctx, a->session->amr, a->session->n_amr);
    grant->n_amr = a->session->n_amr;
    if (a->request.claims_request != NULL)
        grant->claims_request = json_text(ctx, a->request.claims_request);
    grant->has_granted_at = true;
    grant->granted_at = granted_at(a, now);
    grant->has_first_party = grant->first_party = a->client->first_party;
    if (a->request.nonce != NULL)
        grant->nonce = mem_strdup(ctx, a->request.nonce);
    return grant;
}

Rec__Code *authorization_code(const void *ctx, const struct authorization *a, int64_t now)
{
    Rec__Code *code = records_new(ctx, &rec__code__descriptor);
    code->grant = make_grant(ctx, a, now);
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

/* --- load --- */

static enum op_err absent_is_fine(enum op_err err)
{
    return err == OP_ABSENT || err == OP_DENIED ? OP_OK : err;
}

static enum op_err load(struct kv_txn *txn, struct authorization *a)
{
    struct who who = {0};
    const char *client_id = form_get(&a->form, "client_id");
    a->client = NULL;
    a->consent = NULL;
    enum op_err err = client_id == NULL ? OP_OK : absent_is_fine(clients_get(txn, a->req, client_id, &a->client));
    if (err == OP_OK)
        err = who_load(txn, a->req, a->visit.other_account ? NULL : a->session_cookie, &who);
    a->session = who.session;
    a->user = who.user;
    if (err == OP_OK && who.user != NULL && a->client != NULL)
        err = absent_is_fine(consents_get(txn, a->req, who.user->user_id, client_id, &a->consent));
    return err;
}

static enum op_err look(struct kv_txn *txn, void *arg)
{
    struct authorization *a = arg;
    enum op_err err = load(txn, a);
    if (err == OP_OK)
        a->outcome = authorization_judge(a->req, a, kv_now(txn));
    return err;
}

/* --- apply --- */

/* "Last used" is written at most every tenth of the idle time. */
static bool session_is_settled(const struct authorization *a, int64_t now)
{
    return records_contain(a->session->client_ids, a->session->n_client_ids, a->client->client_id) &&
           now - a->session->last_used < settings.session_idle_lifetime / 10;
}

static enum op_err settle_session(struct kv_txn *txn, struct authorization *a)
{
    Rec__Session *session = a->session;
    int64_t now = kv_now(txn);
    if (session_is_settled(a, now))
        return OP_OK;
    if (session->n_client_ids >= CLIENTS_MAX) {
        session->client_ids++;
        session->n_client_ids--;
    }
    char *client_id = a->client->client_id;
    add_strings(a->req, &session->client_ids, &session->n_client_ids, &client_id, 1);
    session->has_last_used = session->has_idle_expires_at = true;
    session->last_used = now;
    session->idle_expires_at = now + settings.session_idle_lifetime;
    return sessions_update(txn, session);
}

/* What the code leans on, written before it. Everything is judged anew: it may have changed meanwhile. */
static enum op_err settle(struct kv_txn *txn, void *arg)
{
    struct authorization *a = arg;
    enum op_err err = look(txn, a);
    if (err != OP_OK || a->outcome != OUTCOME_GRANT)
        return err;
    if (a->answer == CONSENT_ALLOWED && !a->client->first_party) {
        a->consent = authorization_consent(a->req, a, kv_now(txn));
        err = consents_put(txn, a->consent);
    }
    return err == OP_OK ? settle_session(txn, a) : err;
}

static enum op_err insert_code(struct kv_txn *txn, void *arg)
{
    struct authorization *a = arg;
    a->record = authorization_code(a->req, a, kv_now(txn));
    return codes_insert(txn, a->code, a->record);
}

/* --- render --- */

static void code_is_stored(enum op_err result, void *arg)
{
    struct authorization *a = arg;
    if (result != OP_OK) {
        view_store_error(a->req, result);
        return;
    }
    log_event(LOG_LEVEL_INFO, "code_issued", a->req->request_id, a->req->trace_id, "client_id", a->client->client_id,
              "user_id", a->user->user_id, "sid", a->session->sid, NULL);
    respond(a->req, &a->request, a->code, NULL);
}

static void give_code(struct authorization *a)
{
    a->code = mem_secret(rand_token(a->req, 32));
    kv_run(server_kv(), KV_CODES, insert_code, code_is_stored, a);
}

/* What this visit has done, to be carried on; the flags only with the session they belong to. */
static struct interaction carry(const struct authorization *a, enum interaction_purpose purpose)
{
    bool here = in_this_session(a);
    return (struct interaction){
        .purpose = purpose,
        .created_at = clock_now(),
        .request = view_encode(a->req, &a->form),
        .sid = a->session == NULL ? NULL : a->session->sid,
        .signed_in = here && a->visit.signed_in,
        .account_chosen = here && a->visit.account_chosen,
    };
}

static void show_problem(struct authorization *a)
{
    view_problem(a->req, &(struct view_problem){
        .status = 400,
        .key = a->error.code == OAUTH_INVALID_CLIENT ? "problem.client" : "problem.request",
        .ui_locales = form_get(&a->form, "ui_locales"),
        .error = &a->error,
    });
}

static void render(struct authorization *a)
{
    struct interaction next = {0};
    /* The answer was given in another session than the present one: it does not count. */
    const char *notice = a->answer != CONSENT_UNASKED && !in_this_session(a) ? "notice.session_changed" : NULL;
    switch (a->outcome) {
    case OUTCOME_PROBLEM:
        show_problem(a);
        break;
    case OUTCOME_ERROR:
        log_event(LOG_LEVEL_INFO, "authorization_refused", a->req->request_id, a->req->trace_id, "client_id",
                  a->client->client_id, "error", oauth_error_name(a->error.code), NULL);
        respond(a->req, &a->request, NULL, &a->error);
        break;
    case OUTCOME_REENTER:
        view_reenter(a->req, "/authorize", &a->form);
        break;
    case OUTCOME_SIGN_IN:
        next = carry(a, INTERACTION_SIGN_IN);
        sign_in_show(a->req, &next, a->user, notice);
        break;
    case OUTCOME_SELECT_ACCOUNT:
        next = carry(a, INTERACTION_SELECT_ACCOUNT);
        sign_in_show_accounts(a->req, &next, a->user);
        break;
    case OUTCOME_CONSENT:
        next = carry(a, INTERACTION_CONSENT);
        consent_show(a, &next, notice);
        break;
    case OUTCOME_GRANT:
        give_code(a);
        break;
    }
}

static void is_settled(enum op_err result, void *arg)
{
    struct authorization *a = arg;
    if (result != OP_OK)
        view_store_error(a->req, result);
    else
        render(a);
}

static void has_looked(enum op_err result, void *arg)
{
    struct authorization *a = arg;
    bool write = result == OP_OK && a->outcome == OUTCOME_GRANT &&
                 (a->answer == CONSENT_ALLOWED || !session_is_settled(a, clock_now()));
    if (write)
        kv_run(server_kv(), KV_SESSIONS, settle, is_settled, a);
    else
        is_settled(result, a);
}

/* Claims of the id_token_hint, whatever its age (OpenID Connect Core §3.1.2.1). */
static const json_t *read_hint(struct authorization *a)
{
    const char *token = form_get(&a->form, "id_token_hint");
    const char *issuer = NULL;
    json_t *claims = NULL;
    if (token == NULL || *token == '\0' || keyring_verify(auth.keyring, a->req, token, NULL, &claims) != OP_OK)
        return NULL;
    return json_get_string(claims, "iss", &issuer) == OP_OK && strcmp(issuer, settings.issuer) == 0 ? claims : NULL;
}

struct authorization *authorization_new(struct http_request *req, const struct form *parameters, const char *cookie)
{
    struct authorization *a = mem_new(req, struct authorization);
    a->req = req;
    a->form = *parameters;
    a->session_cookie = cookie;
    return a;
}

void authorization_run(struct authorization *a)
{
    a->hint = read_hint(a);
    kv_run(server_kv(), KV_READ_ONLY, look, has_looked, a);
}

void authorization_go_on(struct http_request *req, const struct interaction *visit, const char *cookie)
{
    struct interaction next = *visit;
    next.purpose = INTERACTION_CONTINUE;
    next.created_at = clock_now();
    const char *sealed = interaction_seal(req, auth.form_key, browser_id_or_new(req), &next);
    const char *url = mem_printf(req, "/authorize?interaction=%s", sealed);
    if (strlen(url) <= VIEW_URL_MAX) {
        view_redirect(req, url);
        return;
    }
    struct form form = view_request_of(req, visit);
    struct authorization *a = authorization_new(req, &form, cookie);
    a->visit = next;
    authorization_run(a);
}
