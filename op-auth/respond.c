#include "respond.h"

#include "auth.h"
#include "runtime/settings.h"
#include "view.h"

static void post_form(struct http_request *req, const struct authorize_request *request, const struct form *fields)
{
    json_t *values = view_values(req);
    json_t *list = json_array();
    for (size_t i = 0; i < fields->count; i++) {
        json_t *field = json_object();
        json_set_string(field, "name", fields->pairs[i].name);
        json_set_string(field, "value", fields->pairs[i].value);
        json_array_append_new(list, field);
    }
    json_set(values, "fields", list);
    json_decref(list);
    json_set_string(values, "action", request->redirect_uri);
    page_reply_with_script(req, auth.site.pages, 200, "form_post",
                           page_language(auth.site.pages, request->ui_locales, http_field(req, "accept-language")), values);
}

void respond(struct http_request *req, const struct authorize_request *request, const char *code,
             const struct oauth_error *error)
{
    if (error != NULL)
        req->error = oauth_error_name(error->code);
    if (request->mode != RESPONSE_FORM_POST) {
        view_redirect(req, authorize_response_url(req, request, settings.issuer, code, error));
        return;
    }
    struct form fields = authorize_response_fields(req, request, settings.issuer, code, error);
    post_form(req, request, &fields);
}
