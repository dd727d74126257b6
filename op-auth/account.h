#pragma once
/* The account page: password, sessions, consents. Functions that answer free req. */
#include "runtime/http.h"

void account_handle(struct http_request *req); /* GET /account */

/* The page, or the sign-in page when nobody is signed in. error is the key of what is wrong with the
 * password form, or NULL; wait in seconds, for its message. */
void account_show(struct http_request *req, int status, const char *error, unsigned wait);
