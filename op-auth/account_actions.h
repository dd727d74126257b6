#pragma once
/* What the forms of the account page do. Each handler answers, by a redirect back to the page, and frees req. */
#include "runtime/http.h"

void account_change_password(struct http_request *req); /* POST /account/password */
void account_end_session(struct http_request *req);     /* POST /account/end-session */
void account_withdraw(struct http_request *req);        /* POST /account/withdraw */
void account_everywhere(struct http_request *req);      /* POST /account/sign-out-everywhere */
