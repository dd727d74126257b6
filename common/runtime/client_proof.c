#include "runtime/client_proof.h"

#include "base/clock.h"
#include "protocol/client_auth.h"
#include "runtime/outside.h"
#include "runtime/server.h"

enum { NO_KEY_SET_RETRY_S = 60 };

struct verification {
    struct client_proof *proof;
    client_proof_done *done;
    void *arg;
    bool asked_anew;
};

static void end(struct verification *job, enum op_err result)
{
    job->done(result, job->arg);
}

static void refuse(struct verification *job, const char *why, const char *description)
{
    job->proof->why = why;
    job->proof->error = (struct oauth_error){OAUTH_INVALID_CLIENT, description};
    end(job, OP_MISMATCH);
}

/* --- the jti --- */

static enum op_err use_jti(struct kv_txn *txn, void *arg)
{
    struct client_proof *proof = ((struct verification *)arg)->proof;
    const char *client_id = proof->client->client_id;
    enum op_err err = guard_try(txn, &proof->limit, client_id, &proof->wait);
    if (err == OP_OK && proof->wait == 0)
        err = guard_use_jti(txn, client_id, proof->assertion->jti, proof->forget_jti_at);
    return err; /* one that was used before is not counted: its OP_EXISTS undoes that */
}

static void jti_used(enum op_err result, void *arg)
{
    if (result == OP_EXISTS)
        refuse(arg, "its jti was used before", "the assertion was used before: each one needs a jti of its own");
    else
        end(arg, result);
}

/* --- the keys --- */

static void verify_with(struct verification *job, struct bytes jwks, bool may_ask_anew);

static void keys_came(const struct outside_answer *answer, void *arg)
{
    struct verification *job = arg;
    if (answer->err != OP_OK) {
        job->proof->retry_after = answer->retry_after;
        end(job, answer->err);
        return;
    }
    const Rec__Document *document = answer->document;
    verify_with(job, bytes_from(document->body.data, document->body.len), !job->asked_anew);
}

/* A client that has changed its keys may have published the new ones since they were fetched. */
static void ask_anew(struct verification *job)
{
    job->asked_anew = true;
    outside_get(job->proof->req, job->proof->client->jwks_uri, clock_now_ms(), keys_came, job);
}

static void verify_with(struct verification *job, struct bytes jwks, bool may_ask_anew)
{
    enum op_err err = client_assertion_verify(job->proof->assertion, jwks);
    if (err == OP_OK) {
        kv_run(server_kv(), KV_GUARD, use_jti, jti_used, job);
    } else if (err == OP_MISMATCH) {
        refuse(job, "a wrong signature", CLIENT_AUTH_FAILED);
    } else if (may_ask_anew) {
        ask_anew(job);
    } else if (err == OP_ABSENT) {
        refuse(job, "no key of the client fits", CLIENT_AUTH_FAILED);
    } else { /* what stands there is no JWK Set, which says nothing about who asks */
        job->proof->retry_after = NO_KEY_SET_RETRY_S;
        end(job, OP_BUSY);
    }
}

void client_proof_verify(struct client_proof *proof, client_proof_done *done, void *arg)
{
    struct verification *job = mem_new(proof->req, struct verification);
    *job = (struct verification){.proof = proof, .done = done, .arg = arg};
    if (proof->client->jwks != NULL)
        verify_with(job, bytes_of(proof->client->jwks), false);
    else if (proof->client->jwks_uri != NULL)
        outside_get(proof->req, proof->client->jwks_uri, 0, keys_came, job);
    else
        refuse(job, "the client has no keys", CLIENT_AUTH_FAILED);
}
