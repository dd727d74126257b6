#include "admin.h"

#include <assert.h>
#include <string.h>

#include "admin_clients.h"
#include "admin_consents.h"
#include "admin_document.h"
#include "admin_families.h"
#include "admin_keys.h"
#include "admin_outbox.h"
#include "admin_read.h"
#include "admin_registration_tokens.h"
#include "admin_sessions.h"
#include "admin_users.h"
#include "management.h"
#include "protocol/administration.h"
#include "protocol/bearer.h"
#include "runtime/access.h"
#include "runtime/audit.h"
#include "runtime/reply.h"
#include "runtime/server.h"

enum { BODY_MAX = 64 * 1024, VALUE_MAX = 256 };

/* --- the tables --- */

static const struct admin_operation *const RESOURCES[] = {
    ADMIN_DOCUMENT, ADMIN_USERS, ADMIN_CLIENTS, ADMIN_CONSENTS, ADMIN_SESSIONS, ADMIN_FAMILIES, ADMIN_REGISTRATION_TOKENS,
    ADMIN_KEYS, ADMIN_OUTBOX,
};

bool admin_is_on;

static struct {
    const struct route *routes; /* one for each of ... */
    const struct admin_operation **operations;
    size_t count;
} api;

static void add_resource(const void *ctx, const struct admin_operation *table)
{
    for (; table->path != NULL; table++) {
        api.operations = mem_grow(ctx, api.operations, const struct admin_operation *, api.count + 1);
        api.operations[api.count++] = table;
    }
}

static void handle(struct http_request *req);

static struct route route_of(const void *ctx, const struct admin_operation *operation)
{
    return (struct route){
        .methods = operation->method,
        .path = mem_printf(ctx, "%s%s", ADMIN_ROOT, operation->path),
        .handle = handle,
        .body_max = operation->body == ADMIN_NO_BODY ? 0 : BODY_MAX,
        .caller = operation->noun == NULL ? CALLER_ANYONE : CALLER_ADMINISTRATOR,
        .cors = CORS_NONE,
        .what = operation->what,
    };
}

const struct route *admin_routes(const struct route *first, size_t count, size_t *ret_count)
{
    const void *ctx = mem_root("administration");
    for (size_t i = 0; i < sizeof RESOURCES / sizeof *RESOURCES; i++)
        add_resource(ctx, RESOURCES[i]);
    struct route *routes = mem_array(ctx, struct route, count + api.count);
    memcpy(routes, first, count * sizeof *first);
    for (size_t i = 0; i < api.count; i++)
        routes[count + i] = route_of(ctx, api.operations[i]);
    api.routes = routes + count;
    *ret_count = count + api.count;
    return routes;
}

size_t admin_operation_count(void)
{
    return api.count;
}

const struct admin_operation *admin_operation_at(size_t i)
{
    return api.operations[i];
}

/* The server keeps a copy of its routes: a row is known by what it says. */
static const struct admin_operation *operation_of(const struct route *route)
{
    for (size_t i = 0; i < api.count; i++)
        if (api.routes[i].methods == route->methods && strcmp(api.routes[i].path, route->path) == 0)
            return api.operations[i];
    assert(false);
    return NULL;
}

void admin_start(const void *ctx)
{
    admin_users_start(ctx);
}

/* --- what was asked --- */

const char *admin_value(const struct admin_request *request, const char *name)
{
    const struct http_request *req = request->http;
    const char *pattern = mem_printf(req, "%s%s", ADMIN_ROOT, request->operation->path);
    const char *value = route_parameter(req, pattern, req->path, name);
    return value != NULL ? value : form_get(request->query, name);
}

enum op_err admin_check_version(const struct admin_request *request, uint64_t version)
{
    return !request->if_match.is_there || admin_matches(&request->if_match, version) ? OP_OK : OP_MISMATCH;
}

/* A parameter of the path that is malformed, or longer than any key, names nothing. */
static bool path_is_sound(const struct admin_request *request)
{
    const char *at = request->operation->path;
    while ((at = strchr(at, '{')) != NULL) {
        const char *end = strchr(at, '}');
        const char *value = admin_value(request, mem_strndup(request->http, at + 1, (size_t)(end - at) - 1));
        if (value == NULL || strlen(value) > VALUE_MAX)
            return false;
        at = end;
    }
    return true;
}

static bool read_preconditions(struct admin_request *request, struct refusal *ret_refusal)
{
    struct http_request *req = request->http;
    const char *match = http_field(req, "if-match"), *none_match = http_field(req, "if-none-match");
    if (http_field_count(req, "if-match") > 1 || admin_read_match(req, match, false, &request->if_match) != OP_OK) {
        *ret_refusal = (struct refusal){"If-Match", "is neither * nor a list of entity tags"};
        return false;
    }
    if (http_field_count(req, "if-none-match") > 1 ||
        admin_read_match(req, none_match, true, &request->if_none_match) != OP_OK) {
        *ret_refusal = (struct refusal){"If-None-Match", "is neither * nor a list of entity tags"};
        return false;
    }
    return true;
}

static bool read_body(struct admin_request *request, struct refusal *ret_refusal)
{
    const struct admin_operation *operation = request->operation;
    struct http_request *req = request->http;
    if (operation->body == ADMIN_NO_BODY)
        return true;
    return admin_read_body(req, operation->schema, operation->body == ADMIN_BODY_NEW ? ADMIN_NEW : ADMIN_CHANGE,
                           req->body, &request->body, ret_refusal) == OP_OK;
}

static bool media_type_fits(const struct admin_request *request)
{
    const struct http_request *req = request->http;
    return request->operation->body == ADMIN_NO_BODY || http_content_type_is(req, "application/json") ||
           (request->operation->body == ADMIN_BODY_CHANGE && http_content_type_is(req, "application/merge-patch+json"));
}

static bool needs_match(const struct admin_operation *operation)
{
    return operation->versioned && (operation->method == HTTP_PATCH || operation->method == HTTP_DELETE);
}

static void read_and_handle(struct admin_request *request)
{
    struct refusal refusal = {0};
    struct form *form = mem_new(request->http, struct form);
    request->query = form;
    if (!path_is_sound(request))
        admin_fail(request, OP_ABSENT, NULL);
    else if (!media_type_fits(request))
        admin_refuse_media_type(request);
    else if (admin_read_query(request->http, request->operation, request->http->query, form, &request->limit,
                              &request->after, &refusal) != OP_OK ||
             !read_preconditions(request, &refusal) || !read_body(request, &refusal))
        admin_refuse(request, &refusal);
    else if (needs_match(request->operation) && !request->if_match.is_there)
        admin_refuse_unconditional(request);
    else
        request->operation->handle(request);
}

/* --- who asks --- */

struct entry {
    struct admin_request *request;
    struct family_facts facts; /* set by load */
};

static enum op_err load(struct kv_txn *txn, void *arg)
{
    struct entry *entry = arg;
    return access_load(txn, entry->request->http, &entry->request->token, &entry->facts);
}

static void note_refusal(const struct admin_request *request, const Rec__Client *client, const char *error)
{
    audit_write(AUDIT_ADMINISTRATION_REFUSED, request->http, &(struct audit_facts){
        .actor = client == NULL ? NULL : mem_printf(request->http, "client:%s", client->client_id),
        .operation = request->operation->id,
        .reason = error,
    });
}

static void loaded(enum op_err result, void *arg)
{
    struct entry *entry = arg;
    struct admin_request *request = entry->request;
    struct http_request *req = request->http;
    struct administration_wish wish = {request->operation->noun, request->operation->method != HTTP_GET};
    struct oauth_error error;
    if (result != OP_OK) {
        admin_fail(request, result, NULL);
        return;
    }
    if (administration_admit(req, &request->token, administration_resource(req, settings.issuer), entry->facts.client,
                             family_alive(&entry->facts), &wish, &error) != OP_OK) {
        note_refusal(request, entry->facts.client, oauth_error_name(error.code));
        reply_bearer_scope_error(req, &error, administration_scope_for(req, &wish));
        return;
    }
    request->client_id = entry->facts.client->client_id;
    read_and_handle(request);
}

static void authenticate(struct admin_request *request)
{
    struct http_request *req = request->http;
    const char *text = bearer_token(http_field(req, "authorization"));
    struct oauth_error error = {OAUTH_INVALID_REQUEST, "more than one Authorization header"};
    enum op_err err = OP_INVALID;
    if (text == NULL && http_field_count(req, "authorization") < 2) {
        note_refusal(request, NULL, "no_token");
        reply_bearer_error(req, NULL);
        return;
    }
    if (http_field_count(req, "authorization") == 1)
        err = access_verify(management_process.keyring, req, text, &request->token, &error);
    if (err == OP_INVALID) {
        note_refusal(request, NULL, oauth_error_name(error.code));
        reply_bearer_error(req, &error);
    } else if (err != OP_OK) {
        admin_fail(request, err, NULL);
    } else {
        struct entry *entry = mem_new(req, struct entry);
        entry->request = request;
        kv_run(server_kv(), KV_READ_ONLY, load, loaded, entry);
    }
}

static void handle(struct http_request *req)
{
    struct admin_request *request = mem_new(req, struct admin_request);
    request->http = req;
    request->operation = operation_of(req->route);
    if (!admin_is_on)
        admin_fail(request, OP_ABSENT, NULL);
    else if (request->operation->noun == NULL)
        read_and_handle(request);
    else
        authenticate(request);
}
