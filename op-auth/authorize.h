#pragma once
/* GET and POST /authorize (RFC 6749 §3.1, OpenID Connect Core §3.1.2.1). */
#include "runtime/http.h"

void authorize_handle(struct http_request *req);
