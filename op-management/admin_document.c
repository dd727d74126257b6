#include "admin_document.h"

#include <string.h>

#include "protocol/administration.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "runtime/settings.h"

/* --- schemas --- */

static json_t *object_of(const void *ctx, const char *key, const char *value)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, key, value);
    return object;
}

static json_t *reference(const void *ctx, const char *kind, const char *name)
{
    return object_of(ctx, "$ref", mem_printf(ctx, "#/components/%s/%s", kind, name));
}

static size_t words_count(const char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    return count;
}

static void set_choices(json_t *schema, const char *const *choices)
{
    if (choices != NULL)
        json_set_strings(schema, "enum", (char *const *)(uintptr_t)choices, words_count(choices));
}

static json_t *texts_schema(const void *ctx, const struct admin_member *member)
{
    json_t *schema = object_of(ctx, "type", "array"), *item = object_of(ctx, "type", "string");
    set_choices(item, member->choices);
    json_set(schema, "items", item);
    json_set_int(schema, "maxItems", member->max);
    return schema;
}

static json_t *type_schema(const void *ctx, const struct admin_member *member)
{
    static const char *const types[] = {
        [ADMIN_TEXT] = "string", [ADMIN_TEXTS] = "array", [ADMIN_BOOL] = "boolean", [ADMIN_NUMBER] = "integer",
        [ADMIN_TIME] = "string", [ADMIN_OBJECT] = "object"};
    if (member->type == ADMIN_TEXTS)
        return texts_schema(ctx, member);
    json_t *schema = object_of(ctx, "type", types[member->type]);
    if (member->type == ADMIN_TIME)
        json_set_string(schema, "format", "date-time");
    if (member->type == ADMIN_TEXT && member->choices == NULL)
        json_set_int(schema, "maxLength", member->max);
    if (member->type == ADMIN_TEXT)
        set_choices(schema, member->choices);
    if (member->type == ADMIN_NUMBER) {
        json_set_int(schema, "minimum", 0);
        json_set_int(schema, "maximum", member->max);
    }
    return schema;
}

static json_t *member_schema(const void *ctx, const struct admin_member *member, enum admin_use use)
{
    json_t *schema = type_schema(ctx, member);
    if (use == ADMIN_CHANGE && (member->use & ADMIN_CLEAR) != 0) {
        json_t *either = json_make_object(ctx), *list = json_make_array(ctx);
        json_array_append(list, schema);
        json_array_append(list, object_of(ctx, "type", "null"));
        json_set(either, "anyOf", list);
        schema = either;
    }
    json_set_string(schema, "description", member->what);
    return schema;
}

/* The members of one use; those of `always` are required. */
static json_t *use_schema(const void *ctx, const struct admin_schema *of, enum admin_use use, unsigned always)
{
    json_t *schema = object_of(ctx, "type", "object"), *properties = json_make_object(ctx);
    json_t *required = json_make_array(ctx);
    for (const struct admin_member *member = of->members; member->name != NULL; member++) {
        if ((member->use & use) == 0)
            continue;
        json_set(properties, member->name, member_schema(ctx, member, use));
        if ((member->use & always) != 0)
            json_append_string(required, member->name);
    }
    json_set_string(schema, "description", of->what);
    json_set(schema, "properties", properties);
    if (json_array_size(required) > 0)
        json_set(schema, "required", required);
    json_set_bool(schema, "additionalProperties", false);
    return schema;
}

static json_t *list_schema(const void *ctx, const char *item)
{
    json_t *schema = object_of(ctx, "type", "object"), *properties = json_make_object(ctx);
    json_t *items = object_of(ctx, "type", "array"), *next = object_of(ctx, "type", "string");
    json_t *required = json_make_array(ctx);
    json_set(items, "items", reference(ctx, "schemas", item));
    json_set_string(next, "format", "uri");
    json_set_string(next, "description", "Where the list goes on; absent at its end.");
    json_set(properties, "items", items);
    json_set(properties, "next", next);
    json_set(schema, "properties", properties);
    json_append_string(required, "items");
    json_set(schema, "required", required);
    json_set_bool(schema, "additionalProperties", false);
    return schema;
}

static char *body_name(const void *ctx, const struct admin_operation *operation)
{
    const char *name = operation->schema->name;
    return operation->body == ADMIN_BODY_NEW ? mem_printf(ctx, "New%s", name) : mem_printf(ctx, "%sChange", name);
}

static void add_schemas(const void *ctx, json_t *schemas, const struct admin_operation *operation)
{
    const struct admin_schema *schema = operation->schema;
    if (schema == NULL)
        return;
    json_set(schemas, schema->name, use_schema(ctx, schema, ADMIN_ANSWER, ADMIN_ALWAYS));
    if (operation->body == ADMIN_BODY_NEW)
        json_set(schemas, body_name(ctx, operation), use_schema(ctx, schema, ADMIN_NEW, ADMIN_NEEDED));
    if (operation->body == ADMIN_BODY_CHANGE)
        json_set(schemas, body_name(ctx, operation), use_schema(ctx, schema, ADMIN_CHANGE, 0));
    if (operation->answer == ADMIN_GIVES_LIST)
        json_set(schemas, mem_printf(ctx, "%sList", schema->name), list_schema(ctx, schema->name));
}

static const struct admin_member ERROR_MEMBERS[] = {
    {"error", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "A word for programs."},
    {"error_description", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 1024, NULL, "A sentence for people."},
    {"member", ADMIN_TEXT, ADMIN_ANSWER, 256, NULL, "The member of the body, parameter or field that it is about."},
    {"request_id", ADMIN_TEXT, ADMIN_ANSWER | ADMIN_ALWAYS, 64, NULL, "What the server's log calls this request."},
    {0},
};
static const struct admin_schema ERROR = {"Error", "Why a request was refused.", ERROR_MEMBERS};

/* --- parameters --- */

static json_t *parameter(const void *ctx, const char *name, const char *in, bool required, const char *what)
{
    json_t *one = json_make_object(ctx);
    json_set_string(one, "name", name);
    json_set_string(one, "in", in);
    json_set_bool(one, "required", required);
    json_set_string(one, "description", what);
    json_set(one, "schema", object_of(ctx, "type", "string"));
    return one;
}

static void add_path_parameters(const void *ctx, json_t *list, const char *path)
{
    for (const char *at = strchr(path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        char *name = mem_strndup(ctx, at + 1, strcspn(at + 1, "}"));
        json_array_append(list, parameter(ctx, name, "path", true, NULL));
    }
}

static void add_list_parameters(const void *ctx, json_t *list)
{
    json_t *limit = parameter(ctx, "limit", "query", false, "How many items at most."), *number = json_make_object(ctx);
    json_set_string(number, "type", "integer");
    json_set_int(number, "minimum", 1);
    json_set_int(number, "maximum", ADMIN_LIMIT_MAX);
    json_set_int(number, "default", ADMIN_LIMIT_DEFAULT);
    json_set(limit, "schema", number);
    json_array_append(list, limit);
    json_array_append(list, parameter(ctx, "cursor", "query", false, "Where the list goes on: out of next."));
}

static bool needs_match(const struct admin_operation *operation)
{
    return operation->versioned && (operation->method == HTTP_PATCH || operation->method == HTTP_DELETE);
}

static json_t *parameters(const void *ctx, const struct admin_operation *operation)
{
    json_t *list = json_make_array(ctx);
    add_path_parameters(ctx, list, operation->path);
    if (operation->answer == ADMIN_GIVES_LIST)
        add_list_parameters(ctx, list);
    for (const struct admin_filter *filter = operation->filters; filter != NULL && filter->name != NULL; filter++)
        json_array_append(list, parameter(ctx, filter->name, "query", false, filter->what));
    if (needs_match(operation))
        json_array_append(list, parameter(ctx, "If-Match", "header", true,
                                          "The ETag of what is to be changed, or * for whatever is there."));
    else if (operation->versioned && operation->method == HTTP_GET)
        json_array_append(list, parameter(ctx, "If-None-Match", "header", false, "An ETag that is known already."));
    return list;
}

/* --- answers --- */

static json_t *content(const void *ctx, const char *media_type, json_t *schema)
{
    json_t *types = json_make_object(ctx), *type = json_make_object(ctx);
    json_set(type, "schema", schema);
    json_set(types, media_type, type);
    return types;
}

static void set_header(const void *ctx, json_t *answer, const char *name, const char *what)
{
    json_t *headers = json_object_get(answer, "headers"), *header = object_of(ctx, "description", what);
    if (headers == NULL)
        headers = json_make_object(ctx);
    json_set(header, "schema", object_of(ctx, "type", "string"));
    json_set(headers, name, header);
    json_set(answer, "headers", headers);
}

static json_t *success(const void *ctx, const struct admin_operation *operation)
{
    json_t *answer = object_of(ctx, "description", operation->what), *schema = NULL;
    if (operation->answer == ADMIN_GIVES_DOCUMENT)
        schema = object_of(ctx, "type", "object");
    else if (operation->answer == ADMIN_GIVES_LIST)
        schema = reference(ctx, "schemas", mem_printf(ctx, "%sList", operation->schema->name));
    else if (operation->answer != ADMIN_GIVES_NOTHING)
        schema = reference(ctx, "schemas", operation->schema->name);
    if (schema != NULL)
        json_set(answer, "content", content(ctx, "application/json", schema));
    if (operation->versioned && operation->answer != ADMIN_GIVES_NOTHING)
        set_header(ctx, answer, "ETag", "The version of the record, for If-Match.");
    if (operation->answer == ADMIN_GIVES_NEW)
        set_header(ctx, answer, "Location", "Where it is.");
    return answer;
}

static const struct {
    const char *status, *what;
} REFUSALS[] = {
    {"400", "The request is malformed."},
    {"401", "No access token, or one that is not good any more (RFC 6750)."},
    {"403", "The access token has not the scope that WWW-Authenticate names."},
    {"404", "There is nothing at this path."},
    {"409", "It is there already."},
    {"412", "It has changed: If-Match is not its version any more."},
    {"413", "The body is too large."},
    {"415", "The body is of another media type."},
    {"428", "If-Match is missing."},
    {"500", "The server cannot answer."},
    {"503", "Not now: Retry-After says when to try again."},
};

static bool may_be_refused(const struct admin_operation *operation, const char *status)
{
    bool has_body = operation->body != ADMIN_NO_BODY;
    switch (atoi(status)) {
    case 401:
    case 403:
        return operation->noun != NULL;
    case 404:
        return strchr(operation->path, '{') != NULL;
    case 409:
    case 415:
        return has_body;
    case 412:
        return operation->versioned && operation->method != HTTP_GET && strchr(operation->path, '{') != NULL;
    case 428:
        return needs_match(operation);
    default:
        return true;
    }
}

static json_t *answers(const void *ctx, const struct admin_operation *operation)
{
    static const char *const statuses[] = {
        [ADMIN_GIVES_ONE] = "200", [ADMIN_GIVES_NEW] = "201", [ADMIN_GIVES_LIST] = "200",
        [ADMIN_GIVES_NOTHING] = "204", [ADMIN_GIVES_DOCUMENT] = "200"};
    json_t *all = json_make_object(ctx);
    json_set(all, statuses[operation->answer], success(ctx, operation));
    if (operation->versioned && operation->method == HTTP_GET)
        json_set(all, "304", object_of(ctx, "description", "If-None-Match has its version."));
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; i++)
        if (may_be_refused(operation, REFUSALS[i].status))
            json_set(all, REFUSALS[i].status, reference(ctx, "responses", REFUSALS[i].status));
    return all;
}

static json_t *refusals(const void *ctx)
{
    json_t *all = json_make_object(ctx);
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; i++) {
        json_t *answer = object_of(ctx, "description", REFUSALS[i].what);
        json_set(answer, "content", content(ctx, "application/json", reference(ctx, "schemas", ERROR.name)));
        if (strcmp(REFUSALS[i].status, "503") == 0)
            set_header(ctx, answer, "Retry-After", "Seconds.");
        json_set(all, REFUSALS[i].status, answer);
    }
    return all;
}

/* --- operations --- */

static json_t *request_body(const void *ctx, const struct admin_operation *operation)
{
    json_t *body = json_make_object(ctx);
    json_t *schema = reference(ctx, "schemas", body_name(ctx, operation));
    json_t *types = content(ctx, "application/json", schema);
    if (operation->body == ADMIN_BODY_CHANGE)
        json_object_update(types, content(ctx, "application/merge-patch+json", schema));
    json_set_bool(body, "required", true);
    json_set(body, "content", types);
    return body;
}

static json_t *security(const void *ctx, const struct admin_operation *operation)
{
    json_t *list = json_make_array(ctx), *one = json_make_object(ctx), *scopes = json_make_array(ctx);
    if (operation->noun == NULL)
        return list;
    struct administration_wish wish = {operation->noun, operation->method != HTTP_GET};
    json_append_string(scopes, administration_scope_for(ctx, &wish));
    json_set(one, "oauth2", scopes);
    json_array_append(list, one);
    return list;
}

static json_t *describe(const void *ctx, const struct admin_operation *operation)
{
    json_t *object = json_make_object(ctx), *tags = json_make_array(ctx);
    json_set_string(object, "operationId", operation->id);
    json_set_string(object, "summary", operation->what);
    json_append_string(tags, operation->noun);
    json_set(object, "tags", tags);
    json_set_string(object, "x-opctl", operation->commands);
    json_set(object, "security", security(ctx, operation));
    json_set(object, "parameters", parameters(ctx, operation));
    if (operation->body != ADMIN_NO_BODY)
        json_set(object, "requestBody", request_body(ctx, operation));
    json_set(object, "responses", answers(ctx, operation));
    return object;
}

static const char *method_name(enum http_method method)
{
    switch (method) {
    case HTTP_POST:
        return "post";
    case HTTP_PUT:
        return "put";
    case HTTP_PATCH:
        return "patch";
    case HTTP_DELETE:
        return "delete";
    default:
        return "get";
    }
}

static json_t *paths(const void *ctx, const struct admin_operation *const *operations, size_t count)
{
    json_t *all = json_make_object(ctx);
    for (size_t i = 0; i < count; i++) {
        char *path = mem_printf(ctx, "%s%s", ADMIN_ROOT, operations[i]->path);
        json_t *one = json_object_get(all, path);
        if (one == NULL)
            one = json_make_object(ctx);
        json_set(one, method_name(operations[i]->method), describe(ctx, operations[i]));
        json_set(all, path, one);
    }
    return all;
}

/* --- the whole --- */

static json_t *security_schemes(const void *ctx, const char *issuer)
{
    json_t *schemes = json_make_object(ctx), *scheme = object_of(ctx, "type", "oauth2"), *flows = json_make_object(ctx);
    json_t *flow = object_of(ctx, "tokenUrl", mem_printf(ctx, "%s/token", issuer)), *scopes = json_make_object(ctx);
    for (size_t i = 0; ADMINISTRATION_NOUNS[i] != NULL; i++) {
        const char *noun = ADMINISTRATION_NOUNS[i];
        json_set_string(scopes, administration_scope_for(ctx, &(struct administration_wish){noun, true}),
                        mem_printf(ctx, "To change %s, and to look at them.", noun));
        json_set_string(scopes, administration_scope_for(ctx, &(struct administration_wish){noun, false}),
                        mem_printf(ctx, "To look at %s.", noun));
    }
    json_set(flow, "scopes", scopes);
    json_set(flows, "clientCredentials", flow);
    json_set(scheme, "flows", flows);
    json_set_string(scheme, "description", mem_printf(ctx, "The token request names resource=%s.",
                                                      administration_resource(ctx, issuer)));
    json_set(schemes, "oauth2", scheme);
    return schemes;
}

static json_t *info(const void *ctx)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "title", "Partita administration");
    json_set_string(object, "version", PARTITA_VERSION);
    json_set_string(object, "description", "What opctl does, over HTTP. Bodies and answers are JSON; every error says "
                    "error, error_description and request_id. Only what the balancer refuses itself (a body over 64 KiB, "
                    "malformed HTTP) or finds no server for is answered without them.");
    return object;
}

json_t *admin_document(const void *ctx, const struct admin_operation *const *operations, size_t count,
                       const char *issuer)
{
    json_t *document = json_make_object(ctx), *components = json_make_object(ctx), *schemas = json_make_object(ctx);
    json_t *servers = json_make_array(ctx);
    json_array_append(servers, object_of(ctx, "url", issuer));
    for (size_t i = 0; i < count; i++)
        add_schemas(ctx, schemas, operations[i]);
    json_set(schemas, ERROR.name, use_schema(ctx, &ERROR, ADMIN_ANSWER, ADMIN_ALWAYS));
    json_set(components, "schemas", schemas);
    json_set(components, "responses", refusals(ctx));
    json_set(components, "securitySchemes", security_schemes(ctx, issuer));
    json_set_string(document, "openapi", "3.1.0");
    json_set(document, "info", info(ctx));
    json_set(document, "servers", servers);
    json_set(document, "paths", paths(ctx, operations, count));
    json_set(document, "components", components);
    return document;
}

/* Anybody may ask for it: made once. */
static json_t *own_document(void)
{
    static json_t *document;
    if (document == NULL) {
        const void *ctx = server_self();
        size_t count = admin_operation_count();
        const struct admin_operation **operations = mem_array(ctx, const struct admin_operation *, count);
        for (size_t i = 0; i < count; i++)
            operations[i] = admin_operation_at(i);
        document = admin_document(ctx, operations, count, settings.issuer);
    }
    return document;
}

static void handle(struct admin_request *request)
{
    admin_reply_one(request, own_document(), 0);
}

const struct admin_operation ADMIN_DOCUMENT[] = {
    {HTTP_GET, "/openapi.json", "document", NULL, NULL, NULL, ADMIN_NO_BODY, ADMIN_GIVES_DOCUMENT, false, NULL, handle,
     "This API, for programs (OpenAPI 3.1)."},
    {0},
};
