#pragma once
/* Verifies a client's assertion with the keys it registered, by value or by jwks_uri, and uses up its jti. For
 * client_request.c. Needs remote open, and guard open for writing. */
#include "protocol/client_assertion.h"
#include "runtime/http.h"
#include "store/guard.h"

struct client_proof {
    struct http_request *req;
    const struct client_assertion *assertion; /* judged already: client_assertion_decide */
    const Rec__Client *client;                /* judged already: client_auth_decide */
    int64_t forget_jti_at;
    struct guard_limit limit; /* of accepted assertions, per client */
    /* the verdict: */
    struct oauth_error error; /* OP_MISMATCH: a stranger gets the words that every failure has ... */
    const char *why;          /* ... and the log these; static */
    unsigned retry_after;     /* OP_BUSY, seconds; 0: as for the store's */
    unsigned wait;            /* OP_OK, seconds: not 0 when the assertion holds and is one too many; its jti is not used up */
};
/* OP_OK; OP_MISMATCH: no such key, a wrong signature, a jti that was used before; OP_BUSY: the client's keys cannot be had
 * now, which says nothing about the client; else the store's. */
typedef void client_proof_done(enum op_err result, void *arg);

/* proof is owned by req. done is called once, perhaps before this returns. Does not block. */
void client_proof_verify(struct client_proof *proof, client_proof_done *done, void *arg);
