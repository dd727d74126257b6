#include "device_approve.h"

#include <string.h>

#include "base/clock.h"
#include "browser.h"
#include "consent.h"
#include "protocol/device.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/server.h"
#include "runtime/user_code.h"
#include "sign_in.h"
#include "store/clients.h"
#include "store/consents.h"
#include "store/device_requests.h"
#include "store/sessions.h"
#include "view.h"
#include "who.h"

enum { PAIRS_MAX = 8 };

struct approval {
    struct http_request *req;
    struct authorization *a; /* its request is the device's */
    char user_code[DEVICE_USER_CODE_LEN + 1];
    bool typed;              /* the code came with the URL, so that guesses are counted */
    /* set by look: */
    unsigned wait;
    Rec__DeviceRequest *found;
};

/* --- load, decide --- */

static enum op_err absent_is_fine(enum op_err err)
{
    return err == OP_ABSENT || err == OP_DENIED ? OP_OK : err;
}

static enum op_err look_who(struct kv_txn *txn, void *arg)
{
    struct approval *approval = arg;
    struct who who;
    enum op_err err = who_load(txn, approval->req, approval->a->session_cookie, &who);
    if (err == OP_OK) {
        approval->a->session = who.session;
        approval->a->user = who.user;
        approval->a->outcome = OUTCOME_SIGN_IN;
    }
    return err;
}

static enum op_err look_for_request(struct kv_txn *txn, struct approval *approval)
{
    approval->wait = 0;
    approval->found = NULL;
    if (approval->typed)
        return user_code_find(txn, approval->req, approval->user_code, &approval->wait, &approval->found);
    return absent_is_fine(device_requests_find(txn, approval->req, approval->user_code, &approval->found));
}

enum authorization_outcome device_approve_judge(struct authorization *a, const Rec__DeviceRequest *asked, int64_t now)
{
    a->request = (struct authorize_request){
        .client_id = asked->client_id,
        .scopes = {asked->scopes, asked->n_scopes},
        .resources = {asked->resources, asked->n_resources},
        .prompt_consent = true,
        .max_age_seconds = -1,
    };
    return a->client == NULL || a->client->disabled ? OUTCOME_PROBLEM : authorization_judge_request(a, now);
}

static enum op_err look(struct kv_txn *txn, void *arg)
{
    struct approval *approval = arg;
    struct authorization *a = approval->a;
    enum op_err err = look_who(txn, approval);
    if (err != OP_OK || a->user == NULL)
        return err;
    err = look_for_request(txn, approval);
    if (err != OP_OK || approval->found == NULL)
        return err;
    const char *client_id = approval->found->client_id;
    a->client = NULL;
    a->consent = NULL;
    err = absent_is_fine(clients_get(txn, a->req, client_id, &a->client));
    if (err == OP_OK)
        err = absent_is_fine(consents_get(txn, a->req, a->user->user_id, client_id, &a->consent));
    if (err == OP_OK)
        a->outcome = device_approve_judge(a, approval->found, kv_now(txn));
    return err;
}

/* --- apply --- */

/* What the approval leans on, written before it. Everything is judged anew: it may have changed meanwhile. */
static enum op_err settle(struct kv_txn *txn, void *arg)
{
    struct approval *approval = arg;
    struct authorization *a = approval->a;
    enum op_err err = look(txn, approval);
    if (err != OP_OK || a->user == NULL || approval->found == NULL || a->outcome != OUTCOME_GRANT)
        return err;
    return authorization_settle(txn, a);
}

/* The request as it is now; *ret is NULL where somebody else has decided, or time has. */
static enum op_err find_again(struct kv_txn *txn, const struct approval *approval, Rec__DeviceRequest **ret)
{
    *ret = NULL;
    enum op_err err = device_requests_find(txn, approval->req, approval->user_code, ret);
    if (err == OP_OK && strcmp((*ret)->client_id, approval->a->client->client_id) != 0)
        *ret = NULL;
    return absent_is_fine(err);
}

static enum op_err write_decision(struct kv_txn *txn, void *arg)
{
    struct approval *approval = arg;
    struct authorization *a = approval->a;
    enum op_err err = find_again(txn, approval, &approval->found);
    if (err != OP_OK || approval->found == NULL)
        return err;
    if (a->outcome == OUTCOME_GRANT)
        approval->found->grant = authorization_grant(a->req, a);
    else
        approval->found->has_denied = approval->found->denied = true;
    return device_requests_decide(txn, approval->found);
}

/* --- render --- */

static void show_problem(const struct approval *approval, int status, const char *key)
{
    view_problem(approval->req, &(struct view_problem){
        .status = status, .key = key, .href = "/device", .label = "link.device", .retry_after = approval->wait});
}

static void show_throttled(const struct approval *approval)
{
    metrics_count("partita_user_codes_throttled_total", 1);
    audit_write(AUDIT_USER_CODES_THROTTLED, approval->req, &(struct audit_facts){.user_id = approval->a->user->user_id});
    show_problem(approval, 429, "problem.device_throttled");
}

static void show_question(const struct approval *approval, const struct interaction *next, const char *notice)
{
    const struct authorization *a = approval->a;
    json_t *values = view_values(a->req);
    view_set_client(values, a->client);
    view_set_user(values, a->user);
    view_set_form(a->req, values, "form", next);
    json_set_string(values, "user_code", device_user_code_text(a->req, approval->user_code));
    json_set(values, "asked", consent_list(a));
    if (notice != NULL)
        json_set_string(values, "notice", view_message(a->req, NULL, notice, values));
    view_page(a->req, 200, "device-approve", NULL, values);
}

static void is_decided(enum op_err result, void *arg)
{
    const struct approval *approval = arg;
    const struct authorization *a = approval->a;
    bool allowed = a->outcome == OUTCOME_GRANT;
    if (result != OP_OK) {
        view_store_error(a->req, result);
    } else if (approval->found == NULL) {
        show_problem(approval, 400, "problem.device");
    } else {
        authorization_note(a, allowed ? AUDIT_DEVICE_APPROVED : AUDIT_DEVICE_DENIED);
        view_redirect(a->req, allowed ? "/device/approve?done=allowed" : "/device/approve?done=denied");
    }
}

static struct interaction carry(const struct authorization *a, enum interaction_purpose purpose)
{
    struct interaction next = authorization_carry(a, purpose);
    next.device = true;
    return next;
}

static void is_settled(enum op_err result, void *arg);

static void render(struct approval *approval)
{
    struct authorization *a = approval->a;
    struct interaction next;
    /* The answer was given in another session than the present one: it does not count. */
    bool ignored = a->answer != CONSENT_UNASKED && !authorization_in_this_session(a);
    const char *notice = ignored ? "notice.session_changed" : NULL;
    switch (a->outcome) {
    case OUTCOME_SIGN_IN:
        next = carry(a, INTERACTION_SIGN_IN);
        next.error = a->visit.error;
        next.username = a->visit.username;
        sign_in_show(a->req, &next, a->user, notice);
        break;
    case OUTCOME_CONSENT:
        next = carry(a, INTERACTION_DEVICE);
        show_question(approval, &next, notice);
        break;
    case OUTCOME_GRANT:
    case OUTCOME_ERROR: /* access_denied: no other can be here */
        kv_run(server_kv(), KV_ASYNC, write_decision, is_decided, approval);
        break;
    case OUTCOME_PROBLEM:
    case OUTCOME_REENTER:
    case OUTCOME_SELECT_ACCOUNT:
        show_problem(approval, 400, "problem.device_client");
        break;
    }
}

static void go_on(struct approval *approval)
{
    if (approval->found != NULL)
        authorization_note_consent(approval->a);
    render(approval);
}

static void is_settled(enum op_err result, void *arg)
{
    struct approval *approval = arg;
    bool signed_in = approval->a->user != NULL;
    if (result != OP_OK)
        view_store_error(approval->req, result);
    else if (approval->wait > 0)
        show_throttled(approval);
    else if (signed_in && approval->found == NULL)
        show_problem(approval, 400, "problem.device");
    else
        go_on(approval);
}

static void has_looked(enum op_err result, void *arg)
{
    struct approval *approval = arg;
    bool allowed = result == OP_OK && approval->found != NULL && approval->a->outcome == OUTCOME_GRANT;
    if (allowed)
        kv_run(server_kv(), KV_SESSIONS, settle, is_settled, approval);
    else
        is_settled(result, approval);
}

/* Until a person has signed in nothing is looked up, and nothing is written. */
static void knows_who(enum op_err result, void *arg)
{
    const struct approval *approval = arg;
    if (result != OP_OK || approval->a->user == NULL)
        is_settled(result, arg);
    else
        kv_run(server_kv(), KV_GUARD, look, has_looked, arg);
}

/* --- parse --- */

static void show_done(struct http_request *req, const char *word)
{
    const char *name = strcmp(word, "allowed") == 0 ? "device_done.allowed" : "device_done.denied";
    json_t *values = view_values(req);
    json_set_string(values, "title", view_message(req, NULL, mem_printf(req, "%s_title", name), values));
    json_set_string(values, "text", view_message(req, NULL, mem_printf(req, "%s_text", name), values));
    view_page(req, 200, "device-done", NULL, values);
}

/* False: there is no user code in the request. Only that is carried on of it. */
static bool read_request(struct approval *approval, const struct form *request)
{
    const char *text = form_get(request, "user_code");
    if (text == NULL || !device_user_code_read(text, approval->user_code))
        return false;
    struct form form = {.pairs = mem_array(approval->req, struct form_pair, 1), .count = 1};
    form.pairs[0] = (struct form_pair){"user_code", device_user_code_text(approval->req, approval->user_code)};
    approval->a = authorization_new(approval->req, &form, browser_session(approval->req));
    return true;
}

static void show_page(struct approval *approval)
{
    struct http_request *req = approval->req;
    struct interaction visit = {0};
    struct form form;
    if (form_parse(req, req->query, PAIRS_MAX, &form) != OP_OK)
        form = (struct form){0};
    if (form_get(&form, "done") != NULL) {
        show_done(req, form_get(&form, "done"));
        return;
    }
    if (view_open_continuation(req, &form, &visit))
        form = view_request_of(req, &visit);
    if (!read_request(approval, &form)) {
        view_redirect(req, "/device");
        return;
    }
    approval->typed = true;
    approval->a->visit = visit;
    kv_run(server_kv(), KV_READ_ONLY, look_who, knows_who, approval);
}

static void read_answer(struct approval *approval)
{
    struct http_request *req = approval->req;
    struct form form;
    struct interaction visit;
    if (!view_read_form(req, &form) || !view_open_form(req, &form, INTERACTION_DEVICE, &visit))
        return;
    const char *decision = form_get(&form, "decision");
    bool allow = decision != NULL && strcmp(decision, "allow") == 0;
    bool deny = decision != NULL && strcmp(decision, "deny") == 0;
    struct form request = view_request_of(req, &visit);
    if ((!allow && !deny) || !read_request(approval, &request)) {
        show_problem(approval, 400, "problem.form");
        return;
    }
    approval->a->visit = visit;
    approval->a->answer = allow ? CONSENT_ALLOWED : CONSENT_DENIED;
    kv_run(server_kv(), KV_READ_ONLY, look, has_looked, approval);
}

void device_approve_handle(struct http_request *req)
{
    struct approval *approval = mem_new(req, struct approval);
    approval->req = req;
    if (req->method == HTTP_POST)
        read_answer(approval);
    else
        show_page(approval);
}
