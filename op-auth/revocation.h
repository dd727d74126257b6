#pragma once
/* Signing an account out everywhere, and setting another password, which does the same. */
#include "runtime/http.h"
#include "stored_password.h"
#include "who.h"

struct revocation {
    struct http_request *req;
    struct who who;                            /* who asked: this session is renewed, all others end */
    const struct stored_password *password;    /* NULL: it stays */
    const char *new_cookie;                    /* out: the asking session's, to be set with the reply */
    int64_t since;                             /* out */
    bool has_set_password;                     /* out, whatever the result */
    void (*done)(enum op_err result, struct revocation *revocation);
    void *arg;                                 /* of whoever runs it */
};

/* Commits one after the other, what takes power away first: the user's `since`, the password and `since` once more, the
 * sessions. A crash between them leaves the account signed out, at worst under the old password. done gets OP_MISMATCH when the
 * password was changed by somebody else meanwhile, OP_ABSENT when user or session are gone. Never blocks. */
void revocation_run(struct revocation *revocation);
