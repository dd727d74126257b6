#include <string.h>

#include "admin.h"
#include "admin_read.h"
#include "base/clock.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "runtime/trouble.h"

/* --- the audit trail --- */

/* The values of the path, as the audit trail names what was changed. */
static const char *place_of(const struct admin_request *request)
{
    struct buf out = buf_make(request->http);
    for (const char *at = strchr(request->operation->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        char *name = mem_strndup(request->http, at + 1, strcspn(at + 1, "}"));
        buf_printf(&out, "%s%s", out.len == 0 ? "" : "/", admin_value(request, name));
    }
    return buf_string(&out);
}

static void add_changed(struct buf *out, const struct admin_member *member, const json_t *value)
{
    buf_printf(out, "%s%s", out->len == 0 ? "" : " ", member->name);
    if (member->type == ADMIN_BOOL && json_is_boolean(value))
        buf_printf(out, "=%s", json_is_true(value) ? "yes" : "no");
    else if (member->choices != NULL && json_is_string(value))
        buf_printf(out, "=%s", json_string_value(value));
}

/* The members of the body, with values where these are words of our own. */
static const char *changed_by(const struct admin_request *request)
{
    struct buf out = buf_make(request->http);
    if (request->body == NULL)
        return NULL;
    for (const struct admin_member *member = request->operation->schema->members; member->name != NULL; member++) {
        const json_t *value = json_object_get(request->body, member->name);
        if (value != NULL && (member->use & (ADMIN_NEW | ADMIN_CHANGE)) != 0)
            add_changed(&out, member, value);
    }
    return out.len == 0 ? NULL : buf_string(&out);
}

/* The id that it is about: of the path, or of what the noun names. */
static const char *subject_of(const struct admin_request *request, const char *parameter, const char *noun, const char *id)
{
    const struct admin_operation *operation = request->operation;
    if (strstr(operation->path, mem_printf(request->http, "{%s}", parameter)) != NULL)
        return admin_value(request, parameter);
    return strcmp(operation->noun, noun) == 0 && operation->answer == ADMIN_GIVES_NEW ? id : NULL;
}

static struct audit_facts facts_of(const struct admin_request *request)
{
    return (struct audit_facts){
        .actor = mem_printf(request->http, "client:%s", request->client_id),
        .operation = request->command != NULL ? request->command : request->operation->id,
        .changed = changed_by(request),
    };
}

static void note(const struct admin_request *request, const char *id)
{
    if (request->operation->method == HTTP_GET)
        return;
    struct audit_facts facts = facts_of(request);
    facts.object = id;
    facts.user_id = subject_of(request, "user_id", "users", id);
    facts.client_id = subject_of(request, "client_id", "clients", id);
    facts.sid = subject_of(request, "sid", "sessions", id);
    facts.result = "done";
    metrics_count("partita_administration_changes_total", 1);
    audit_write(AUDIT_ADMINISTRATION, request->http, &facts);
}

/* What a change came to nothing by; the ids that were sent for it may be anything. */
static void note_failure(const struct admin_request *request, const char *error)
{
    if (request->operation->method == HTTP_GET || request->client_id == NULL)
        return;
    struct audit_facts facts = facts_of(request);
    facts.result = "failed";
    facts.reason = error;
    audit_write(AUDIT_ADMINISTRATION, request->http, &facts);
}

/* --- refusals --- */

/* The errors of every endpoint (error, error_description), and which member and which request it was. */
static void refuse(struct admin_request *request, int status, const char *error, const char *member, const char *what)
{
    struct http_request *req = request->http;
    json_t *body = json_make_object(req);
    req->error = error;
    note_failure(request, error);
    json_set_string(body, "error", error);
    json_set_string(body, "error_description", member == NULL ? what : mem_printf(req, "%s %s", member, what));
    json_set_string(body, "member", member);
    json_set_string(body, "request_id", req->request_id);
    reply_json(req, status, body);
}

void admin_refuse(struct admin_request *request, const struct refusal *refusal)
{
    refuse(request, 400, "invalid_request", refusal->member, refusal->what);
}

void admin_refuse_media_type(struct admin_request *request)
{
    if (request->operation->body == ADMIN_BODY_CHANGE)
        http_set_field(request->http, "Accept-Patch", "application/merge-patch+json, application/json");
    refuse(request, 415, "unsupported_media_type", NULL,
           request->operation->body == ADMIN_BODY_CHANGE ? "the body is application/merge-patch+json (RFC 7396)"
                                                         : "the body is application/json");
}

void admin_refuse_unconditional(struct admin_request *request)
{
    refuse(request, 428, "precondition_required", "If-Match",
           "is missing: it has the ETag of what is to be changed, or * for whatever is there");
}

static void fail_of_store(struct admin_request *request, enum op_err err)
{
    bool passing = trouble_of_store(request->http, err);
    if (passing)
        http_set_fieldf(request->http, "Retry-After", "%d", err == OP_DENIED ? TROUBLE_DENIED_RETRY_SECONDS : 1);
    refuse(request, passing ? 503 : 500, request->http->error, NULL,
           err == OP_DENIED ? "it was written by a newer version, which alone may change it"
           : passing        ? "try again in a moment"
                            : "the server cannot answer this request");
}

void admin_fail(struct admin_request *request, enum op_err err, const struct refusal *refusal)
{
    if (err == OP_INVALID && request->operation->answer == ADMIN_GIVES_LIST)
        admin_refuse(request, &(struct refusal){"cursor", "is not one that this list has given"});
    else if (err == OP_ABSENT || err == OP_INVALID)
        refuse(request, 404, "not_found", NULL, "there is nothing at this path");
    else if (err == OP_EXISTS)
        refuse(request, 409, "already_exists", refusal == NULL ? NULL : refusal->member,
               refusal == NULL ? "it is there already" : refusal->what);
    else if (err == OP_MISMATCH)
        refuse(request, 412, "precondition_failed", "If-Match", "is not its version any more: get it again");
    else
        fail_of_store(request, err);
}

bool admin_has_failed(struct admin_request *request, enum op_err err, const struct refusal *refusal)
{
    if (err != OP_OK)
        admin_fail(request, err, refusal);
    return err != OP_OK;
}

/* --- what was done --- */

static void set_tag(struct admin_request *request, uint64_t version)
{
    if (request->operation->versioned)
        http_set_fieldf(request->http, "ETag", "\"%llu\"", (unsigned long long)version);
}

void admin_reply_one(struct admin_request *request, json_t *object, uint64_t version)
{
    note(request, place_of(request));
    set_tag(request, version);
    bool looked = request->operation->versioned && request->operation->method == HTTP_GET;
    if (looked && request->if_none_match.is_there && admin_matches(&request->if_none_match, version))
        http_reply(request->http, 304, NULL, bytes_of(NULL));
    else
        reply_json(request->http, 200, object);
}

void admin_reply_new(struct admin_request *request, const char *id, json_t *object, uint64_t version)
{
    struct http_request *req = request->http;
    struct buf place = buf_make(req);
    buf_printf(&place, "%s%s%s/", settings.issuer, ADMIN_ROOT, request->operation->path);
    form_add_encoded(&place, id);
    note(request, id);
    set_tag(request, version);
    http_set_field(req, "Location", buf_string(&place));
    reply_json(req, 201, object);
}

void admin_reply_nothing(struct admin_request *request)
{
    note(request, place_of(request));
    http_set_field(request->http, "Cache-Control", "no-store");
    http_reply(request->http, 204, NULL, bytes_of(NULL));
}

/* The same list with the same filters, from there on. */
static char *next_link(const struct admin_request *request, const char *next)
{
    struct http_request *req = request->http;
    struct buf query = buf_make(req);
    for (size_t i = 0; i < request->query->count; i++)
        if (strcmp(request->query->pairs[i].name, "cursor") != 0)
            form_add(&query, request->query->pairs[i].name, request->query->pairs[i].value);
    form_add(&query, "cursor", admin_cursor(req, request->operation, next));
    return mem_printf(req, "%s%s?%s", settings.issuer, req->path, buf_string(&query));
}

void admin_reply_list(struct admin_request *request, const struct listing *listing)
{
    json_t *body = json_make_object(request->http);
    json_set(body, "items", listing->items);
    if (listing->next != NULL)
        json_set_string(body, "next", next_link(request, listing->next));
    reply_json(request->http, 200, body);
}

/* --- later --- */

enum { LOOK_US = 20 * 1000, LOOKS_MAX = 150 }; /* a clock that was put back keeps nobody waiting for long */

struct waiting {
    struct admin_request *request;
    int64_t until;
    unsigned looks;
    void (*then)(struct admin_request *request);
};

static void look_at_clock(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct waiting *waiting = arg;
    const struct timeval soon = {.tv_usec = LOOK_US};
    if (clock_now() < waiting->until && waiting->looks++ < LOOKS_MAX &&
        event_base_once(server_base(), -1, EV_TIMEOUT, look_at_clock, waiting, &soon) == 0)
        return;
    waiting->then(waiting->request);
}

void admin_wait_until(struct admin_request *request, int64_t second, void (*then)(struct admin_request *request))
{
    struct waiting *waiting = mem_new(request->http, struct waiting);
    *waiting = (struct waiting){.request = request, .until = second, .then = then};
    look_at_clock(-1, 0, waiting);
}
