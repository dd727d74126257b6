#include "runtime/client_request.h"

#include <string.h>

#include "runtime/audit.h"
#include "runtime/client_proof.h"
#include "runtime/outside.h"
#include "runtime/reply.h"
#include "runtime/route.h"
#include "runtime/server.h"
#include "store/clients.h"
#include "store/guard.h"

enum { PAIRS_MAX = 64, CLIENT_ID_MAX = 255, CLIENT_SECRET_MAX = 512 };

struct client_request_settings client_request_settings;

/* --- parse --- */

static const struct param CREDENTIALS[] = {
    PARAM(struct client_auth_form, client_id, PARAM_OPTIONAL, CLIENT_ID_MAX, param_is_vschar),
    PARAM(struct client_auth_form, client_secret, PARAM_OPTIONAL, CLIENT_SECRET_MAX, param_is_vschar),
    PARAM(struct client_auth_form, client_assertion_type, PARAM_OPTIONAL, CLIENT_ID_MAX, param_is_vschar),
    PARAM(struct client_auth_form, client_assertion, PARAM_OPTIONAL, CLIENT_ASSERTION_MAX, param_is_vschar),
};

static enum op_err read_body(const struct http_request *req, struct form *ret, struct oauth_error *ret_error)
{
    const char *problem = NULL;
    if (req->has_query)
        problem = "parameters belong in the body, not in the URL"; /* RFC 6749 §2.3.1 */
    else if (!http_content_type_is(req, "application/x-www-form-urlencoded"))
        problem = "the body must be application/x-www-form-urlencoded";
    else if (http_field_count(req, "authorization") > 1)
        problem = "more than one Authorization header";
    else if (form_parse(req, req->body, PAIRS_MAX, ret) != OP_OK)
        problem = "the body is not well-formed application/x-www-form-urlencoded";
    if (problem == NULL)
        return OP_OK;
    *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, problem};
    return OP_INVALID;
}

static enum op_err read_credentials(struct http_request *req, const struct form *form, struct client_auth *ret,
                                    struct oauth_error *ret_error)
{
    struct client_auth_form credentials;
    enum op_err err = params_read(req, CREDENTIALS, sizeof CREDENTIALS / sizeof *CREDENTIALS, form, &credentials,
                                  sizeof credentials, ret_error);
    if (err == OP_OK)
        err = client_auth_parse(req, http_field(req, "authorization"), &credentials, ret, ret_error);
    return err;
}

enum op_err client_request_read_form(struct http_request *req, struct form *ret, struct client_auth *ret_auth,
                                     struct oauth_error *ret_error)
{
    struct form form;
    enum op_err err = read_body(req, &form, ret_error);
    if (err == OP_OK)
        err = read_credentials(req, &form, ret_auth, ret_error);
    if (err == OP_OK)
        *ret = form;
    return err;
}

enum op_err client_request_read(struct http_request *req, const struct param *table, size_t count, void *out,
                                size_t out_size, struct client_auth *ret_auth, struct oauth_error *ret_error)
{
    struct form form;
    enum op_err err = read_body(req, &form, ret_error);
    if (err == OP_OK)
        err = params_read(req, table, count, &form, out, out_size, ret_error);
    if (err == OP_OK)
        err = read_credentials(req, &form, ret_auth, ret_error);
    return err;
}

/* --- load, decide --- */

struct authentication {
    struct http_request *req;
    const struct client_auth *auth;
    client_request_done *done;
    void *arg;
    struct guard_limit limit;
    const char *subject; /* whom failures are counted for: a guesser locks out nobody at another address */
    unsigned wait;
    int64_t now, guard_made_at;
    Rec__Client *client;
    struct client_proof proof;
    struct oauth_error error;
};

static enum op_err load_client(struct kv_txn *txn, void *arg)
{
    struct authentication *job = arg;
    job->client = NULL;
    job->now = kv_now(txn);
    enum op_err err = guard_wait(txn, &job->limit, job->subject, &job->wait);
    if (err == OP_OK && job->auth->assertion != NULL)
        err = guard_made_at(txn, &job->guard_made_at);
    if (err == OP_OK && strlen(job->auth->client_id) <= CLIENT_ID_MAX)
        err = clients_get(txn, job->req, job->auth->client_id, &job->client);
    return err == OP_ABSENT ? OP_OK : err;
}

static enum op_err count_failure(struct kv_txn *txn, void *arg)
{
    const struct authentication *job = arg;
    return guard_count(txn, &job->limit, job->subject);
}

static struct client_assertion_rules assertion_rules(const struct authentication *job)
{
    const char **ours = mem_array(job, const char *, 3);
    ours[0] = settings.issuer;
    ours[1] = mem_printf(job, "%s/token", settings.issuer);
    ours[2] = mem_printf(job, "%s%s", settings.issuer, route_label(job->req));
    return (struct client_assertion_rules){
        .audiences = ours,
        .audience_count = 3,
        .now = job->now,
        .clock_skew = settings.clock_skew,
        .age_max = client_request_settings.assertion_age,
        .lifetime_max = client_request_settings.assertion_lifetime,
        .remembered_since = job->guard_made_at,
    };
}

/* All that can be judged at once; of an assertion the signature is left, and forget_jti_at set. */
static enum op_err decide(struct authentication *job)
{
    const struct client_assertion *assertion = job->auth->assertion;
    if (assertion != NULL) {
        struct client_assertion_rules rules = assertion_rules(job);
        if (client_assertion_decide(assertion, &rules, &job->error) != OP_OK)
            return OP_MISMATCH;
        job->proof.forget_jti_at = client_assertion_ends_at(assertion, &rules) + settings.clock_skew + 1;
    }
    enum op_err err = client_auth_decide(job->auth, job->client, &job->error);
    if (err != OP_OK && assertion != NULL)
        client_assertion_verify_in_vain(assertion);
    return err;
}

/* --- render --- */

/* A name that nobody has may be anything: something secret, typed into the wrong field. */
static void note_failure(const struct authentication *job)
{
    const char *reason = "wrong_credentials";
    if (job->client == NULL)
        reason = "unknown_client";
    else if (job->client->disabled)
        reason = "disabled_client";
    else if (job->auth->assertion != NULL)
        reason = job->proof.why != NULL ? job->proof.why : job->error.description;
    audit_write(AUDIT_CLIENT_AUTHENTICATION_FAILED, job->req, &(struct audit_facts){
        .client_id = job->client == NULL ? NULL : job->client->client_id, .reason = reason});
}

static void failure_counted(enum op_err result, void *arg)
{
    struct authentication *job = arg;
    note_failure(job);
    if (result != OP_OK)
        reply_store_error(job->req, result);
    else
        reply_oauth_error(job->req, &job->error, true);
}

static void refuse_assertion_for_a_while(const struct authentication *job)
{
    struct http_request *req = job->req;
    audit_write(AUDIT_CLIENT_ASSERTIONS_THROTTLED, req, &(struct audit_facts){.client_id = job->client->client_id});
    reply_too_many(req, job->proof.wait, "too many assertions of this client, try again later");
}

static void refuse_for_a_while(const struct authentication *job)
{
    struct http_request *req = job->req;
    audit_write(AUDIT_CLIENT_THROTTLED, req, &(struct audit_facts){
        .client_id = job->client == NULL ? NULL : job->client->client_id});
    reply_too_many(req, job->wait, "too many failed client authentications, try again later");
}

static void assertion_verified(enum op_err result, void *arg)
{
    struct authentication *job = arg;
    job->error = job->proof.error;
    if (result == OP_OK && job->proof.wait > 0)
        refuse_assertion_for_a_while(job);
    else if (result == OP_OK)
        job->done(job->client, job->arg);
    else if (result == OP_MISMATCH)
        kv_run(server_kv(), KV_GUARD, count_failure, failure_counted, job);
    else if (result == OP_BUSY && job->proof.retry_after > 0)
        reply_later(job->req, job->proof.retry_after, "the keys at the client's jwks_uri cannot be fetched at the moment");
    else
        reply_store_error(job->req, result);
}

static void verify_assertion(struct authentication *job)
{
    job->proof.req = job->req;
    job->proof.assertion = job->auth->assertion;
    job->proof.client = job->client;
    job->proof.limit = (struct guard_limit){"client_assertion", (unsigned)client_request_settings.assertions,
                                            (unsigned)client_request_settings.assertions_window};
    client_proof_verify(&job->proof, assertion_verified, job);
}

static void client_loaded(enum op_err result, void *arg)
{
    struct authentication *job = arg;
    if (result != OP_OK)
        reply_store_error(job->req, result);
    else if (job->wait > 0)
        refuse_for_a_while(job);
    else if (decide(job) != OP_OK)
        kv_run(server_kv(), KV_GUARD, count_failure, failure_counted, job);
    else if (job->auth->assertion != NULL)
        verify_assertion(job);
    else
        job->done(job->client, job->arg);
}

enum op_err client_request_start(struct server *server, const char **ret_why)
{
    return outside_start(server, ret_why);
}

void client_request_authenticate(struct http_request *req, const struct client_auth *auth, client_request_done *done,
                                 void *arg)
{
    struct authentication *job = mem_new(req, struct authentication);
    *job = (struct authentication){
        .req = req,
        .auth = auth,
        .done = done,
        .arg = arg,
        .limit = {"client_secret", (unsigned)client_request_settings.failures,
                  (unsigned)client_request_settings.failures_window},
        .subject = mem_printf(job, "%s %s", req->client_address, auth->client_id),
    };
    kv_run(server_kv(), KV_READ_ONLY, load_client, client_loaded, job);
}
