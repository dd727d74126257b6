#include "revoke.h"

#include "base/codec.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "store/families.h"
#include "store/revoked_tokens.h"

/* --- decide --- */

/* RFC 6749 §5.2 has a name for it: "was issued to another client". */
static struct revoke_plan refuse(void)
{
    return (struct revoke_plan){
        .action = REVOKE_REFUSE,
        .error = {OAUTH_INVALID_GRANT, "the token was issued to another client"},
    };
}

static struct revoke_plan judge_access_token(const struct revoke_facts *facts)
{
    const struct access_token *token = &facts->token->access;
    if (!question_is_of_client(token->grant->client_id, facts->client))
        return refuse();
    if (token->family_id.len == 0)
        return (struct revoke_plan){.action = REVOKE_TOKEN};
    return (struct revoke_plan){.action = REVOKE_FAMILY, .family_id = token->family_id};
}

static struct revoke_plan judge_refresh_token(const struct revoke_facts *facts)
{
    const struct refresh_token *token = &facts->token->refresh;
    const Rec__Family *family = facts->family;
    if (family == NULL || family->grant == NULL || !refresh_token_is_kept(token, family))
        return (struct revoke_plan){.action = REVOKE_NOTHING};
    if (!question_is_of_client(family->grant->client_id, facts->client))
        return refuse();
    return (struct revoke_plan){
        .action = family->dead ? REVOKE_NOTHING : REVOKE_FAMILY,
        .family_id = bytes_from(token->family_id, sizeof token->family_id),
    };
}

struct revoke_plan revoke_decide(const struct revoke_facts *facts)
{
    switch (facts->token->kind) {
    case TOKEN_ACCESS: return judge_access_token(facts);
    case TOKEN_REFRESH: return judge_refresh_token(facts);
    case TOKEN_UNKNOWN: break;
    }
    return (struct revoke_plan){.action = REVOKE_NOTHING};
}

/* --- load, apply --- */

struct revocation {
    struct question *question;
    struct revoke_plan plan; /* set by judge_and_revoke ... */
    const Rec__Grant *grant; /* ... of the token; NULL: unknown */
};

static enum op_err apply(struct kv_txn *txn, const struct revocation *job)
{
    const struct access_token *access = &job->question->token.access;
    switch (job->plan.action) {
    case REVOKE_FAMILY: return families_kill(txn, job->plan.family_id, "revoked");
    case REVOKE_TOKEN: return revoked_tokens_add(txn, access->jti, access->exp);
    case REVOKE_NOTHING:
    case REVOKE_REFUSE: break;
    }
    return OP_OK;
}

static enum op_err judge_and_revoke(struct kv_txn *txn, void *arg)
{
    struct revocation *job = arg;
    const struct question *question = job->question;
    Rec__Family *family = NULL;
    enum op_err err = OP_OK;
    if (question->token.kind == TOKEN_REFRESH)
        err = families_get_any(
            txn, question->http,
            bytes_from(question->token.refresh.family_id, sizeof question->token.refresh.family_id), &family);
    if (err != OP_OK && err != OP_ABSENT)
        return err;
    job->grant = family != NULL ? family->grant : question->token.access.grant;
    job->plan = revoke_decide(&(struct revoke_facts){question->client, &question->token, family});
    return apply(txn, job);
}

/* --- render --- */

static void note(const struct revocation *job)
{
    const struct http_request *req = job->question->http;
    bool family = job->plan.action == REVOKE_FAMILY;
    metrics_count("partita_tokens_revoked_total", 1);
    audit_write(AUDIT_TOKEN_REVOKED, req, &(struct audit_facts){
        .client_id = job->question->client->client_id,
        .user_id = job->grant == NULL ? NULL : job->grant->user_id,
        .sid = job->grant == NULL ? NULL : job->grant->sid,
        .object = family ? codec_base64url(req, job->plan.family_id) : job->question->token.access.jti,
        .reason = family ? "family" : "access_token",
    });
}

/* §2.2: the client ignores the content. */
static void reply_done(struct http_request *req)
{
    http_set_field(req, "Cache-Control", "no-store");
    http_set_field(req, "Pragma", "no-cache");
    http_reply(req, 200, NULL, bytes_of(NULL));
}

static void revoked(enum op_err result, void *arg)
{
    const struct revocation *job = arg;
    struct http_request *req = job->question->http;
    if (result != OP_OK) {
        reply_store_error(req, result);
        return;
    }
    if (job->plan.action == REVOKE_REFUSE) {
        reply_oauth_error(req, &job->plan.error, true);
        return;
    }
    if (job->plan.action != REVOKE_NOTHING)
        note(job);
    reply_done(req);
}

static void answer(struct question *question)
{
    struct revocation *job = mem_new(question->http, struct revocation);
    job->question = question;
    kv_run(server_kv(), KV_TOKENS, judge_and_revoke, revoked, job);
}

void revoke_handle(struct http_request *req)
{
    question_ask(req, answer);
}
