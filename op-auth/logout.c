#include "logout.h"

#include <string.h>

#include "auth.h"
#include "base/clock.h"
#include "browser.h"
#include "logout_decide.h"
#include "protocol/params.h"
#include "runtime/audit.h"
#include "runtime/server.h"
#include "runtime/settings.h"
#include "store/clients.h"
#include "store/sessions.h"
#include "view.h"
#include "who.h"

enum { PAIRS_MAX = 64 };

static const struct param PARAMETERS[] = {
    PARAM(struct logout_request, id_token_hint, PARAM_OPTIONAL, 8192, param_is_vschar),
    PARAM(struct logout_request, client_id, PARAM_OPTIONAL, 255, param_is_vschar),
    PARAM(struct logout_request, post_logout_redirect_uri, PARAM_OPTIONAL, 2048, param_is_vschar),
    PARAM(struct logout_request, state, PARAM_OPTIONAL, 2048, param_is_vschar),
    PARAM(struct logout_request, ui_locales, PARAM_OPTIONAL, 256, param_is_vschar),
    PARAM(struct logout_request, logout_hint, PARAM_OPTIONAL, 256, NULL),
};

struct logout {
    struct http_request *req;
    struct form form;             /* the parameters */
    struct logout_request request;
    json_t *hint;
    const char *confirmed_sid;    /* the session that the person wants to end; NULL: not asked yet */
    bool may_lack_cookies;
    bool malformed;               /* error says how; nothing of the request counts */
    Rec__Client *client;
    struct who who;
    struct oauth_error error;
    enum logout_step step;
};

static bool is_confirmed(const struct logout *logout)
{
    return logout->confirmed_sid != NULL && logout->who.session != NULL &&
           strcmp(logout->confirmed_sid, logout->who.session->sid) == 0;
}

static enum op_err look(struct kv_txn *txn, void *arg)
{
    struct logout *logout = arg;
    const char *client_id = logout->malformed ? NULL : logout_client_id(&logout->request, logout->hint);
    logout->client = NULL;
    enum op_err err = client_id == NULL ? OP_ABSENT : clients_get(txn, logout->req, client_id, &logout->client);
    if (err == OP_OK || err == OP_ABSENT || err == OP_DENIED)
        err = who_load(txn, logout->req, browser_session(logout->req), &logout->who);
    if (err != OP_OK || logout->malformed) {
        logout->step = LOGOUT_PROBLEM;
        return err;
    }
    struct logout_facts facts = {
        .request = &logout->request,
        .issuer = settings.issuer,
        .hint_verified = logout->hint != NULL,
        .hint = logout->hint,
        .client = logout->client,
        .session = logout->who.session,
        .may_lack_cookies = logout->may_lack_cookies,
        .confirmed = is_confirmed(logout),
    };
    logout->step = logout_decide(&facts, &logout->error);
    return OP_OK;
}

static enum op_err end_session(struct kv_txn *txn, void *arg)
{
    const struct logout *logout = arg;
    enum op_err err = sessions_end(txn, logout->who.session->sid);
    return err == OP_ABSENT ? OP_OK : err;
}

static void answer(struct logout *logout)
{
    struct http_request *req = logout->req;
    if (browser_session(req) != NULL)
        browser_clear_session(req);
    const char *target = logout_target(req, &logout->request);
    if (target != NULL) {
        view_redirect(req, target);
        return;
    }
    json_t *values = view_values(req);
    view_set_client(values, logout->client);
    view_page(req, 200, "signed-out", logout->request.ui_locales, values);
}

static void has_ended(enum op_err result, void *arg)
{
    struct logout *logout = arg;
    if (result != OP_OK) {
        view_store_error(logout->req, result);
        return;
    }
    audit_write(AUDIT_SIGNED_OUT, logout->req, &(struct audit_facts){
        .user_id = logout->who.user->user_id, .sid = logout->who.session->sid});
    answer(logout);
}

static void ask(struct logout *logout)
{
    struct http_request *req = logout->req;
    struct interaction interaction = {
        .purpose = INTERACTION_LOGOUT,
        .created_at = clock_now(),
        .request = view_encode(req, &logout->form),
        .sid = logout->who.session->sid,
    };
    json_t *values = view_values(req);
    view_set_client(values, logout->client);
    view_set_user(values, logout->who.user);
    view_set_form(req, values, "form", &interaction);
    if (logout->confirmed_sid != NULL)
        json_set_string(values, "notice",
                        view_message(req, logout->request.ui_locales, "notice.session_changed", values));
    view_page(req, 200, "sign-out", logout->request.ui_locales, values);
}

static void show_problem(struct logout *logout)
{
    view_problem(logout->req, &(struct view_problem){
        .status = 400,
        .key = "problem.logout",
        .ui_locales = logout->request.ui_locales,
        .error = &logout->error,
        .href = logout->who.session != NULL ? "/logout" : "/",
        .label = logout->who.session != NULL ? "link.sign_out" : "link.front",
    });
}

static void has_looked(enum op_err result, void *arg)
{
    struct logout *logout = arg;
    if (result != OP_OK) {
        view_store_error(logout->req, result);
        return;
    }
    switch (logout->step) {
    case LOGOUT_PROBLEM:
        show_problem(logout);
        break;
    case LOGOUT_REENTER:
        view_reenter(logout->req, "/logout", &logout->form);
        break;
    case LOGOUT_ASK:
        ask(logout);
        break;
    case LOGOUT_END:
        kv_run(server_kv(), KV_SESSIONS, end_session, has_ended, logout);
        break;
    case LOGOUT_ANSWER:
        answer(logout);
        break;
    }
}

static void run(struct logout *logout)
{
    struct http_request *req = logout->req;
    struct logout_request *request = &logout->request;
    json_t *hint = NULL;
    if (!logout->malformed)
        logout->malformed = params_read(req, PARAMETERS, sizeof PARAMETERS / sizeof *PARAMETERS, &logout->form, request,
                                        sizeof *request, &logout->error) != OP_OK;
    if (!logout->malformed && request->id_token_hint != NULL &&
        keyring_verify(auth.keyring, req, request->id_token_hint, NULL, &hint) == OP_OK)
        logout->hint = hint;
    kv_run(server_kv(), KV_READ_ONLY, look, has_looked, logout);
}

void logout_handle(struct http_request *req)
{
    struct logout *logout = mem_new(req, struct logout);
    logout->req = req;
    bool is_post = req->method == HTTP_POST;
    if (is_post && !view_read_form(req, &logout->form))
        return;
    if (!is_post && form_parse(req, req->query, PAIRS_MAX, &logout->form) != OP_OK) {
        logout->error = (struct oauth_error){OAUTH_INVALID_REQUEST, "the parameters are not well-formed, or too many"};
        logout->malformed = true;
    }
    struct interaction interaction;
    if (is_post && form_get(&logout->form, "interaction") != NULL) {
        if (!view_open_form(req, &logout->form, INTERACTION_LOGOUT, &interaction))
            return;
        logout->form = view_request_of(req, &interaction);
        logout->confirmed_sid = interaction.sid;
    } else {
        logout->may_lack_cookies = is_post && !view_is_reentered(req, &logout->form);
    }
    run(logout);
}
