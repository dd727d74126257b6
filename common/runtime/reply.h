#pragma once
/* The replies that OAuth endpoints share. All free req (see http_reply). */
#include "data/json.h"
#include "protocol/oauth_error.h"
#include "runtime/http.h"

/* JSON with Cache-Control: no-store (and Pragma: no-cache, RFC 6749 §5.1). */
void reply_json(struct http_request *req, int status, const json_t *value);
/* RFC 6749 §5.2: status from the error (invalid_client is 401 with WWW-Authenticate: Basic when
 * the client used the Authorization header, which used_basic says). Logs one line. */
void reply_oauth_error(struct http_request *req, const struct oauth_error *error, bool used_basic);
/* RFC 6750 §3: 401 (invalid_token or no token) or 403, WWW-Authenticate: Bearer. error may be NULL:
 * no authentication information was sent, and the challenge says nothing more (§3.1). For /admin/v1 there is a body even
 * then, and all bodies name the request. */
void reply_bearer_error(struct http_request *req, const struct oauth_error *error);
/* The same for a caller that has to come back with this scope (RFC 6750 §3.1), when it is insufficient_scope. */
void reply_bearer_scope_error(struct http_request *req, const struct oauth_error *error, const char *scope);
/* 503 temporarily_unavailable with Retry-After. */
void reply_later(struct http_request *req, unsigned seconds, const char *description);
/* For OP_BUSY, OP_FULL, OP_BROKEN of the store: 503 with Retry-After (500 for OP_BROKEN), JSON body
 * {error: temporarily_unavailable | server_error}. Logs as trouble_of_store does. */
void reply_store_error(struct http_request *req, enum op_err err);
/* 429 with Retry-After: too many of what description says. The caller logs. */
void reply_too_many(struct http_request *req, unsigned retry_after_seconds, const char *description);
