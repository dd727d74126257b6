#include "device.h"

#include <string.h>

#include "base/log.h"
#include "data/form.h"
#include "protocol/device.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/server.h"
#include "runtime/settings.h"
#include "runtime/trouble.h"
#include "runtime/user_code.h"

enum { PAIRS_MAX = 16, RETRY_SECONDS = 2 };

struct device_settings device_settings;
struct device_process device_process;

enum op_err device_start(const void *ctx, const char **ret_why)
{
    enum op_err err = site_load(ctx, &device_process.site, ret_why);
    return err != OP_OK ? err : scope_catalogue_make(ctx, settings.custom_scopes.items, settings.custom_scopes.count,
                                                     &device_process.catalogue, ret_why);
}

/* --- problems --- */

struct problem {
    int status;
    const char *key;         /* messages KEY.title and KEY.text */
    const char *href, *link; /* the way on, and the key of its text; NULL none */
};

static void show_problem(struct http_request *req, const struct problem *problem)
{
    const struct site *site = &device_process.site;
    json_t *values = site_values(req, site);
    const char *title = mem_printf(req, "%s.title", problem->key), *text = mem_printf(req, "%s.text", problem->key);
    json_set_string(values, "title", site_message(req, site, NULL, title, values));
    json_set_string(values, "text", site_message(req, site, NULL, text, values));
    if (problem->href != NULL) {
        json_set_string(values, "href", mem_printf(req, "%s%s", site->base, problem->href));
        json_set_string(values, "label", site_message(req, site, NULL, problem->link, values));
    }
    if (problem->status < 500)
        log_event(LOG_LEVEL_INFO, "problem_page", req->request_id, req->trace, "page", problem->key, NULL);
    site_page(req, site, problem->status, "problem", NULL, values);
}

void device_not_found(struct http_request *req, int status)
{
    const char *key = status == 404 ? "problem.not_found" : "problem.method";
    show_problem(req, &(struct problem){status, key, "/", "link.front"});
}

static void show_store_error(struct http_request *req, enum op_err err)
{
    bool later = trouble_of_store(req, err);
    if (later)
        http_set_fieldf(req, "Retry-After", "%d", RETRY_SECONDS);
    show_problem(req, &(struct problem){later ? 503 : 500, later ? "problem.busy" : "problem.broken", NULL, NULL});
}

/* --- the page --- */

struct page {
    int status;
    const char *error;     /* key of a message, or NULL */
    const char *user_code; /* what the field holds, or NULL */
    unsigned wait;         /* seconds, for the error */
};

static void show(struct http_request *req, const struct page *page)
{
    const struct site *site = &device_process.site;
    char code[DEVICE_USER_CODE_LEN + 1];
    json_t *values = site_values(req, site);
    bool good = page->user_code != NULL && device_user_code_read(page->user_code, code);
    json_set_string(values, "user_code", good ? device_user_code_text(req, code) : page->user_code);
    json_set_bool(values, "confirm", good && page->error == NULL);
    json_set_int(values, "wait", (page->wait + 59) / 60);
    if (page->error != NULL)
        json_set_string(values, "error", site_message(req, site, NULL, page->error, values));
    site_page(req, site, page->status, "device", NULL, values);
}

/* What was wrong with the last try, told after the redirect; only words of ours. */
static const char *const ERRORS[][2] = {
    {"missing", "device.missing"},
    {"malformed", "device.malformed"},
    {"wrong", "device.wrong"},
};

static const char *error_of(const char *word)
{
    for (size_t i = 0; word != NULL && i < sizeof ERRORS / sizeof *ERRORS; i++)
        if (strcmp(word, ERRORS[i][0]) == 0)
            return ERRORS[i][1];
    return NULL;
}

/* verification_uri_complete fills the field in, and no more: the person compares, and goes on (§3.3.1, §5.4). */
static void show_form(struct http_request *req)
{
    struct form form;
    if (form_parse(req, req->query, PAIRS_MAX, &form) != OP_OK)
        form = (struct form){0};
    const char *user_code = form_get(&form, "user_code");
    bool fits = user_code != NULL && strlen(user_code) <= DEVICE_USER_CODE_TYPED_MAX;
    show(req, &(struct page){
        .status = 200,
        .error = error_of(form_get(&form, "error")),
        .user_code = fits ? user_code : NULL,
    });
}

/* --- the code that was typed --- */

struct typed {
    struct http_request *req;
    const char *text;
    char code[DEVICE_USER_CODE_LEN + 1];
    unsigned wait;
    Rec__DeviceRequest *found;
};

static enum op_err find(struct kv_txn *txn, void *arg)
{
    struct typed *typed = arg;
    return user_code_find(txn, typed->req, typed->code, &typed->wait, &typed->found);
}

/* By a redirect, so that reload and Back find a page and no form that was sent. */
static void let_try_again(struct http_request *req, const char *error, const char *text)
{
    struct buf query = buf_make(req);
    form_add(&query, "error", error);
    if (*text != '\0' && strlen(text) <= DEVICE_USER_CODE_TYPED_MAX)
        form_add(&query, "user_code", text);
    site_redirect(req, &device_process.site, mem_printf(req, "/device?%s", buf_string(&query)));
}

static void has_found(enum op_err result, void *arg)
{
    const struct typed *typed = arg;
    struct http_request *req = typed->req;
    if (result != OP_OK) {
        show_store_error(req, result);
    } else if (typed->wait > 0) {
        metrics_count("partita_user_codes_throttled_total", 1);
        audit_write(AUDIT_USER_CODES_THROTTLED, req, &(struct audit_facts){0});
        http_set_fieldf(req, "Retry-After", "%u", typed->wait);
        show(req, &(struct page){.status = 429, .error = "device.throttled", .user_code = typed->text,
                                 .wait = typed->wait});
    } else if (typed->found == NULL) {
        metrics_count("partita_user_codes_wrong_total", 1);
        let_try_again(req, "wrong", typed->text);
    } else {
        const char *code = device_user_code_text(req, typed->code);
        site_redirect(req, &device_process.site, mem_printf(req, "/device/approve?user_code=%s", code));
    }
}

static void read_code(struct http_request *req)
{
    struct form form;
    if (!http_content_type_is(req, "application/x-www-form-urlencoded") ||
        form_parse(req, req->body, PAIRS_MAX, &form) != OP_OK) {
        show_problem(req, &(struct problem){400, "problem.form", "/device", "link.device"});
        return;
    }
    struct typed *typed = mem_new(req, struct typed);
    typed->req = req;
    typed->text = form_get(&form, "user_code");
    if (typed->text == NULL || *typed->text == '\0')
        let_try_again(req, "missing", "");
    else if (!device_user_code_read(typed->text, typed->code))
        let_try_again(req, "malformed", typed->text);
    else
        kv_run(server_kv(), KV_GUARD, find, has_found, typed);
}

void device_handle(struct http_request *req)
{
    if (req->method == HTTP_POST)
        read_code(req);
    else
        show_form(req);
}
