#pragma once
/* Passwords are hashed on a few threads of idle priority, so that with every one of them busy any other
 * request is still answered. The queue is bounded; results come back on the event loop, which alone calls
 * these functions. */
#include <event2/event.h>

#include "data/password.h"

struct password_pool;

/* Starts threads. Freed with ctx (waits for the hashes under way; what is queued is dropped, its callers
 * are not called). Aborts when not one thread can be had. */
struct password_pool *password_pool_new(const void *ctx, struct event_base *base, unsigned threads, unsigned queue_max,
                                        struct password_cost cost);

/* A refusal comes no sooner than the dearest imported hash took that this pool has seen, 2 s at most, so that it does
 * not tell whose hash was imported (and so, who has an account). No thread waits meanwhile.
 * result: OP_OK it is the password, OP_MISMATCH, or OP_INVALID (a stored hash we do not know). new_phc: a
 * hash to be stored, or NULL; valid during the call. */
typedef void password_done(enum op_err result, const char *new_phc, void *arg);

struct password_job {
    const char *password;     /* what was typed; NULL: nothing is verified, new_password is hashed */
    const char *phc;          /* the stored hash; NULL: nobody's, which costs the same and is a mismatch */
    const char *new_password; /* to be hashed when password is right; NULL: the same one, when its hash is stale */
};
/* Copies the job and calls done later on the event loop, exactly once. OP_BUSY: the queue is full, and done
 * is not called. Never blocks. */
must_check enum op_err password_pool_run(struct password_pool *pool, const struct password_job *job,
                                         password_done *done, void *arg);
/* How many are queued or being hashed, and how many may be. */
unsigned password_pool_length(const struct password_pool *pool);
unsigned password_pool_limit(const struct password_pool *pool);
/* True when a job would be refused now. */
bool password_pool_full(const struct password_pool *pool);
