#pragma once
/* A person sets another password: the present one is verified on the pool, then everything that was signed
 * in or granted before dies, and the session that asked goes on. The person is told by mail. */
#include "revocation.h"

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 1024 }; /* bytes */

struct password_change {
    struct http_request *req;
    struct who who;
    const char *current, *wanted, *repeated; /* as typed */
    struct stored_password stored;
    Rec__Message *notice; /* NULL: nobody is told */
    struct revocation revocation;
};

/* Pure: the key of the message that says what is wrong with what was typed, NULL when nothing is. */
const char *password_change_judge(const char *current, const char *wanted, const char *repeated);

/* Answers: with the account page, or a redirect to it. Frees req. */
void password_change_run(struct password_change *change);
