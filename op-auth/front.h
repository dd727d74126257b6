#pragma once
/* The pages that are nobody's in particular. Each handler answers and frees req. */
#include "runtime/http.h"

void front_handle(struct http_request *req);       /* GET / */
void front_handle_asset(struct http_request *req); /* GET /assets/NAME */
/* GET of a path that is only posted to: on to the account page. */
void front_to_account(struct http_request *req);
