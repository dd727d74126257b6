#pragma once
/* Signing out: GET and POST /logout (OpenID Connect RP-Initiated Logout 1.0), and the page that asks. */
#include "runtime/http.h"

void logout_handle(struct http_request *req);
