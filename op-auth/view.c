#include "view.h"

#include <string.h>

#include "auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "browser.h"
#include "protocol/claims.h"
#include "runtime/settings.h"
#include "runtime/trouble.h"

enum { PAIRS_MAX = 64, PASSWORDS_RETRY_SECONDS = 5, RETRY_SECONDS = 2, CONTINUE_SECONDS = 120 };

static const char REENTERED[] = "partita_reentered";

json_t *view_values(struct http_request *req)
{
    return site_values(req, &auth.site);
}

void view_page(struct http_request *req, int status, const char *template, const char *ui_locales, const json_t *values)
{
    site_page(req, &auth.site, status, template, ui_locales, values);
}

char *view_message(struct http_request *req, const char *ui_locales, const char *key, const json_t *values)
{
    return site_message(req, &auth.site, ui_locales, key, values);
}

void view_append_asked(struct http_request *req, const char *ui_locales, json_t *list, const char *kind,
                       const char *name)
{
    const char *text = view_message(req, ui_locales, mem_printf(req, "%s.%s", kind, name), NULL);
    json_append_string(list, *text != '\0' ? text : name);
}

/* Only links that a browser opens as a page. */
static void set_link(json_t *object, const char *name, const char *uri)
{
    if (uri != NULL && (strncmp(uri, "https://", 8) == 0 || strncmp(uri, "http://", 7) == 0))
        json_set_string(object, name, uri);
}

void view_set_client(json_t *values, const Rec__Client *client)
{
    if (client == NULL)
        return;
    json_t *object = json_object();
    bool named = client->client_name != NULL && *client->client_name != '\0';
    json_set_string(object, "name", named ? client->client_name : client->client_id);
    set_link(object, "uri", client->client_uri);
    set_link(object, "policy_uri", client->policy_uri);
    set_link(object, "tos_uri", client->tos_uri);
    json_set_bool(object, "links", json_object_size(object) > 1);
    json_set(values, "client", object);
    json_decref(object);
}

void view_set_user(json_t *values, const Rec__User *user)
{
    if (user == NULL)
        return;
    void *scratch = mem_root("user");
    json_t *object = json_make_object(scratch);
    json_set_string(object, "username", user->username);
    json_set_string(object, "name", json_string_value(claims_value(scratch, user, "name")));
    json_set(values, "user", object);
    talloc_free(scratch);
}

void view_set_form(struct http_request *req, json_t *values, const char *name, const struct interaction *interaction)
{
    json_set_string(values, name, interaction_seal(req, auth.form_key, browser_id_or_new(req), interaction));
}

void view_redirect(struct http_request *req, const char *url)
{
    site_redirect(req, &auth.site, url);
}

/* --- problems --- */

static void add_fields(json_t *object, const struct form *form, bool reentered)
{
    json_t *fields = json_array();
    for (size_t i = 0; i <= form->count; i++) {
        bool ours = i == form->count;
        if (ours && !reentered)
            break;
        json_t *field = json_object();
        json_set_string(field, "name", ours ? REENTERED : form->pairs[i].name);
        json_set_string(field, "value", ours ? "1" : form->pairs[i].value);
        json_array_append_new(fields, field);
    }
    json_set(object, "fields", fields);
    json_decref(fields);
}

/* values.resume: a form that begins again. Posted without the mark it ends as a GET, which Back and reload like. */
static void set_resume(struct http_request *req, json_t *values, const char *path, const char *request)
{
    struct form form;
    if (path == NULL || request == NULL || form_parse(req, bytes_of(request), PAIRS_MAX, &form) != OP_OK)
        return;
    json_t *resume = json_object();
    json_set_string(resume, "action", mem_printf(req, "%s%s", auth.site.base, path));
    add_fields(resume, &form, strlen(request) > VIEW_URL_MAX);
    json_set(values, "resume", resume);
    json_decref(resume);
}

static const char *problem_message(struct http_request *req, const struct view_problem *problem, const char *part,
                                   const json_t *values)
{
    return view_message(req, problem->ui_locales, mem_printf(req, "%s.%s", problem->key, part), values);
}

void view_problem(struct http_request *req, const struct view_problem *problem)
{
    json_t *values = view_values(req);
    const char *error = problem->error == NULL ? NULL : oauth_error_name(problem->error->code);
    json_set_string(values, "title", problem_message(req, problem, "title", values));
    json_set_string(values, "text", problem_message(req, problem, "text", values));
    json_set_string(values, "error", error);
    if (error != NULL) {
        req->error = error;
        json_set_string(values, "error_description", problem->error->description);
    }
    set_resume(req, values, problem->path, problem->request);
    if (problem->href != NULL) {
        json_set_string(values, "href", mem_printf(req, "%s%s", auth.site.base, problem->href));
        json_set_string(values, "label", view_message(req, problem->ui_locales, problem->label, values));
    }
    if (problem->retry_after > 0)
        http_set_fieldf(req, "Retry-After", "%u", problem->retry_after);
    if (problem->status < 500)
        log_event(LOG_LEVEL_INFO, "problem_page", req->request_id, req->trace, "page", problem->key, "error", error,
                  NULL);
    view_page(req, problem->status, "problem", problem->ui_locales, values);
}

void view_store_error(struct http_request *req, enum op_err err)
{
    bool later = trouble_of_store(req, err);
    view_problem(req, &(struct view_problem){
        .status = later ? 503 : 500,
        .key = err == OP_DENIED ? "problem.later" : later ? "problem.busy" : "problem.broken",
        .retry_after = err == OP_DENIED ? TROUBLE_DENIED_RETRY_SECONDS : later ? RETRY_SECONDS : 0,
    });
}

void view_passwords_busy(struct http_request *req)
{
    static struct trouble full;
    log_event(trouble_begins(&full, clock_monotonic_us()) ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "password_queue_full",
              req->request_id, req->trace, NULL);
    req->error = "temporarily_unavailable";
    http_set_fieldf(req, "Retry-After", "%d", PASSWORDS_RETRY_SECONDS);
}

void view_not_found(struct http_request *req, int status)
{
    view_problem(req, &(struct view_problem){
        .status = status,
        .key = status == 404 ? "problem.not_found" : "problem.method",
        .href = "/",
        .label = "link.front",
    });
}

/* --- forms --- */

bool view_read_form(struct http_request *req, struct form *ret)
{
    if (http_content_type_is(req, "application/x-www-form-urlencoded") &&
        form_parse(req, req->body, PAIRS_MAX, ret) == OP_OK)
        return true;
    view_problem(req, &(struct view_problem){.status = 400, .key = "problem.form", .href = "/", .label = "link.front"});
    return false;
}

static struct form parameters_of(struct http_request *req, const char *text)
{
    struct form form = {0};
    if (text == NULL || form_parse(req, bytes_of(text), PAIRS_MAX, &form) != OP_OK)
        form = (struct form){0};
    return form;
}

struct form view_request_of(struct http_request *req, const struct interaction *interaction)
{
    return parameters_of(req, interaction->pushed != NULL ? interaction->pushed : interaction->request);
}

struct form view_sent_by(struct http_request *req, const struct interaction *interaction)
{
    return parameters_of(req, interaction->request);
}

/* Its visit took too long: the request has to be pushed again, and /authorize says so. */
static void forget_pushed(struct interaction *interaction)
{
    if (interaction->pushed != NULL && clock_now() >= interaction->pushed_until)
        interaction->pushed = NULL;
}

static void refuse_form(struct http_request *req, const struct interaction *interaction, const char *key, int status)
{
    bool logout = interaction != NULL && interaction->purpose == INTERACTION_LOGOUT;
    bool request = interaction != NULL && interaction->request != NULL;
    struct form form = {0};
    if (request)
        form = view_request_of(req, interaction);
    view_problem(req, &(struct view_problem){
        .status = status,
        .key = key,
        .ui_locales = form_get(&form, "ui_locales"),
        .path = logout ? "/logout" : request && interaction->device ? "/device" : "/authorize",
        .request = request ? interaction->request : NULL,
        .href = request ? NULL : interaction != NULL ? "/account" : "/",
        .label = interaction != NULL ? "link.account" : "link.front",
    });
}

bool view_open_form(struct http_request *req, const struct form *form, enum interaction_purpose purpose,
                    struct interaction *ret)
{
    struct interaction_opened opened;
    const char *sealed = form_get(form, "interaction");
    if (sealed == NULL || interaction_open(req, auth.form_key, sealed, &opened) != OP_OK) {
        refuse_form(req, NULL, "problem.form", 400);
        return false;
    }
    struct interaction *interaction = &opened.interaction;
    forget_pushed(interaction);
    switch (interaction_judge(&opened, purpose, browser_id(req), clock_now(), auth.settings.form_lifetime)) {
    case INTERACTION_FINE:
        *ret = *interaction;
        return true;
    case INTERACTION_OTHER_PURPOSE:
        refuse_form(req, NULL, "problem.form", 400);
        return false;
    case INTERACTION_NO_COOKIE:
        refuse_form(req, interaction, "problem.no_cookies", 400);
        return false;
    case INTERACTION_OTHER_BROWSER:
        refuse_form(req, interaction, "problem.other_browser", 400);
        return false;
    case INTERACTION_TOO_OLD:
        refuse_form(req, interaction, "problem.expired", 400);
        return false;
    }
    return false;
}

bool view_open_continuation(struct http_request *req, const struct form *form, struct interaction *ret)
{
    struct interaction_opened opened;
    const char *sealed = form_get(form, "interaction");
    if (sealed == NULL || interaction_open(req, auth.form_key, sealed, &opened) != OP_OK ||
        opened.interaction.purpose != INTERACTION_CONTINUE)
        return false;
    enum interaction_verdict verdict =
        interaction_judge(&opened, INTERACTION_CONTINUE, browser_id(req), clock_now(), CONTINUE_SECONDS);
    forget_pushed(&opened.interaction);
    *ret = opened.interaction;
    if (verdict != INTERACTION_FINE)
        *ret = (struct interaction){.request = ret->request, .pushed = ret->pushed, .pushed_until = ret->pushed_until};
    if (verdict != INTERACTION_FINE && verdict != INTERACTION_TOO_OLD)
        ret->pushed = NULL;
    return true;
}

char *view_encode(const void *ctx, const struct form *form)
{
    struct buf out = buf_make(ctx);
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->pairs[i].name, REENTERED) != 0 && strcmp(form->pairs[i].name, "interaction") != 0)
            form_add(&out, form->pairs[i].name, form->pairs[i].value);
    }
    return buf_string(&out);
}

bool view_is_reentered(struct http_request *req, const struct form *form)
{
    const char *site = http_field(req, "sec-fetch-site");
    return form_get(form, REENTERED) != NULL && (site == NULL || strcmp(site, "cross-site") != 0);
}

void view_reenter(struct http_request *req, const char *path, const struct form *form)
{
    const char *request = view_encode(req, form);
    if (strlen(request) <= VIEW_URL_MAX) {
        view_redirect(req, *request == '\0' ? path : mem_printf(req, "%s?%s", path, request));
        return;
    }
    json_t *values = view_values(req);
    set_resume(req, values, path, request);
    view_page(req, 200, "reenter", form_get(form, "ui_locales"), values);
}
