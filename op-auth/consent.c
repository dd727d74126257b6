#include "consent.h"

#include <string.h>

#include "browser.h"
#include "view.h"

json_t *consent_list(const struct authorization *a)
{
    json_t *list = json_make_array(a->req);
    for (size_t i = 0; i < a->request.scopes.count; i++)
        view_append_asked(a->req, a->request.ui_locales, list, "scope", a->request.scopes.items[i]);
    struct scope_list id_token = claims_request_names(a->req, a->request.claims_request, CLAIMS_ID_TOKEN);
    struct scope_list userinfo = claims_request_names(a->req, a->request.claims_request, CLAIMS_USERINFO);
    for (size_t i = 0; i < id_token.count; i++)
        view_append_asked(a->req, a->request.ui_locales, list, "claim", id_token.items[i]);
    for (size_t i = 0; i < userinfo.count; i++) {
        if (!scope_has(&id_token, userinfo.items[i]))
            view_append_asked(a->req, a->request.ui_locales, list, "claim", userinfo.items[i]);
    }
    return list;
}

void consent_show(const struct authorization *a, const struct interaction *interaction, const char *notice)
{
    json_t *values = view_values(a->req);
    view_set_client(values, a->client);
    view_set_user(values, a->user);
    view_set_form(a->req, values, "form", interaction);
    json_set(values, "asked", consent_list(a));
    if (notice != NULL)
        json_set_string(values, "notice", view_message(a->req, a->request.ui_locales, notice, values));
    view_page(a->req, 200, "consent", a->request.ui_locales, values);
}

void consent_handle(struct http_request *req)
{
    struct form form;
    struct interaction interaction;
    if (!view_read_form(req, &form) || !view_open_form(req, &form, INTERACTION_CONSENT, &interaction))
        return;
    const char *decision = form_get(&form, "decision");
    bool allow = decision != NULL && strcmp(decision, "allow") == 0;
    if (!allow && (decision == NULL || strcmp(decision, "deny") != 0)) {
        view_problem(req, &(struct view_problem){
            .status = 400, .key = "problem.form", .path = "/authorize", .request = interaction.request});
        return;
    }
    struct authorization *a = authorization_resume(req, &interaction, browser_session(req));
    a->answer = allow ? CONSENT_ALLOWED : CONSENT_DENIED;
    authorization_run(a);
}
