#pragma once
/* The administration API, /admin/v1/: the frame that its resources stand in. Every resource is a table of operations
 * over a schema; the server's routes, all that is checked before a handler runs, and the OpenAPI document are made from
 * the same tables.
 *
 * To add a resource:
 *   1. ADMINISTRATION_NOUNS (common/protocol/administration.c) names its noun: a scope to change, one to look.
 *   2. common/operator/operate_NOUN.c does what is done, for opctl as well.
 *   3. op-management/admin_NOUN.c has a schema, the handlers, and `const struct admin_operation ADMIN_NOUN[]`, ended by
 *      {0}; RESOURCES in admin.c lists it.
 *   4. EXAMPLES in tests/e2e/test_admin_document.py says how each new operation is called; a test there fails until then.
 *
 * A handler finds in its request what was checked already: who calls and that it may, the parameters, the body by the
 * schema, the preconditions. It runs its work (kv_run, operate_flow_run) and then calls exactly one reply of those below. */
#include "data/json.h"
#include "operator/listing.h"
#include "operator/refusal.h"
#include "protocol/access_token.h"
#include "runtime/http.h"
#include "runtime/route.h"

/* --- the tables --- */

enum admin_type {
    ADMIN_TEXT,   /* max: bytes */
    ADMIN_TEXTS,  /* an array of texts; max: how many, each of ADMIN_LINE_MAX bytes */
    ADMIN_BOOL,
    ADMIN_NUMBER, /* a whole one from 0; max: the largest */
    ADMIN_TIME,   /* RFC 3339 in UTC */
    ADMIN_OBJECT, /* any members */
};
enum { ADMIN_LINE_MAX = 2048 };

enum admin_use {
    ADMIN_NEW = 1,     /* may stand in the body that makes one */
    ADMIN_NEEDED = 2,  /* must stand there */
    ADMIN_CHANGE = 4,  /* may stand in a change */
    ADMIN_CLEAR = 8,   /* may be null there: is taken away (RFC 7396) */
    ADMIN_ANSWER = 16, /* stands in answers */
    ADMIN_ALWAYS = 32, /* in every one of them */
};
struct admin_member {
    const char *name;
    enum admin_type type;
    unsigned use; /* enum admin_use */
    int64_t max;
    const char *const *choices; /* the only texts, NULL-terminated; NULL: any */
    const char *what;
};
struct admin_schema {
    const char *name; /* "User": the document has User, NewUser, UserChange, UserList */
    const char *what;
    const struct admin_member *members; /* ended by one without a name */
};

/* A parameter of the query, beside limit and cursor. */
struct admin_filter {
    const char *name;
    size_t max; /* bytes */
    const char *what;
};

enum admin_body { ADMIN_NO_BODY, ADMIN_BODY_NEW, ADMIN_BODY_CHANGE };
enum admin_answer {
    ADMIN_GIVES_ONE,      /* 200 with the schema */
    ADMIN_GIVES_NEW,      /* 201 with Location and the schema */
    ADMIN_GIVES_LIST,     /* 200 with items and next; takes limit and cursor */
    ADMIN_GIVES_NOTHING,  /* 204 */
    ADMIN_GIVES_DOCUMENT, /* 200 with any object */
};

struct admin_request;
struct admin_operation {
    enum http_method method;
    const char *path;     /* after /admin/v1: "/users/{user_id}" */
    const char *id;       /* NOUN_VERB, as opctl says it: "user_change" */
    const char *commands; /* those of opctl that it stands for, "user change, user disable"; NULL: none */
    const char *noun;     /* of ADMINISTRATION_NOUNS: the scope; a GET looks, the others change. NULL: anybody may */
    const struct admin_schema *schema;
    enum admin_body body;
    enum admin_answer answer;
    bool versioned; /* answers have an ETag, and GET knows If-None-Match; PATCH and DELETE need If-Match */
    const struct admin_filter *filters; /* ended by one without a name; NULL: none */
    void (*handle)(struct admin_request *request);
    const char *what; /* one sentence */
};

/* --- a request --- */

struct admin_match {
    bool is_there, any; /* any: "*" */
    uint64_t *versions;
    size_t count;
};

/* It and all it points to are owned by http. */
struct admin_request {
    struct http_request *http;
    const struct admin_operation *operation;
    struct access_token token;
    const char *client_id; /* who calls */
    json_t *body;          /* NULL: the operation has none */
    size_t limit;          /* of a list: 1 to ADMIN_LIMIT_MAX ... */
    const char *after;     /* ... after the `next` of the listing before; NULL: from the start */
    struct admin_match if_match, if_none_match;
    struct form *query;
    const char *command;   /* what of operation->commands it is, NOUN_VERB, where the body says; NULL: operation->id */
    void *own;             /* the handler's */
};
enum { ADMIN_LIMIT_MAX = 200, ADMIN_LIMIT_DEFAULT = 50 };

/* A parameter of the path or a filter; NULL when the filter was not given. */
const char *admin_value(const struct admin_request *request, const char *name);
/* The precondition of a change: for use inside its work. OP_MISMATCH: the record has moved on; admin_fail() says 412. */
must_check enum op_err admin_check_version(const struct admin_request *request, uint64_t version);

/* --- replies: each frees the request; those to a change note who did what to which id (runtime/audit.h) --- */

/* 200, or 304 when the caller has this version already. version is of no matter where the operation is not versioned. */
void admin_reply_one(struct admin_request *request, json_t *object, uint64_t version);
/* 201. Its place is the operation's path and id; id goes into the audit trail. */
void admin_reply_new(struct admin_request *request, const char *id, json_t *object, uint64_t version);
void admin_reply_list(struct admin_request *request, const struct listing *listing);
void admin_reply_nothing(struct admin_request *request);
/* 400 invalid_request that names the member. */
void admin_refuse(struct admin_request *request, const struct refusal *refusal);
/* OP_INVALID: in a list a cursor that it has not given, 400; elsewhere an id that names nothing, 404.
 * OP_ABSENT 404, OP_EXISTS 409, OP_MISMATCH 412, OP_BUSY, OP_FULL and OP_DENIED 503 with Retry-After, else 500. For 409
 * refusal names the member (may be NULL). */
void admin_fail(struct admin_request *request, enum op_err err, const struct refusal *refusal);
/* The same, where there is an error: false with OP_OK, and nothing was replied. */
bool admin_has_failed(struct admin_request *request, enum op_err err, const struct refusal *refusal);

/* Calls then once that second has begun (less than two from now), so that what is granted after the reply is alive:
 * see operate_since(). */
void admin_wait_until(struct admin_request *request, int64_t second, void (*then)(struct admin_request *request));

/* --- for main.c --- */

extern bool admin_is_on; /* the setting */
/* first's rows, then those of the API; lives as long as the process. */
const struct route *admin_routes(const struct route *first, size_t count, size_t *ret_count);
/* For the start hook. */
void admin_start(const void *ctx);

/* --- for its own parts --- */

#define ADMIN_ROOT "/admin/v1"
/* 415, 428. */
void admin_refuse_media_type(struct admin_request *request);
void admin_refuse_unconditional(struct admin_request *request);
/* All operations of all resources. */
size_t admin_operation_count(void);
const struct admin_operation *admin_operation_at(size_t i);
