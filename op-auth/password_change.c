#include "password_change.h"

#include <string.h>

#include "account.h"
#include "auth.h"
#include "base/clock.h"
#include "browser.h"
#include "guesses.h"
#include "runtime/audit.h"
#include "runtime/notice.h"
#include "runtime/password_pool.h"
#include "runtime/server.h"
#include "store/credentials.h"
#include "view.h"

const char *password_change_judge(const char *current, const char *wanted, const char *repeated)
{
    if (*current == '\0')
        return "password.no_current";
    if (strlen(wanted) < PASSWORD_MIN)
        return "password.too_short";
    if (strlen(wanted) > PASSWORD_MAX || strlen(current) > PASSWORD_MAX)
        return "password.too_long";
    if (strcmp(wanted, repeated) != 0)
        return "password.not_repeated";
    if (strcmp(wanted, current) == 0)
        return "password.same";
    return NULL;
}

static void is_changed(enum op_err result, struct revocation *revocation)
{
    struct http_request *req = revocation->req;
    const struct password_change *change = revocation->arg;
    notice_settle(server_kv(), change->notice, revocation->has_set_password);
    if (result == OP_MISMATCH || result == OP_ABSENT) {
        /* Somebody else changed it, or ended this session, at the same moment: sign in and see. */
        view_redirect(req, "/account?done=changed");
        return;
    }
    if (result != OP_OK) {
        view_store_error(req, result);
        return;
    }
    audit_write(AUDIT_PASSWORD_CHANGED, req, &(struct audit_facts){.user_id = revocation->who.user->user_id});
    guesses_forget(revocation->who.user->username, req->client_address);
    browser_set_session(req, revocation->new_cookie);
    view_redirect(req, "/account?done=password");
}

static void hold_ended(bool is_held, void *arg)
{
    struct password_change *change = arg;
    metrics_count("partita_notices_lost_total", !is_held);
    change->revocation = (struct revocation){
        .req = change->req,
        .who = change->who,
        .password = &change->stored,
        .done = is_changed,
        .arg = change,
    };
    revocation_run(&change->revocation);
}

static void note_failure(const struct password_change *change, const char *reason)
{
    audit_write(AUDIT_PASSWORD_CHANGE_FAILED, change->req, &(struct audit_facts){
        .user_id = change->who.user->user_id, .reason = reason});
}

static void is_verified(enum op_err result, const char *new_phc, void *arg)
{
    struct password_change *change = arg;
    struct http_request *req = change->req;
    if (result != OP_OK || new_phc == NULL) {
        note_failure(change, "wrong_password");
        account_show(req, 422, "password.wrong", 0);
        return;
    }
    const char *locale = page_language(auth.site.pages, NULL, http_field(req, "accept-language"));
    change->stored.new_phc = mem_strdup(req, new_phc);
    change->notice = notice_password_changed(req, change->who.user, locale, clock_now());
    notice_hold(server_kv(), change->notice, req->request_id, req->trace, hold_ended, change);
}

static enum op_err load_password(struct kv_txn *txn, void *arg)
{
    struct password_change *change = arg;
    Rec__Password *password = NULL;
    change->stored = (struct stored_password){.user_id = change->who.user->user_id};
    enum op_err err = credentials_get_password(txn, change->req, change->stored.user_id, &password);
    if (err == OP_OK)
        change->stored.old_phc = password->phc;
    return err == OP_ABSENT || err == OP_DENIED ? OP_OK : err;
}

static void busy(struct password_change *change)
{
    view_passwords_busy(change->req);
    account_show(change->req, 503, "sign_in.busy", 0);
}

static void is_loaded(enum op_err result, void *arg)
{
    struct password_change *change = arg;
    struct password_job job = {
        .password = change->current,
        .phc = change->stored.old_phc,
        .new_password = change->wanted,
    };
    if (result != OP_OK) {
        view_store_error(change->req, result);
    } else if (password_pool_run(auth.passwords, &job, is_verified, change) != OP_OK) {
        guesses_take_back(change->who.user->username, change->req->client_address);
        busy(change);
    }
}

static void is_counted(enum op_err result, unsigned wait, void *arg)
{
    struct password_change *change = arg;
    if (result != OP_OK) {
        view_store_error(change->req, result);
    } else if (wait > 0) {
        note_failure(change, "throttled");
        http_set_fieldf(change->req, "Retry-After", "%u", wait);
        account_show(change->req, 429, "sign_in.throttled", wait);
    } else {
        kv_run(server_kv(), KV_READ_ONLY, load_password, is_loaded, change);
    }
}

void password_change_run(struct password_change *change)
{
    const char *wrong = password_change_judge(change->current, change->wanted, change->repeated);
    if (wrong != NULL)
        account_show(change->req, 422, wrong, 0);
    else if (password_pool_full(auth.passwords))
        busy(change);
    else
        guesses_count(change->req, change->who.user->username, change->req->client_address, is_counted, change);
}
