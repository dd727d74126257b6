#include "runtime/route.h"

#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "data/form.h"
#include "runtime/reply.h"
#include "store/clients.h"

enum { ORIGIN_MAX = 300 };

static bool path_matches(const char *pattern, const char *path)
{
    while (*pattern != '\0') {
        if (strcmp(pattern, "*") == 0)
            return *path != '\0';
        if (*pattern == '{') {
            size_t len = strcspn(path, "/");
            if (len == 0)
                return false;
            path += len;
            pattern = strchr(pattern, '}') + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

/* '+' is itself in a path. */
static char *decode_segment(const void *ctx, const char *segment, size_t len)
{
    struct buf plus = buf_make(ctx);
    for (size_t i = 0; i < len; i++) {
        if (segment[i] == '+')
            buf_add(&plus, "%2B");
        else
            buf_add_char(&plus, segment[i]);
    }
    char *value;
    return form_decode(ctx, buf_bytes(&plus), &value) == OP_OK ? value : NULL;
}

char *route_parameter(const void *ctx, const char *pattern, const char *path, const char *name)
{
    while (*pattern != '\0' && *path != '\0') {
        if (*pattern == '{') {
            size_t len = strcspn(path, "/");
            const char *end = strchr(pattern, '}');
            if (bytes_equal(bytes_from(pattern + 1, (size_t)(end - pattern) - 1), bytes_of(name)))
                return decode_segment(ctx, path, len);
            path += len;
            pattern = end + 1;
        } else {
            pattern++;
            path++;
        }
    }
    return NULL;
}

const char *route_path(const char *prefix, const char *path)
{
    size_t len = strlen(prefix);
    return strncmp(path, prefix, len) == 0 && path[len] == '/' ? path + len : path;
}

static unsigned admitted(const struct route *route)
{
    return route->methods | ((route->methods & HTTP_GET) != 0 ? (unsigned)HTTP_HEAD : 0) | HTTP_OPTIONS;
}

struct route_plan route_decide(const struct route *routes, size_t count, enum http_method method, const char *path)
{
    struct route_plan plan = {.status = 404};
    if (method == HTTP_OPTIONS && strcmp(path, "*") == 0)
        return (struct route_plan){.status = 204, .allowed = HTTP_OPTIONS};
    for (size_t i = 0; i < count; i++) {
        if (!path_matches(routes[i].path, path))
            continue;
        bool fits = (admitted(&routes[i]) & method) != 0 && method != HTTP_OPTIONS;
        if (plan.route == NULL || (fits && plan.status != 0))
            plan.route = &routes[i];
        if (plan.status != 0)
            plan.status = fits ? 0 : method == HTTP_OPTIONS ? 204 : 405;
        plan.allowed |= admitted(&routes[i]);
    }
    return plan;
}

struct route_cors_plan route_cors_decide(enum route_cors cors, enum http_method method, const char *origin,
                                         bool origin_known, bool asks_method)
{
    struct route_cors_plan plan = {.vary = cors == CORS_CLIENT_ORIGINS};
    if (cors == CORS_ANYONE) /* whoever asks: caches give the same copy to pages and to programs */
        plan.allow_origin = "*";
    else if (cors == CORS_CLIENT_ORIGINS && origin != NULL && origin_known)
        plan.allow_origin = origin;
    plan.preflight = plan.allow_origin != NULL && method == HTTP_OPTIONS && asks_method;
    return plan;
}

const char *route_caller_text(enum route_caller caller)
{
    switch (caller) {
    case CALLER_NOBODY:
        return "people";
    case CALLER_CLIENT:
        return "clients";
    case CALLER_BEARER:
        return "holders of a token";
    case CALLER_ANYONE:
        return "everybody";
    case CALLER_ADMINISTRATOR:
        return "clients that administer";
    case CALLER_OPERATOR:
        return "the operator, on the server's socket";
    }
    return "";
}

const char *route_cors_text(enum route_cors cors)
{
    switch (cors) {
    case CORS_NONE:
        return "no other origin";
    case CORS_ANYONE:
        return "pages of any origin";
    case CORS_CLIENT_ORIGINS:
        return "pages at the origins of registered redirect URIs";
    }
    return "";
}

char *route_methods_text(const void *ctx, unsigned methods)
{
    static const struct {
        unsigned method;
        const char *name;
    } names[] = {{HTTP_GET, "GET"}, {HTTP_HEAD, "HEAD"}, {HTTP_POST, "POST"}, {HTTP_PUT, "PUT"}, {HTTP_PATCH, "PATCH"},
                 {HTTP_DELETE, "DELETE"}, {HTTP_OPTIONS, "OPTIONS"}};
    struct buf out = buf_make(ctx);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((methods & names[i].method) != 0)
            buf_printf(&out, "%s%s", out.len == 0 ? "" : ", ", names[i].name);
    return buf_string(&out);
}

struct origin_question {
    const char *origin;
    bool known;
};

static enum op_err look_up_origin(struct kv_txn *txn, void *arg)
{
    struct origin_question *question = arg;
    question->known = clients_know_origin(txn, question->origin);
    return OP_OK;
}

static void origin_answered(enum op_err result, void *arg)
{
    struct origin_question *question = arg;
    question->known = question->known && result == OP_OK; /* when the store fails, no origin is known */
}

static bool origin_is_known(struct kv *kv, const char *origin)
{
    struct origin_question question = {.origin = origin};
    if (kv != NULL && origin != NULL && strlen(origin) <= ORIGIN_MAX)
        kv_run(kv, KV_READ_ONLY, look_up_origin, origin_answered, &question);
    return question.known;
}

static void set_cors_fields(struct http_request *req, const struct route_table *table, const struct route_plan *plan)
{
    enum route_cors cors = plan->route->cors;
    const char *origin = http_field_count(req, "origin") == 1 ? http_field(req, "origin") : NULL;
    bool known = cors == CORS_CLIENT_ORIGINS && origin_is_known(table->kv, origin);
    struct route_cors_plan fields =
        route_cors_decide(cors, req->method, origin, known, http_field(req, "access-control-request-method") != NULL);
    if (fields.vary)
        http_set_field(req, "Vary", "Origin");
    if (fields.allow_origin == NULL)
        return;
    http_set_field(req, "Access-Control-Allow-Origin", fields.allow_origin);
    if (fields.preflight) {
        http_set_field(req, "Access-Control-Allow-Methods", route_methods_text(req, plan->allowed));
        http_set_field(req, "Access-Control-Allow-Headers", "Authorization, Content-Type");
        http_set_field(req, "Access-Control-Max-Age", "600");
    } else {
        http_set_field(req, "Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After");
    }
}

static void refuse(struct http_request *req, const struct route_table *table, const struct route_plan *plan)
{
    if (plan->status == 405)
        http_set_field(req, "Allow", route_methods_text(req, plan->allowed));
    bool person = plan->route == NULL || plan->route->caller == CALLER_NOBODY;
    if (person && table->not_found != NULL) {
        table->not_found(req, plan->status);
        return;
    }
    json_t *body = json_make_object(req);
    json_set_string(body, "error", plan->status == 404 ? "not_found" : "invalid_request");
    json_set_string(body, "error_description",
                    plan->status == 404   ? "There is nothing at this path"
                    : plan->status == 413 ? "The body is larger than this endpoint takes"
                                          : "The method is not one of those in Allow");
    json_set_string(body, "request_id", req->request_id);
    reply_json(req, plan->status, body);
}

static void answer_options(struct http_request *req, const struct route_plan *plan)
{
    http_set_field(req, "Allow", route_methods_text(req, plan->allowed));
    http_reply(req, 204, NULL, bytes_of(NULL));
}

/* A length that is announced is judged here, so that a program gets its error as JSON. */
static bool announces_too_much(const struct http_request *req, const struct route *route)
{
    uint64_t length;
    const char *text = http_field(req, "content-length");
    return route->caller != CALLER_NOBODY && text != NULL &&
           num_parse_u64(bytes_of(text), UINT64_MAX, &length) == OP_OK && length > route->body_max;
}

long route_head(struct http_request *req, void *arg)
{
    const struct route_table *table = arg;
    req->path = route_path(table->prefix, req->path);
    struct route_plan plan = route_decide(table->routes, table->count, req->method, req->path);
    if (plan.route != NULL)
        set_cors_fields(req, table, &plan);
    req->route = plan.route;
    if (plan.status == 0 && announces_too_much(req, plan.route))
        plan.status = 413;
    if (plan.status == 404 || plan.status == 405 || plan.status == 413) {
        refuse(req, table, &plan);
        return -1;
    }
    return plan.status == 204 ? 0 : (long)plan.route->body_max;
}

void route_request(struct http_request *req, void *arg)
{
    const struct route_table *table = arg;
    struct route_plan plan = route_decide(table->routes, table->count, req->method, req->path);
    if (plan.status == 0)
        plan.route->handle(req);
    else
        answer_options(req, &plan);
}

const char *route_label(const struct http_request *req)
{
    const struct route *route = req->route;
    return route == NULL ? "other" : route->path;
}
