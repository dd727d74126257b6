#pragma once
/* Sign-on sessions, as op-auth begins, renews and shows them. */
#include "data/records.h"
#include "runtime/http.h"
#include "store/kv.h"

struct session_start {
    struct http_request *req;
    const char *old_cookie; /* what the browser had; NULL nothing */
    const char *new_cookie; /* the secret it gets: never one it had before */
    const char *new_sid;    /* for a session that begins */
    const Rec__User *user;  /* who has just proved the password */
    const char *sid;        /* set: the session's, new or renewed */
};
/* In a transaction on the sessions environment: the user's own session of this browser goes on under a new
 * cookie with a new auth_time; somebody else's ends, and a new one begins. */
must_check enum op_err session_begin(struct kv_txn *txn, struct session_start *start);

/* The same session under a new cookie, as created at `created_at` (when `since` moved: see session_alive).
 * authenticated_at is its new auth_time, 0 to keep it. OP_ABSENT: it ended meanwhile. */
must_check enum op_err session_renew(struct kv_txn *txn, const void *ctx, Rec__Session *session, const char *new_cookie,
                                     int64_t created_at, int64_t authenticated_at);
