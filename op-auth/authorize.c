#include "authorize.h"

#include "auth.h"
#include "authorization.h"
#include "base/clock.h"
#include "browser.h"
#include "view.h"

enum { PAIRS_MAX = 64, CONTINUE_SECONDS = 120 };

/* A redirect of ours: the request as it was, and what the visit has done, for two minutes and in the same
 * browser; later the request alone counts, as if it came anew. */
static bool go_on(struct http_request *req, const char *sealed)
{
    struct interaction_opened opened;
    if (interaction_open(req, auth.form_key, sealed, &opened) != OP_OK ||
        opened.interaction.purpose != INTERACTION_CONTINUE)
        return false;
    enum interaction_verdict verdict =
        interaction_judge(&opened, INTERACTION_CONTINUE, browser_id(req), clock_now(), CONTINUE_SECONDS);
    struct form form = view_request_of(req, &opened.interaction);
    struct authorization *a = authorization_new(req, &form, browser_session(req));
    if (verdict == INTERACTION_FINE)
        a->visit = opened.interaction;
    authorization_run(a);
    return true;
}

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
    const char *sealed = form_get(&form, "interaction");
    if (sealed != NULL && go_on(req, sealed))
        return;
    struct authorization *a = authorization_new(req, &form, browser_session(req));
    a->may_lack_cookies = is_post && !view_is_reentered(req, &form);
    authorization_run(a);
}
