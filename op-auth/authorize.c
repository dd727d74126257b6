#include "authorize.h"

#include "authorization.h"
#include "browser.h"
#include "view.h"

enum { PAIRS_MAX = 64 };

static void refuse(struct http_request *req, const char *description)
{
    struct oauth_error error = {OAUTH_INVALID_REQUEST, description};
    view_problem(req, &(struct view_problem){.status = 400, .key = "problem.request", .error = &error});
}

void authorize_handle(struct http_request *req)
{
    bool is_post = req->method == HTTP_POST;
    struct form form;
    if (is_post && !http_content_type_is(req, "application/x-www-form-urlencoded")) {
        refuse(req, "the body is not application/x-www-form-urlencoded");
        return;
    }
    if (form_parse(req, is_post ? req->body : req->query, PAIRS_MAX, &form) != OP_OK) {
        refuse(req, "the parameters are not well-formed, or too many");
        return;
    }
    struct interaction visit = {0};
    bool goes_on = view_open_continuation(req, &form, &visit);
    bool may_lack_cookies = is_post && !goes_on && !view_is_reentered(req, &form);
    const char *cookie = browser_session(req);
    struct authorization *a = goes_on ? authorization_resume(req, &visit, cookie) : authorization_new(req, &form, cookie);
    a->may_lack_cookies = may_lack_cookies;
    authorization_run(a);
}
