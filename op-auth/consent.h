#pragma once
/* Asking a person whether a client may (OpenID Connect Core §3.1.2.4). Functions that answer free req. */
#include "authorization.h"

/* What the request asks for, in the person's words. Owned by the request. */
json_t *consent_list(const struct authorization *a);
void consent_show(const struct authorization *a, const struct interaction *interaction, const char *notice);
/* POST /consent. */
void consent_handle(struct http_request *req);
