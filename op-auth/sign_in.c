#include "sign_in.h"

#include <string.h>

#include "auth.h"
#include "authorization.h"
#include "base/clock.h"
#include "base/rand.h"
#include "browser.h"
#include "guesses.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/password_pool.h"
#include "runtime/server.h"
#include "session.h"
#include "store/clients.h"
#include "store/credentials.h"
#include "store/users.h"
#include "stored_password.h"
#include "view.h"

enum { USERNAME_MAX = 256, PASSWORD_MAX = 1024 };

/* One try at signing in. */
struct attempt {
    struct http_request *req;
    struct interaction interaction;
    const char *username, *password;
    Rec__User *user;          /* NULL: no such account, or not to be used */
    Rec__Password *stored;
    char *new_phc;            /* of the present cost, to replace stored; NULL: that is fine as it is */
    bool tried_again;
    struct session_start start;
};

/* --- the page --- */

struct page_facts {
    struct http_request *req;
    const char *client_id;
    Rec__Client *client;
};

static enum op_err load_client(struct kv_txn *txn, void *arg)
{
    struct page_facts *facts = arg;
    enum op_err err = clients_get(txn, facts->req, facts->client_id, &facts->client);
    return err == OP_ABSENT || err == OP_DENIED ? OP_OK : err;
}

static void ignore(enum op_err result, void *arg)
{
    (void)result; /* the page does without the client's name */
    (void)arg;
}

struct page {
    int status;
    const char *error;    /* key of a message, or NULL */
    const char *notice;   /* the same, above the form */
    const char *username; /* what the field holds */
    unsigned wait;        /* minutes, for the error */
};

static void show(struct http_request *req, const struct interaction *interaction, const struct page *page)
{
    struct form request = view_request_of(req, interaction);
    struct page_facts facts = {.req = req, .client_id = form_get(&request, "client_id")};
    const char *ui_locales = form_get(&request, "ui_locales");
    const char *username = page->username != NULL ? page->username : form_get(&request, "login_hint");
    if (facts.client_id != NULL)
        kv_run(server_kv(), KV_READ_ONLY, load_client, ignore, &facts);
    json_t *values = view_values(req);
    view_set_client(values, facts.client);
    view_set_form(req, values, "form", interaction);
    json_set_bool(values, "device", interaction->device);
    json_set_string(values, "username", username);
    json_set_int(values, "wait", (int64_t)page->wait);
    if (page->error != NULL)
        json_set_string(values, "error", view_message(req, ui_locales, page->error, values));
    if (page->notice != NULL)
        json_set_string(values, "notice", view_message(req, ui_locales, page->notice, values));
    json_set_bool(values, "username_known", username != NULL && *username != '\0');
    view_page(req, page->status, "sign-in", ui_locales, values);
}

void sign_in_show(struct http_request *req, const struct interaction *interaction, const Rec__User *user,
                  const char *notice)
{
    struct interaction next = *interaction;
    next.error = next.username = NULL;
    if (notice == NULL && user != NULL && interaction->error == NULL)
        notice = "sign_in.again";
    show(req, &next, &(struct page){
        .status = 200,
        .error = interaction->error,
        .notice = notice,
        .username = interaction->username != NULL || user == NULL ? interaction->username : user->username,
    });
}

/* For what is the server's trouble or a limit: with its own status, at once. */
static void show_again(struct attempt *attempt, int status, const char *error, unsigned wait_seconds)
{
    struct interaction next = attempt->interaction;
    next.created_at = clock_now();
    show(attempt->req, &next, &(struct page){
        .status = status,
        .error = error,
        .username = attempt->username,
        .wait = (wait_seconds + 59) / 60,
    });
}

/* For what the person can do better: by a redirect, so that reload and Back find a page and no form that was sent. */
static void let_try_again(struct attempt *attempt, const char *error)
{
    struct http_request *req = attempt->req;
    struct interaction next = attempt->interaction;
    next.error = error;
    next.username = strlen(attempt->username) <= USERNAME_MAX ? attempt->username : NULL;
    if (next.request != NULL) {
        authorization_go_on(req, &next, browser_session(req));
        return;
    }
    next.purpose = INTERACTION_CONTINUE;
    next.created_at = clock_now();
    const char *sealed = interaction_seal(req, auth.form_key, browser_id_or_new(req), &next);
    view_redirect(req, mem_printf(req, "/account?interaction=%s", sealed));
}

void sign_in_show_accounts(struct http_request *req, const struct interaction *interaction, const Rec__User *user)
{
    struct form request = view_request_of(req, interaction);
    struct page_facts facts = {.req = req, .client_id = form_get(&request, "client_id")};
    if (facts.client_id != NULL)
        kv_run(server_kv(), KV_READ_ONLY, load_client, ignore, &facts);
    json_t *values = view_values(req);
    view_set_client(values, facts.client);
    view_set_user(values, user);
    view_set_form(req, values, "form", interaction);
    view_page(req, 200, "select-account", form_get(&request, "ui_locales"), values);
}

/* --- the try --- */

static void busy(struct attempt *attempt)
{
    view_passwords_busy(attempt->req);
    show_again(attempt, 503, "sign_in.busy", 0);
}

static enum op_err establish(struct kv_txn *txn, void *arg)
{
    struct attempt *attempt = arg;
    Rec__User *user = NULL;
    /* Disabled or changed while the hash was computed: as if the password were wrong. */
    enum op_err err = users_get(txn, attempt->req, attempt->user->user_id, &user);
    if (err == OP_OK && user->disabled)
        err = OP_MISMATCH;
    if (err == OP_OK)
        err = stored_password_still(txn, attempt->req, user->user_id, attempt->stored->phc);
    if (err != OP_OK)
        return err == OP_ABSENT || err == OP_DENIED ? OP_MISMATCH : err;
    attempt->user = user;
    attempt->start.user = user;
    return session_begin(txn, &attempt->start);
}

static void go_on(struct attempt *attempt)
{
    struct http_request *req = attempt->req;
    browser_set_session(req, attempt->start.new_cookie);
    if (attempt->interaction.request == NULL) {
        view_redirect(req, "/account");
        return;
    }
    struct interaction next = {
        .request = attempt->interaction.request,
        .device = attempt->interaction.device,
        .pushed = attempt->interaction.pushed,
        .pushed_until = attempt->interaction.pushed_until,
        .sid = attempt->start.sid,
        .signed_in = true,
        .account_chosen = true,
    };
    authorization_go_on(req, &next, attempt->start.new_cookie);
}

static const char *why_wrong(const struct attempt *attempt)
{
    if (attempt->user == NULL)
        return "unknown_account";
    if (attempt->user->disabled)
        return "disabled_account";
    return attempt->stored == NULL ? "no_password" : "wrong_password";
}

/* What was typed as a name stays out: it may be a mail address, or a password. */
static void wrong(struct attempt *attempt)
{
    metrics_count("partita_sign_ins_failed_total", 1);
    audit_write(AUDIT_SIGN_IN_FAILED, attempt->req, &(struct audit_facts){
        .user_id = attempt->user == NULL ? NULL : attempt->user->user_id, .reason = why_wrong(attempt)});
    let_try_again(attempt, "sign_in.wrong");
}

static void try_password(struct attempt *attempt);

static void is_established(enum op_err result, void *arg)
{
    struct attempt *attempt = arg;
    if (result == OP_MISMATCH && !attempt->tried_again) {
        attempt->tried_again = true; /* perhaps it was only hashed anew, at a sign-in elsewhere */
        try_password(attempt);
        return;
    }
    if (result == OP_MISMATCH) {
        wrong(attempt);
        return;
    }
    /* The password was right, whatever the store says. */
    guesses_forget(attempt->username, attempt->req->client_address);
    if (result != OP_OK) {
        view_store_error(attempt->req, result);
    } else {
        metrics_count("partita_sign_ins_total", 1);
        audit_write(AUDIT_SIGNED_IN, attempt->req, &(struct audit_facts){
            .user_id = attempt->user->user_id, .sid = attempt->start.sid});
        if (attempt->new_phc != NULL)
            stored_password_refresh(attempt->user->user_id, attempt->stored->phc, attempt->new_phc);
        go_on(attempt);
    }
}

static void is_verified(enum op_err result, const char *new_phc, void *arg)
{
    struct attempt *attempt = arg;
    if (result != OP_OK) {
        wrong(attempt);
        return;
    }
    attempt->start = (struct session_start){
        .req = attempt->req,
        .old_cookie = browser_session(attempt->req),
        .new_cookie = mem_secret(rand_token(attempt->req, 32)),
        .new_sid = rand_token(attempt->req, 16),
    };
    attempt->new_phc = new_phc == NULL ? NULL : mem_secret(mem_strdup(attempt, new_phc));
    kv_run(server_kv(), KV_SESSIONS, establish, is_established, attempt);
}

static enum op_err find_account(struct kv_txn *txn, void *arg)
{
    struct attempt *attempt = arg;
    attempt->user = NULL;
    attempt->stored = NULL;
    enum op_err err = users_find(txn, attempt->req, attempt->username, &attempt->user);
    if (err == OP_OK)
        err = credentials_get_password(txn, attempt->req, attempt->user->user_id, &attempt->stored);
    if (err == OP_ABSENT || err == OP_DENIED)
        return OP_OK;
    return err;
}

static void has_found(enum op_err result, void *arg)
{
    struct attempt *attempt = arg;
    if (result != OP_OK) {
        view_store_error(attempt->req, result);
        return;
    }
    bool usable = attempt->stored != NULL && !attempt->user->disabled;
    struct password_job job = {.password = attempt->password, .phc = usable ? attempt->stored->phc : NULL};
    if (password_pool_run(auth.passwords, &job, is_verified, attempt) == OP_OK)
        return;
    guesses_take_back(attempt->username, attempt->req->client_address);
    busy(attempt);
}

static void try_password(struct attempt *attempt)
{
    kv_run(server_kv(), KV_READ_ONLY, find_account, has_found, attempt);
}

static void is_counted(enum op_err result, unsigned wait, void *arg)
{
    struct attempt *attempt = arg;
    if (result != OP_OK) {
        view_store_error(attempt->req, result);
    } else if (wait > 0) {
        metrics_count("partita_sign_ins_throttled_total", 1);
        audit_write(AUDIT_SIGN_IN_THROTTLED, attempt->req, &(struct audit_facts){0});
        http_set_fieldf(attempt->req, "Retry-After", "%u", wait);
        show_again(attempt, 429, "sign_in.throttled", wait);
    } else {
        try_password(attempt);
    }
}

/* A phone's keyboard likes to add a space. */
static const char *trimmed(const void *ctx, const char *s)
{
    if (s == NULL)
        return "";
    s += strspn(s, " \t");
    size_t len = strlen(s);
    while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
        len--;
    return mem_strndup(ctx, s, len);
}

static const char *what_is_missing(const struct attempt *attempt)
{
    if (*attempt->username == '\0')
        return "sign_in.no_username";
    if (*attempt->password == '\0')
        return "sign_in.no_password";
    if (strlen(attempt->username) > USERNAME_MAX || strlen(attempt->password) > PASSWORD_MAX)
        return "sign_in.too_long";
    return NULL;
}

void sign_in_handle(struct http_request *req)
{
    struct form form;
    struct attempt *attempt = mem_new(req, struct attempt);
    attempt->req = req;
    if (!view_read_form(req, &form) || !view_open_form(req, &form, INTERACTION_SIGN_IN, &attempt->interaction))
        return;
    attempt->username = trimmed(req, form_get(&form, "username"));
    attempt->password = form_get(&form, "password");
    if (attempt->password == NULL)
        attempt->password = "";
    const char *missing = what_is_missing(attempt);
    if (missing != NULL)
        let_try_again(attempt, missing);
    else if (password_pool_full(auth.passwords)) /* before the guess is counted */
        busy(attempt);
    else
        guesses_count(req, attempt->username, req->client_address, is_counted, attempt);
}

void sign_in_handle_select(struct http_request *req)
{
    struct form form;
    struct interaction interaction;
    if (!view_read_form(req, &form) || !view_open_form(req, &form, INTERACTION_SELECT_ACCOUNT, &interaction))
        return;
    const char *account = form_get(&form, "account");
    interaction.other_account = account != NULL && strcmp(account, "other") == 0;
    interaction.account_chosen = !interaction.other_account;
    authorization_go_on(req, &interaction, browser_session(req));
}
