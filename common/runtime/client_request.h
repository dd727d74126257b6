#pragma once
/* A request that a client makes itself, from server to server: a form in the body, and proof of who sends it
 * (RFC 6749 §2.3, §3.2). Written once for all endpoints of CALLER_CLIENT. Needs clients and remote open, and guard
 * open for writing. */
#include "data/records.h"
#include "protocol/client_auth.h"
#include "protocol/params.h"
#include "runtime/conf.h"
#include "runtime/http.h"
#include "runtime/outside.h"

/* Guesses at secrets: counted across endpoints, servers and instances. */
struct client_request_settings {
    int64_t failures;        /* failed authentications per client and address ... */
    int64_t failures_window; /* ... in so many seconds */
    int64_t assertion_age;      /* seconds, as age_max ... */
    int64_t assertion_lifetime; /* ... and lifetime_max of struct client_assertion_rules */
    int64_t assertions;         /* accepted of one client ... */
    int64_t assertions_window;  /* ... in so many seconds: the jti of each is kept for a while */
};
extern struct client_request_settings client_request_settings;

/* Rows for the CONF table of each server that authenticates clients. */
#define CLIENT_REQUEST_CONF                                                                                            \
    {.name = "client_secret_failures", .type = CONF_NUMBER, .def = "30", .min = 1, .max = 100000, .unit = "failures",  \
     .target = &client_request_settings.failures,                                                                      \
     .help = "Failed authentications of one client from one address before it is asked to wait."},                     \
    {.name = "client_secret_failures_window", .type = CONF_DURATION, .def = "1min", .min = 1, .max = 86400,            \
     .unit = "s", .target = &client_request_settings.failures_window,                                                  \
     .help = "The time in which that many failures are forgotten."},                                                   \
    {.name = "client_assertion_age", .type = CONF_DURATION, .def = "5min", .min = 1, .max = 3600, .unit = "s",         \
     .target = &client_request_settings.assertion_age,                                                                 \
     .help = "How long after its iat an assertion (private_key_jwt) is accepted, or how long before its exp where it " \
             "has no iat."},                                                                                           \
    {.name = "client_assertion_lifetime", .type = CONF_DURATION, .def = "1h", .min = 1, .max = 86400, .unit = "s",     \
     .target = &client_request_settings.assertion_lifetime,                                                            \
     .help = "How far exp of an assertion may be from its iat."},                                                      \
    {.name = "client_assertions", .type = CONF_NUMBER, .def = "20000", .min = 1, .max = 1000000, .unit = "assertions", \
     .target = &client_request_settings.assertions,                                                                    \
     .help = "Assertions of one client that are accepted before it is asked to wait: each is kept in guard, so that "  \
             "it is accepted once."},                                                                                  \
    {.name = "client_assertions_window", .type = CONF_DURATION, .def = "10min", .min = 1, .max = 86400, .unit = "s",   \
     .target = &client_request_settings.assertions_window,                                                             \
     .help = "The time in which that many assertions are forgotten."},                                                 \
    OUTSIDE_CONF

/* Rows for its METRICS table. */
#define CLIENT_REQUEST_METRICS OUTSIDE_METRICS

/* For the start hook. On failure *ret_why is one line (owned by server). */
must_check enum op_err client_request_start(struct server *server, const char **ret_why);

/* Reads the body's form: the endpoint's own parameters into out (see params_read), and how the client
 * authenticates from the Authorization header or client_id, client_secret and client_assertion, which are not of the
 * table. All is owned by req. OP_INVALID with invalid_request (parameters in the URL, another media type, a
 * malformed form or header, a parameter twice) or invalid_client. */
must_check enum op_err client_request_read(struct http_request *req, const struct param *table, size_t count, void *out,
                                           size_t out_size, struct client_auth *ret_auth,
                                           struct oauth_error *ret_error);

/* The same for an endpoint that takes more than a table of parameters: the whole form. */
must_check enum op_err client_request_read_form(struct http_request *req, struct form *ret,
                                                struct client_auth *ret_auth, struct oauth_error *ret_error);

/* client is authenticated and not disabled, owned by req. */
typedef void client_request_done(Rec__Client *client, void *arg);

/* Loads and judges the client. Either done is called, once, perhaps before this returns, or the request is
 * answered and freed: 401 invalid_client (the same bytes for an unknown client and a wrong secret or signature), 429
 * after too many failures or assertions, 503 of the store or where the client's keys cannot be fetched. auth and arg are owned by req.
 * Does not block. */
void client_request_authenticate(struct http_request *req, const struct client_auth *auth, client_request_done *done,
                                 void *arg);
