#pragma once
/* The answer to a client, by way of the browser. */
#include "protocol/authorize_request.h"
#include "runtime/http.h"

/* Sends code or error (the other NULL) to the request's redirect URI, which matched exactly, in its response
 * mode: a redirect, or for form_post a page that posts itself (OAuth 2.0 Form Post Response Mode §2). Frees req. */
void respond(struct http_request *req, const struct authorize_request *request, const char *code,
             const struct oauth_error *error);
