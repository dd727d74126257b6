#include "account.h"

#include <string.h>
#include <time.h>

#include "auth.h"
#include "base/clock.h"
#include "browser.h"
#include "device.h"
#include "protocol/family.h"
#include "runtime/server.h"
#include "sign_in.h"
#include "store/clients.h"
#include "store/consents.h"
#include "store/sessions.h"
#include "view.h"
#include "who.h"

enum { SESSIONS_MAX = 100, CONSENTS_MAX = 200, PAIRS_MAX = 8 };

struct page {
    struct http_request *req;
    int status;
    const char *error;  /* keys of messages */
    const char *notice;
    unsigned wait;
    struct interaction visit; /* of the sign-in that led here */
    int64_t now;
    struct who who;
    Rec__Session **sessions;
    Rec__Consent **consents;
    Rec__Client **clients; /* of the consents, NULL where there is none any more */
    size_t session_count, consent_count;
};

/* --- load --- */

static enum op_err load_clients(struct kv_txn *txn, struct page *page)
{
    page->clients = mem_array(page->req, Rec__Client *, page->consent_count);
    for (size_t i = 0; i < page->consent_count; i++) {
        enum op_err err = clients_get(txn, page->req, page->consents[i]->client_id, &page->clients[i]);
        if (err != OP_OK && err != OP_ABSENT && err != OP_DENIED)
            return err;
    }
    return OP_OK;
}

static enum op_err look(struct kv_txn *txn, void *arg)
{
    struct page *page = arg;
    page->now = kv_now(txn);
    enum op_err err = who_load(txn, page->req, browser_session(page->req), &page->who);
    if (err != OP_OK || page->who.user == NULL)
        return err;
    const char *user_id = page->who.user->user_id;
    err = sessions_list_of_user(txn, page->req, user_id, NULL, SESSIONS_MAX, &page->sessions, &page->session_count);
    if (err == OP_OK)
        err = consents_list_of_user(txn, page->req, user_id, NULL, CONSENTS_MAX, &page->consents, &page->consent_count);
    return err == OP_OK ? load_clients(txn, page) : err;
}

/* --- render --- */

static void set_time(json_t *object, const char *name, int64_t at)
{
    struct tm tm;
    char text[32];
    time_t seconds = (time_t)at;
    if (at > 0 && gmtime_r(&seconds, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm) > 0)
        json_set_string(object, name, text);
}

static void append(json_t *list, json_t *item)
{
    json_array_append_new(list, item);
}

static json_t *session_item(const struct page *page, const Rec__Session *session)
{
    const char *browser = NULL, *system = NULL;
    json_t *item = json_object();
    device_describe(session->user_agent, &browser, &system);
    json_set_string(item, "sid", session->sid);
    json_set_string(item, "browser", browser);
    json_set_string(item, "system", system);
    json_set_string(item, "address", session->address);
    json_set_bool(item, "this", strcmp(session->sid, page->who.session->sid) == 0);
    set_time(item, "signed_in", session->auth_time);
    set_time(item, "last_used", session->last_used);
    return item;
}

static json_t *session_list(const struct page *page)
{
    json_t *list = json_make_array(page->req);
    append(list, session_item(page, page->who.session)); /* one's own comes first */
    for (size_t i = 0; i < page->session_count; i++) {
        const Rec__Session *session = page->sessions[i];
        bool unreadable = session->needs > RECORDS_FORMAT; /* it can still be ended */
        if (strcmp(session->sid, page->who.session->sid) != 0 &&
            (unreadable || session_alive(session, page->who.user, page->now)))
            append(list, session_item(page, session));
    }
    return list;
}

static json_t *consent_item(const struct page *page, const Rec__Consent *consent, const Rec__Client *client)
{
    json_t *item = json_object();
    json_t *asked = json_make_array(page->req);
    json_set_string(item, "client_id", consent->client_id);
    view_set_client(item, client);
    for (size_t i = 0; i < consent->n_scopes; i++)
        view_append_asked(page->req, NULL, asked, "scope", consent->scopes[i]);
    for (size_t i = 0; i < consent->n_claims; i++)
        view_append_asked(page->req, NULL, asked, "claim", consent->claims[i]);
    json_set(item, "asked", asked);
    set_time(item, "granted", consent->granted_at);
    return item;
}

static json_t *consent_list(const struct page *page)
{
    json_t *list = json_make_array(page->req);
    for (size_t i = 0; i < page->consent_count; i++) {
        if (!page->consents[i]->withdrawn)
            append(list, consent_item(page, page->consents[i], page->clients[i]));
    }
    return list;
}

static void set_forms(const struct page *page, json_t *values)
{
    static const struct {
        const char *name;
        enum interaction_purpose purpose;
    } forms[] = {
        {"form_password", INTERACTION_PASSWORD},
        {"form_end_session", INTERACTION_END_SESSION},
        {"form_withdraw", INTERACTION_WITHDRAW},
        {"form_everywhere", INTERACTION_EVERYWHERE},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct interaction interaction = {
            .purpose = forms[i].purpose,
            .created_at = clock_now(),
            .sid = page->who.session->sid,
        };
        view_set_form(page->req, values, forms[i].name, &interaction);
    }
}

/* values.error, and which field of the password form it is about. */
static void set_error(const struct page *page, json_t *values)
{
    static const char *const about[][2] = {
        {"password.too_short", "new"}, {"password.too_long", "new"}, {"password.same", "new"},
        {"password.not_repeated", "repeat"},
    };
    const char *field = "current";
    if (page->error == NULL)
        return;
    for (size_t i = 0; i < sizeof about / sizeof *about; i++) {
        if (strcmp(page->error, about[i][0]) == 0)
            field = about[i][1];
    }
    json_set_string(values, "error", view_message(page->req, NULL, page->error, values));
    json_set_string(values, "error_field", field);
    json_set_bool(values, mem_printf(page->req, "error_%s", field), true);
}

static void show_sign_in(const struct page *page)
{
    struct interaction interaction = page->visit;
    interaction.purpose = INTERACTION_SIGN_IN;
    interaction.created_at = clock_now();
    sign_in_show(page->req, &interaction, NULL, page->notice);
}

static void has_looked(enum op_err result, void *arg)
{
    struct page *page = arg;
    if (result != OP_OK) {
        view_store_error(page->req, result);
        return;
    }
    if (page->who.user == NULL) {
        show_sign_in(page);
        return;
    }
    json_t *values = view_values(page->req);
    json_set_int(values, "wait", (page->wait + 59) / 60);
    view_set_user(values, page->who.user);
    set_forms(page, values);
    json_set(values, "sessions", session_list(page));
    json_set(values, "consents", consent_list(page));
    set_error(page, values);
    if (page->notice != NULL)
        json_set_string(values, "notice", view_message(page->req, NULL, page->notice, values));
    view_page(page->req, page->status, "account", NULL, values);
}

static struct page *page_new(struct http_request *req, int status)
{
    struct page *page = mem_new(req, struct page);
    page->req = req;
    page->status = status;
    return page;
}

void account_show(struct http_request *req, int status, const char *error, unsigned wait)
{
    struct page *page = page_new(req, status);
    page->error = error;
    page->wait = wait;
    kv_run(server_kv(), KV_READ_ONLY, look, has_looked, page);
}

/* What was just done, told after the redirect; only words of ours. */
static const char *notice_of(const struct form *form)
{
    static const char *const words[][2] = {
        {"password", "account.done_password"},     {"session", "account.done_session"},
        {"withdrawn", "account.done_withdrawn"},   {"everywhere", "account.done_everywhere"},
        {"changed", "notice.session_changed"},
    };
    const char *done = form_get(form, "done");
    for (size_t i = 0; done != NULL && i < sizeof words / sizeof *words; i++) {
        if (strcmp(done, words[i][0]) == 0)
            return words[i][1];
    }
    return NULL;
}

void account_handle(struct http_request *req)
{
    struct page *page = page_new(req, 200);
    struct form form;
    if (form_parse(req, req->query, PAIRS_MAX, &form) == OP_OK) {
        page->notice = notice_of(&form);
        (void)view_open_continuation(req, &form, &page->visit);
    }
    page->visit.request = NULL; /* from here the way leads to the account page alone */
    kv_run(server_kv(), KV_READ_ONLY, look, has_looked, page);
}
