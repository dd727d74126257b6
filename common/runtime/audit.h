#pragma once
/* The audit trail: what happened to accounts, clients, tokens and keys, and by whom; docs/audit.md is its contract. A
 * line of JSON per event, appended to DIR/SERVER.jsonl by one write(2); instances share the file, and a killed
 * process leaves whole lines. It is not synchronized: what a process wrote outlives it, a power loss may take the last
 * seconds. No line holds a secret, a token, a code, a password or a mail address. Nothing blocks but for that write. */
#include "base/err.h"
#include "base/log.h"
#include "runtime/http.h"

/* Names and what they mean are in audit.c; they are never taken back and never mean something else. */
enum audit_event {
    AUDIT_SIGNED_IN,
    AUDIT_SIGN_IN_FAILED,
    AUDIT_SIGN_IN_THROTTLED,
    AUDIT_SIGNED_OUT,
    AUDIT_SIGNED_OUT_EVERYWHERE,
    AUDIT_SESSION_ENDED,
    AUDIT_PASSWORD_CHANGED,
    AUDIT_PASSWORD_CHANGE_FAILED,
    AUDIT_CONSENT_GRANTED,
    AUDIT_CONSENT_DENIED,
    AUDIT_CONSENT_WITHDRAWN,
    AUDIT_DEVICE_APPROVED,
    AUDIT_DEVICE_DENIED,
    AUDIT_USER_CODES_THROTTLED,
    AUDIT_DEVICE_REQUESTS_THROTTLED,
    AUDIT_CLIENT_AUTHENTICATION_FAILED,
    AUDIT_CLIENT_THROTTLED,
    AUDIT_CLIENT_ASSERTIONS_THROTTLED,
    AUDIT_PUSHES_THROTTLED,
    AUDIT_CODE_REPLAYED,
    AUDIT_REFRESH_TOKEN_REPLAYED,
    AUDIT_TOKEN_REVOKED,
    AUDIT_CLIENT_REGISTERED,
    AUDIT_CLIENT_CHANGED,
    AUDIT_CLIENT_DELETED,
    AUDIT_REGISTRATION_REFUSED,
    AUDIT_REGISTRATION_THROTTLED,
    AUDIT_REGISTRATION_UPDATES_THROTTLED,
    AUDIT_ADMINISTRATION,
    AUDIT_ADMINISTRATION_REFUSED,
    AUDIT_KEY_MADE,
    AUDIT_KEY_ROTATED,
    AUDIT_KEY_RETIRED,
    AUDIT_KEY_DELETED,
    AUDIT_STORE_BROKEN,
    AUDIT_STARTED,
    AUDIT_ENDED,
    AUDIT_LINES_LEFT_OUT,
    AUDIT_EVENT_COUNT,
};

/* What a line says; NULL where there is nothing to say. */
struct audit_facts {
    const char *actor;     /* who did it, where that is not the person or client it happened to: "client:ID", "uid:0" */
    const char *client_id; /* to whom ... */
    const char *user_id;   /* ... it happened, or who did it */
    const char *sid;
    const char *operation; /* of an operator: "user disable" */
    const char *object;    /* what else it was done to: a family, a key, a message */
    const char *changed;   /* what of it: names, and values of a few words that stand in a table */
    const char *result;    /* of an operation: done, failed */
    const char *reason;    /* a word of a table */
};

const char *audit_name(enum audit_event event);
/* One sentence or two on what it says. */
const char *audit_meaning(enum audit_event event);

/* Opens the trail of server in dir ("": there is none, and nothing is written). per_minute: how many lines a minute each
 * event that strangers can cause may write; the rest is counted. On failure *ret_why is one line that names the path and
 * what to do, owned by ctx: OP_DENIED, or OP_FULL where there is no room for a new file. */
must_check enum op_err audit_open(const void *ctx, const char *dir, const char *server, unsigned per_minute,
                                  const char **ret_why);
/* To be called every second or so: says what was left out. */
void audit_tick(void);
void audit_close(void);

/* Writes the event into the trail and into the log; req (may be NULL) gives its ids and the address. A line that cannot
 * be written is counted, and told once: it keeps nobody from being served. */
void audit_write(enum audit_event event, const struct http_request *req, const struct audit_facts *facts);
/* Writes it into the trail alone, for a program without a log. NULL, or why it could not be (static text of errno). */
const char *audit_append(enum audit_event event, const struct audit_facts *facts);

/* Since the start, for metrics: written into the trail, not written though they should have been, left out because
 * strangers caused too many. */
struct audit_counts {
    uint64_t written, lost, left_out;
};
struct audit_counts audit_counts(void);
