#pragma once
/* What the pages of op-auth have in common. Functions that answer free req. */
#include "data/form.h"
#include "data/json.h"
#include "data/records.h"
#include "interaction.h"
#include "protocol/oauth_error.h"
#include "runtime/http.h"

enum { VIEW_URL_MAX = 6000 }; /* a longer URL may not pass every balancer: forms are used instead */

/* A new object with what every page shows: site, request_id. Owned by req. */
json_t *view_values(struct http_request *req);
/* Answers with a page in the person's language. ui_locales may be NULL. */
void view_page(struct http_request *req, int status, const char *template, const char *ui_locales,
               const json_t *values);
/* One message in the person's language, owned by req; "" when there is none. */
char *view_message(struct http_request *req, const char *ui_locales, const char *key, const json_t *values);
/* Appends what a scope or claim (kind) lets a client do: the catalogue's text, else its name. */
void view_append_asked(struct http_request *req, const char *ui_locales, json_t *list, const char *kind,
                       const char *name);
/* values.client: name and links of a client. */
void view_set_client(json_t *values, const Rec__Client *client);
/* values.user: username, and name where the account has one. */
void view_set_user(json_t *values, const Rec__User *user);
/* values.NAME: an interaction sealed for this browser, which gets its cookie. */
void view_set_form(struct http_request *req, json_t *values, const char *name, const struct interaction *interaction);

/* 303, not stored, no referrer. A url that starts with '/' is a path of ours, below the issuer. */
void view_redirect(struct http_request *req, const char *url);

/* A page that says what happened, offers the way on, and names the request. */
struct view_problem {
    int status;
    const char *key;                 /* messages KEY.title and KEY.text */
    const char *ui_locales;
    const struct oauth_error *error; /* for developers; NULL none */
    const char *path, *request;      /* the way on: begin again at path with these parameters, form-encoded */
    const char *href, *label;        /* or a link below the issuer, with the key of its text */
    unsigned retry_after;            /* seconds, 0 none */
};
/* Logs one line, of those below 500: what is more was told by trouble_of_store. */
void view_problem(struct http_request *req, const struct view_problem *problem);
/* OP_BUSY and OP_FULL: 503 with Retry-After; the rest 500. Logs as trouble_of_store does. */
void view_store_error(struct http_request *req, enum op_err err);
/* The threads for passwords are full: Retry-After, and one log line when that begins. The page, with
 * status 503, is the caller's. */
void view_passwords_busy(struct http_request *req);
/* The page for what is not there (404) or not to be called this way (405). */
void view_not_found(struct http_request *req, int status);

/* --- forms --- */

/* The body of a POST as a form. False: answered with an error page. */
bool view_read_form(struct http_request *req, struct form *ret);
/* The interaction that a form carries, judged for its purpose. False: answered with a page that says what
 * is wrong with it and offers the way on. */
bool view_open_form(struct http_request *req, const struct form *form, enum interaction_purpose purpose,
                    struct interaction *ret);
/* What a redirect of ours brings back in the parameter `interaction`: for two minutes and in the same browser
 * all of it, later only the request, as if it came anew. False: it is none of ours. */
bool view_open_continuation(struct http_request *req, const struct form *form, struct interaction *ret);
/* The parameters of an interaction's request, as they count (those that were pushed, where they were) and as the
 * browser brought them; none when there are none or they cannot be read. Owned by req. */
struct form view_request_of(struct http_request *req, const struct interaction *interaction);
struct form view_sent_by(struct http_request *req, const struct interaction *interaction);

/* A POST from another site comes without our SameSite=Lax cookies: it is sent back to path once more, as a
 * GET, or where that would be too long as a form of our own. */
void view_reenter(struct http_request *req, const char *path, const struct form *form);
/* True for a POST that has been through view_reenter, or needs not. */
bool view_is_reentered(struct http_request *req, const struct form *form);
/* The parameters as text, ours left out. Owned by ctx. */
char *view_encode(const void *ctx, const struct form *form);
