#pragma once
/* The two cookies: one of the session, one that binds forms to the browser they were shown to. Both are
 * HttpOnly and SameSite=Lax; their names have the prefix __Host- and they are Secure, except where the
 * issuer is http (which settings allow on loopback only). */
#include "runtime/http.h"

/* Called once at start. OP_INVALID: an http issuer that is not on loopback. */
must_check enum op_err browser_setup(const void *ctx, const char *issuer);

/* The session's secret as the browser sent it; NULL when none, or none of our form. */
const char *browser_session(struct http_request *req);
void browser_set_session(struct http_request *req, const char *secret);
void browser_clear_session(struct http_request *req);

/* The browser's own value; NULL when it sent none. */
const char *browser_id(struct http_request *req);
/* The same, made and set with the reply when there was none. */
const char *browser_id_or_new(struct http_request *req);
