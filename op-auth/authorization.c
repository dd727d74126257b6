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
#include "store/pushed_requests.h"
#include "store/sessions.h"
#include "view.h"
#include "who.h"

/* A pushed request that was taken is remembered so much longer than a visit may still end. */
enum { LATE_SECONDS = 60, PAIRS_MAX = 64 };

/* --- load --- */

static enum op_err absent_is_fine(enum op_err err)
{
    return err == OP_ABSENT ? OP_OK : err;
}

/* RFC 9126 §2.2: a request_uri is bound to the client that pushed the request. One that cannot be used leaves
 * a->pushed as it is. */
static enum op_err load_pushed(struct kv_txn *txn, void *arg)
{
    struct authorization *a = arg;
    Rec__PushedRequest *record = NULL;
    enum op_err err = pushed_requests_get(txn, a->req, form_get(&a->sent, "request_uri"), &record);
    if (err != OP_OK)
        return absent_is_fine(err);
    const char *client_id = form_get(&a->sent, "client_id");
    if (record->client_id == NULL || strcmp(record->client_id, client_id) != 0 || record->parameters == NULL ||
        form_parse(a->req, bytes_of(record->parameters), PAIRS_MAX, &a->form) != OP_OK)
        return OP_OK;
    a->pushed = record->parameters;
    a->pushed_until = record->expires_at + auth.settings.form_lifetime;
    return OP_OK;
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
    if (err == OP_OK && who.denied)
        err = OP_DENIED;
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

static enum op_err settle_session(struct kv_txn *txn, struct authorization *a)
{
    int64_t now = kv_now(txn);
    if (authorization_session_is_settled(a, now))
        return OP_OK;
    authorization_settle_session(a->req, a, now);
    return sessions_update(txn, a->session);
}

enum op_err authorization_settle(struct kv_txn *txn, struct authorization *a)
{
    enum op_err err = OP_OK;
    if (a->answer == CONSENT_ALLOWED && !a->client->first_party) {
        a->consent = authorization_consent(a->req, a, kv_now(txn));
        err = consents_put(txn, a->consent);
    }
    return err == OP_OK ? settle_session(txn, a) : err;
}

/* What the code leans on, written before it. Everything is judged anew: it may have changed meanwhile. */
static enum op_err settle(struct kv_txn *txn, void *arg)
{
    struct authorization *a = arg;
    enum op_err err = look(txn, a);
    return err == OP_OK && a->outcome == OUTCOME_GRANT ? authorization_settle(txn, a) : err;
}

static enum op_err insert_code(struct kv_txn *txn, void *arg)
{
    struct authorization *a = arg;
    enum op_err err = OP_OK;
    if (a->pushed != NULL)
        err = pushed_requests_take(txn, form_get(&a->sent, "request_uri"), a->pushed_until + LATE_SECONDS);
    if (err != OP_OK)
        return err;
    a->record = authorization_code(a->req, a, kv_now(txn));
    return codes_insert(txn, a->code, a->record);
}

/* --- render --- */

void authorization_note(const struct authorization *a, enum audit_event event)
{
    audit_write(event, a->req, &(struct audit_facts){
        .client_id = a->client->client_id, .user_id = a->user->user_id, .sid = a->session->sid});
}

void authorization_note_consent(const struct authorization *a)
{
    if (a->outcome == OUTCOME_GRANT && a->answer == CONSENT_ALLOWED && !a->client->first_party)
        authorization_note(a, AUDIT_CONSENT_GRANTED);
}

static void show_problem(struct authorization *a)
{
    const char *key = "problem.request";
    if (a->error.code == OAUTH_INVALID_CLIENT)
        key = "problem.client";
    else if (a->error.code == OAUTH_INVALID_REQUEST_URI)
        key = "problem.request_uri";
    view_problem(a->req, &(struct view_problem){
        .status = 400,
        .key = key,
        .ui_locales = form_get(&a->form, "ui_locales"),
        .error = &a->error,
    });
}

static void code_is_stored(enum op_err result, void *arg)
{
    struct authorization *a = arg;
    if (result == OP_EXISTS && a->pushed != NULL) { /* another tab was faster, or Back led to a form of before */
        a->error = authorization_unusable;
        show_problem(a);
        return;
    }
    if (result != OP_OK) {
        view_store_error(a->req, result);
        return;
    }
    log_event(LOG_LEVEL_INFO, "code_issued", a->req->request_id, a->req->trace, "client_id", a->client->client_id,
              "user_id", a->user->user_id, "sid", a->session->sid, NULL);
    respond(a->req, &a->request, a->code, NULL);
}

static void give_code(struct authorization *a)
{
    a->code = mem_secret(rand_token(a->req, 32));
    kv_run(server_kv(), KV_CODES, insert_code, code_is_stored, a);
}

struct interaction authorization_carry(const struct authorization *a, enum interaction_purpose purpose)
{
    bool here = authorization_in_this_session(a);
    return (struct interaction){
        .purpose = purpose,
        .created_at = clock_now(),
        .request = view_encode(a->req, &a->sent),
        .pushed = a->pushed,
        .pushed_until = a->pushed_until,
        .sid = a->session == NULL ? NULL : a->session->sid,
        .signed_in = here && a->visit.signed_in,
        .account_chosen = here && a->visit.account_chosen,
    };
}

static void render(struct authorization *a)
{
    struct interaction next = {0};
    /* The answer was given in another session than the present one: it does not count. */
    bool ignored = a->answer != CONSENT_UNASKED && !authorization_in_this_session(a);
    const char *notice = ignored ? "notice.session_changed" : NULL;
    switch (a->outcome) {
    case OUTCOME_PROBLEM:
        show_problem(a);
        break;
    case OUTCOME_ERROR:
        log_event(LOG_LEVEL_INFO, "authorization_refused", a->req->request_id, a->req->trace, "client_id",
                  a->client->client_id, "error", oauth_error_name(a->error.code), NULL);
        if (a->answer == CONSENT_DENIED && a->error.code == OAUTH_ACCESS_DENIED)
            authorization_note(a, AUDIT_CONSENT_DENIED);
        respond(a->req, &a->request, NULL, &a->error);
        break;
    case OUTCOME_REENTER:
        view_reenter(a->req, "/authorize", &a->sent);
        break;
    case OUTCOME_SIGN_IN:
        next = authorization_carry(a, INTERACTION_SIGN_IN);
        next.other_account = a->visit.other_account;
        next.error = a->visit.error;
        next.username = a->visit.username;
        sign_in_show(a->req, &next, a->user, notice);
        break;
    case OUTCOME_SELECT_ACCOUNT:
        next = authorization_carry(a, INTERACTION_SELECT_ACCOUNT);
        sign_in_show_accounts(a->req, &next, a->user);
        break;
    case OUTCOME_CONSENT:
        next = authorization_carry(a, INTERACTION_CONSENT);
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
    if (result != OP_OK) {
        view_store_error(a->req, result);
        return;
    }
    authorization_note_consent(a);
    render(a);
}

static void has_looked(enum op_err result, void *arg)
{
    struct authorization *a = arg;
    bool write = result == OP_OK && a->outcome == OUTCOME_GRANT &&
                 (a->answer == CONSENT_ALLOWED || !authorization_session_is_settled(a, clock_now()));
    if (write)
        kv_run(server_kv(), KV_SESSIONS, settle, is_settled, a);
    else
        is_settled(result, a);
}

const json_t *authorization_hint(struct http_request *req, const struct form *form)
{
    const char *token = form_get(form, "id_token_hint");
    const char *issuer = NULL;
    json_t *claims = NULL;
    if (token == NULL || *token == '\0' || keyring_verify(auth.keyring, req, token, NULL, &claims) != OP_OK)
        return NULL;
    return json_get_string(claims, "iss", &issuer) == OP_OK && strcmp(issuer, settings.issuer) == 0 ? claims : NULL;
}

struct authorization *authorization_new(struct http_request *req, const struct form *sent, const char *cookie)
{
    struct authorization *a = mem_new(req, struct authorization);
    a->req = req;
    a->sent = a->form = *sent;
    a->session_cookie = cookie;
    return a;
}

struct authorization *authorization_resume(struct http_request *req, const struct interaction *visit,
                                           const char *cookie)
{
    struct form sent = view_sent_by(req, visit);
    struct authorization *a = authorization_new(req, &sent, cookie);
    a->visit = *visit;
    a->pushed = visit->pushed;
    a->pushed_until = visit->pushed_until;
    if (a->pushed != NULL)
        a->form = view_request_of(req, visit);
    return a;
}

static void go_on(enum op_err result, void *arg)
{
    struct authorization *a = arg;
    if (result != OP_OK) {
        view_store_error(a->req, result);
        return;
    }
    a->hint = authorization_hint(a->req, &a->form);
    kv_run(server_kv(), KV_READ_ONLY, look, has_looked, a);
}

void authorization_run(struct authorization *a)
{
    struct authorize_request reference;
    struct oauth_error error;
    bool to_load = a->pushed == NULL && authorize_request_reference(a->req, &a->sent, &reference, &error) == OP_OK;
    if (to_load)
        kv_run(server_kv(), KV_READ_ONLY, load_pushed, go_on, a);
    else
        go_on(OP_OK, a);
}

void authorization_go_on(struct http_request *req, const struct interaction *visit, const char *cookie)
{
    struct interaction next = *visit;
    next.purpose = INTERACTION_CONTINUE;
    next.created_at = clock_now();
    const char *sealed = interaction_seal(req, auth.form_key, browser_id_or_new(req), &next);
    const char *url = mem_printf(req, "%s?interaction=%s", visit->device ? "/device/approve" : "/authorize", sealed);
    if (visit->device || strlen(url) <= VIEW_URL_MAX)
        view_redirect(req, url);
    else
        authorization_run(authorization_resume(req, &next, cookie));
}
