#include "runtime/reply.h"

#include "base/log.h"
#include "runtime/route.h"
#include "runtime/trouble.h"

static void send_json(struct http_request *req, int status, const json_t *value)
{
    http_set_field(req, "Cache-Control", "no-store");
    http_set_field(req, "Pragma", "no-cache");
    http_set_field(req, "X-Content-Type-Options", "nosniff");
    http_reply(req, status, "application/json", bytes_of(json_text(req, value)));
}

static void log_refusal(const struct http_request *req, const char *event, const char *error, const char *description)
{
    log_event(LOG_LEVEL_WARNING, event, req->request_id, req->trace, "path", route_label(req), "error", error,
              "description", description, "address", req->client_address, NULL);
}

/* Its errors say which request it was; OAuth's have their own members (RFC 6749 §5.2). */
static bool is_of_administration(const struct http_request *req)
{
    const struct route *route = req->route;
    return route != NULL && route->caller == CALLER_ADMINISTRATOR;
}

static void send_error(struct http_request *req, int status, const char *error, const char *description)
{
    req->error = error;
    json_t *body = json_make_object(req);
    json_set_string(body, "error", error);
    json_set_string(body, "error_description", description);
    if (is_of_administration(req))
        json_set_string(body, "request_id", req->request_id);
    send_json(req, status, body);
}

void reply_json(struct http_request *req, int status, const json_t *value)
{
    send_json(req, status, value);
}

void reply_oauth_error(struct http_request *req, const struct oauth_error *error, bool used_basic)
{
    const char *name = oauth_error_name(error->code);
    int status = oauth_error_status(error->code);
    log_refusal(req, "request_refused", name, error->description);
    if (status == 401 && used_basic)
        http_set_field(req, "WWW-Authenticate", "Basic realm=\"partita\"");
    if (status == 503)
        http_set_field(req, "Retry-After", "1");
    send_error(req, status, name, error->description);
}

void reply_bearer_error(struct http_request *req, const struct oauth_error *error)
{
    if (error == NULL) {
        http_set_field(req, "WWW-Authenticate", "Bearer realm=\"partita\"");
        if (is_of_administration(req)) {
            send_error(req, 401, "no_token", "an access token is needed");
            return;
        }
        http_set_field(req, "Cache-Control", "no-store");
        req->error = "no_token";
        http_reply(req, 401, NULL, bytes_of(NULL));
        return;
    }
    reply_bearer_scope_error(req, error, NULL);
}

void reply_bearer_scope_error(struct http_request *req, const struct oauth_error *error, const char *scope)
{
    const char *name = oauth_error_name(error->code);
    struct buf challenge = buf_make(req);
    buf_printf(&challenge, "Bearer realm=\"partita\", error=\"%s\"", name);
    if (error->description != NULL)
        buf_printf(&challenge, ", error_description=\"%s\"", error->description);
    if (scope != NULL && error->code == OAUTH_INSUFFICIENT_SCOPE)
        buf_printf(&challenge, ", scope=\"%s\"", scope);
    log_refusal(req, "request_refused", name, error->description);
    http_set_field(req, "WWW-Authenticate", buf_string(&challenge));
    send_error(req, oauth_error_status(error->code), name, error->description);
}

void reply_later(struct http_request *req, unsigned seconds, const char *description)
{
    const char *name = oauth_error_name(OAUTH_TEMPORARILY_UNAVAILABLE);
    log_refusal(req, "request_put_off", name, description);
    http_set_fieldf(req, "Retry-After", "%u", seconds);
    send_error(req, 503, name, description);
}

void reply_store_error(struct http_request *req, enum op_err err)
{
    const char *description = "The server cannot answer this request";
    bool passing = trouble_of_store(req, err);
    if (passing) {
        bool denied = err == OP_DENIED;
        http_set_fieldf(req, "Retry-After", "%d", denied ? TROUBLE_DENIED_RETRY_SECONDS : 1);
        description = denied ? "Try again later" : "Try again in a moment";
    }
    send_error(req, passing ? 503 : 500, req->error, description);
}

void reply_too_many(struct http_request *req, unsigned retry_after_seconds, const char *description)
{
    http_set_fieldf(req, "Retry-After", "%u", retry_after_seconds);
    send_error(req, 429, oauth_error_name(OAUTH_TEMPORARILY_UNAVAILABLE), description);
}
