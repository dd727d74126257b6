#pragma once
/* New signing keys, made on a thread of their own (RSA takes up to a second), sealed there. */
#include <event2/event.h>

#include "data/digest.h"
#include "data/jose.h"

struct generated_key {
    const char *kid;
    enum jose_alg alg;
    const char *public_jwk;
    struct bytes sealed; /* the private JWK under the seal key, aad = kid */
};

struct generate_job;

/* Called on the event loop. keys are valid during the call; count is 0 when OpenSSL refused. */
typedef void generate_done(const struct generated_key *keys, size_t count, void *arg);

/* Starts making one key for each of algs (copied, as is seal_key). Owned by ctx; freeing it earlier
 * waits for the thread and calls nothing. Frees itself after done. */
struct generate_job *generate_start(const void *ctx, struct event_base *base, const enum jose_alg *algs, size_t count,
                                    const uint8_t seal_key[DIGEST_KEY_LEN], generate_done *done, void *arg);
