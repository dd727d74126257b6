#include "account_actions.h"

#include <string.h>

#include "account.h"
#include "browser.h"
#include "password_change.h"
#include "revocation.h"
#include "runtime/audit.h"
#include "runtime/server.h"
#include "store/consents.h"
#include "store/sessions.h"
#include "view.h"
#include "who.h"

struct action {
    struct http_request *req;
    struct form form;
    struct interaction interaction;
    struct who who;
    const char *target; /* the sid or client_id that it is about */
    bool own;           /* it ended the session that asked */
    bool happened;      /* there was something to end */
};

/* False: answered. */
static bool begin(struct http_request *req, enum interaction_purpose purpose, struct action **ret)
{
    struct action *action = mem_new(req, struct action);
    action->req = req;
    if (!view_read_form(req, &action->form) || !view_open_form(req, &action->form, purpose, &action->interaction))
        return false;
    *ret = action;
    return true;
}

/* OP_MISMATCH: the form was shown in another session than the one that is there now. */
static enum op_err check_asker(struct kv_txn *txn, struct action *action)
{
    enum op_err err = who_load(txn, action->req, browser_session(action->req), &action->who);
    if (err != OP_OK)
        return err;
    const Rec__Session *session = action->who.session;
    bool same = session != NULL && action->interaction.sid != NULL &&
                strcmp(session->sid, action->interaction.sid) == 0;
    return same ? OP_OK : OP_MISMATCH;
}

static enum op_err check_asker_work(struct kv_txn *txn, void *arg)
{
    return check_asker(txn, arg);
}

/* True when the action may go on; else it has been answered. */
static bool is_fine(enum op_err result, struct action *action)
{
    if (result == OP_OK)
        return true;
    if (result == OP_MISMATCH || result == OP_ABSENT)
        view_redirect(action->req, "/account?done=changed");
    else
        view_store_error(action->req, result);
    return false;
}

/* --- one session --- */

static enum op_err end_session(struct kv_txn *txn, void *arg)
{
    struct action *action = arg;
    enum op_err err = check_asker(txn, action);
    if (err != OP_OK)
        return err;
    action->own = strcmp(action->target, action->who.session->sid) == 0;
    err = sessions_end_of_user(txn, action->who.user->user_id, action->target);
    action->happened = err == OP_OK;
    return err == OP_ABSENT ? OP_OK : err; /* it has ended by itself */
}

static void session_has_ended(enum op_err result, void *arg)
{
    struct action *action = arg;
    if (!is_fine(result, action))
        return;
    if (action->happened)
        audit_write(AUDIT_SESSION_ENDED, action->req, &(struct audit_facts){
            .user_id = action->who.user->user_id, .sid = action->target});
    if (action->own)
        browser_clear_session(action->req);
    view_redirect(action->req, action->own ? "/" : "/account?done=session");
}

static const char *field(const struct action *action, const char *name)
{
    const char *value = form_get(&action->form, name);
    return value == NULL ? "" : value;
}

void account_end_session(struct http_request *req)
{
    struct action *action = NULL;
    if (!begin(req, INTERACTION_END_SESSION, &action))
        return;
    action->target = field(action, "sid");
    kv_run(server_kv(), KV_SESSIONS, end_session, session_has_ended, action);
}

/* --- one consent --- */

static enum op_err withdraw(struct kv_txn *txn, void *arg)
{
    struct action *action = arg;
    Rec__Consent *consent = NULL;
    action->happened = false;
    enum op_err err = check_asker(txn, action);
    if (err != OP_OK)
        return err;
    const char *user_id = action->who.user->user_id;
    err = consents_get(txn, action->req, user_id, action->target, &consent);
    if (err == OP_ABSENT || (err == OP_OK && consent->withdrawn))
        return OP_OK;
    if (err != OP_OK && err != OP_DENIED)
        return err;
    int64_t since = since_after(kv_now(txn), action->who.user->since, consent == NULL ? 0 : consent->since);
    action->happened = true;
    return consents_withdraw(txn, user_id, action->target, since);
}

static void has_withdrawn(enum op_err result, void *arg)
{
    struct action *action = arg;
    if (!is_fine(result, action))
        return;
    if (action->happened)
        audit_write(AUDIT_CONSENT_WITHDRAWN, action->req, &(struct audit_facts){
            .user_id = action->who.user->user_id, .client_id = action->target});
    view_redirect(action->req, "/account?done=withdrawn");
}

void account_withdraw(struct http_request *req)
{
    struct action *action = NULL;
    if (!begin(req, INTERACTION_WITHDRAW, &action))
        return;
    action->target = field(action, "client_id");
    if (*action->target == '\0' || strlen(action->target) > 255)
        view_redirect(req, "/account");
    else
        kv_run(server_kv(), KV_SESSIONS, withdraw, has_withdrawn, action);
}

/* --- everywhere --- */

static void is_out_everywhere(enum op_err result, struct revocation *revocation)
{
    struct http_request *req = revocation->req;
    if (result == OP_ABSENT) { /* this session was ended from elsewhere at the same moment */
        view_redirect(req, "/account");
        return;
    }
    if (result != OP_OK) {
        view_store_error(req, result);
        return;
    }
    audit_write(AUDIT_SIGNED_OUT_EVERYWHERE, req, &(struct audit_facts){.user_id = revocation->who.user->user_id});
    browser_set_session(req, revocation->new_cookie);
    view_redirect(req, "/account?done=everywhere");
}

static void asker_is_checked(enum op_err result, void *arg)
{
    struct action *action = arg;
    if (!is_fine(result, action))
        return;
    struct revocation *revocation = mem_new(action->req, struct revocation);
    revocation->req = action->req;
    revocation->who = action->who;
    revocation->done = is_out_everywhere;
    revocation_run(revocation);
}

void account_everywhere(struct http_request *req)
{
    struct action *action = NULL;
    if (begin(req, INTERACTION_EVERYWHERE, &action))
        kv_run(server_kv(), KV_READ_ONLY, check_asker_work, asker_is_checked, action);
}

/* --- the password --- */

static void password_asker_is_checked(enum op_err result, void *arg)
{
    struct action *action = arg;
    if (!is_fine(result, action))
        return;
    struct password_change *change = mem_new(action->req, struct password_change);
    change->req = action->req;
    change->who = action->who;
    change->current = field(action, "current");
    change->wanted = field(action, "new");
    change->repeated = field(action, "repeat");
    password_change_run(change);
}

void account_change_password(struct http_request *req)
{
    struct action *action = NULL;
    if (begin(req, INTERACTION_PASSWORD, &action))
        kv_run(server_kv(), KV_READ_ONLY, check_asker_work, password_asker_is_checked, action);
}
