#include "refresh.h"

#include <string.h>

#include "base/codec.h"
#include "issue.h"
#include "runtime/alive.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/server.h"
#include "store/families.h"
#include "target.h"

/* --- decide --- */

static struct refresh_plan refuse(enum refresh_action action, enum oauth_code code, const char *description)
{
    return (struct refresh_plan){.action = action, .error = {code, description}};
}

/* One answer for a token that never was, is somebody else's, or is dead: a stranger learns nothing. */
static struct refresh_plan unusable(enum refresh_action action)
{
    return refuse(action, OAUTH_INVALID_GRANT,
                  "the refresh token is unknown, expired, revoked or was given to another client");
}

static bool is_of_client(const Rec__Family *family, const Rec__Client *client)
{
    return family->grant != NULL && family->grant->client_id != NULL && client->client_id != NULL &&
           strcmp(family->grant->client_id, client->client_id) == 0;
}

static struct refresh_plan answer(const struct refresh_facts *facts, enum refresh_verdict verdict)
{
    const Rec__Grant *grant = facts->family->grant;
    struct scope_list granted = {grant->scopes, grant->n_scopes};
    if (!scope_is_subset(&facts->asked, &granted))
        return refuse(REFRESH_REFUSE, OAUTH_INVALID_SCOPE, "scope asks for more than was granted");
    struct refresh_plan plan = {
        .action = REFRESH_ANSWER,
        .rotate = verdict == REFRESH_CURRENT && refresh_rotates(facts->client),
        .touch = facts->now - facts->family->last_used >= facts->idle_lifetime / 10,
        .scopes = facts->asked.count > 0 ? facts->asked : granted,
    };
    refresh_token_next(facts->k, facts->presented, &plan.next);
    plan.answer = verdict == REFRESH_RETRY || plan.rotate ? plan.next : *facts->presented;
    return plan;
}

struct refresh_plan refresh_decide(const struct refresh_facts *facts)
{
    if (facts->family == NULL || !is_of_client(facts->family, facts->client) || facts->alive != FAMILY_ALIVE)
        return unusable(REFRESH_REFUSE);
    enum refresh_verdict verdict =
        refresh_judge(facts->k, facts->presented, facts->family, &facts->windows, facts->now);
    switch (verdict) {
    case REFRESH_CURRENT:
    case REFRESH_RETRY:
        return answer(facts, verdict);
    case REFRESH_THEFT:
        return unusable(REFRESH_KILL);
    case REFRESH_INVALID:
        break;
    }
    return unusable(REFRESH_REFUSE);
}

/* --- load, apply --- */

struct renewal {
    struct token_request *token;
    struct refresh_token presented;
    struct scope_list asked;
    /* set by judge_and_rotate: */
    Rec__Family *family;
    struct family_facts facts;
    struct refresh_plan plan;
    int64_t now;
};

static struct bytes family_id_of(const struct renewal *job)
{
    return bytes_from(job->presented.family_id, sizeof job->presented.family_id);
}

static enum op_err load(struct kv_txn *txn, struct renewal *job, enum family_verdict *ret_alive)
{
    const void *ctx = job->token->http;
    job->family = NULL;
    job->facts = (struct family_facts){0};
    enum op_err err = families_get(txn, ctx, family_id_of(job), &job->family);
    if (err == OP_ABSENT || (err == OP_OK && job->family->grant == NULL)) {
        *ret_alive = FAMILY_DEAD;
        return OP_OK;
    }
    if (err == OP_OK)
        err = alive_load(txn, ctx, job->family->grant, job->family, job->family->offline, &job->facts);
    if (err == OP_OK)
        *ret_alive = family_alive(&job->facts);
    return err;
}

static int64_t idle_lifetime_of(const struct renewal *job)
{
    return family_idle_lifetime(settings.refresh_token_idle_lifetime, job->family, job->facts.client);
}

static enum op_err write_use(struct kv_txn *txn, struct renewal *job)
{
    Rec__Family *family = job->family;
    const struct refresh_plan *plan = &job->plan;
    bool changed = refresh_apply(job->token->http, family, &job->presented, &plan->next, plan->rotate, job->now);
    if (!changed && !plan->touch)
        return OP_OK;
    family->has_last_used = family->has_idle_expires_at = true;
    family->last_used = job->now;
    family->idle_expires_at = job->now + idle_lifetime_of(job);
    return families_update(txn, family);
}

static enum op_err judge_and_rotate(struct kv_txn *txn, void *arg)
{
    struct renewal *job = arg;
    enum family_verdict alive;
    enum op_err err = load(txn, job, &alive);
    if (err != OP_OK)
        return err;
    job->now = kv_now(txn);
    job->plan = refresh_decide(&(struct refresh_facts){
        .k = token_process.refresh_key,
        .presented = &job->presented,
        .family = job->family,
        .alive = alive,
        .client = job->token->client,
        .asked = job->asked,
        .windows = {settings.lost_answer_window, settings.race_window},
        .idle_lifetime = job->family == NULL ? 0 : idle_lifetime_of(job),
        .now = job->now,
    });
    struct token_request *token = job->token;
    if (job->plan.action == REFRESH_ANSWER && target_of_grant(token->http, &token->params.resource, job->family->grant,
                                                              &token->audiences, &job->plan.error) != OP_OK)
        job->plan.action = REFRESH_REFUSE;
    switch (job->plan.action) {
    case REFRESH_ANSWER:
        return write_use(txn, job);
    case REFRESH_KILL:
        return families_kill(txn, family_id_of(job), "refresh_replayed");
    case REFRESH_REFUSE:
        break;
    }
    return OP_OK;
}

/* --- render --- */

static void note_theft(const struct renewal *job)
{
    const struct http_request *req = job->token->http;
    metrics_count("partita_refresh_tokens_replayed_total", 1);
    audit_write(AUDIT_REFRESH_TOKEN_REPLAYED, req, &(struct audit_facts){
        .client_id = job->token->client->client_id,
        .user_id = job->family->grant->user_id,
        .sid = job->family->grant->sid,
        .object = codec_base64url(req, family_id_of(job)),
    });
}

static void reply_tokens(const struct renewal *job)
{
    struct token_request *token = job->token;
    issue_reply(token, &(struct issue){
        .grant = job->family->grant,
        .scopes = job->plan.scopes,
        .family_id = family_id_of(job),
        .offline = job->family->offline,
        .user = job->facts.user,
        .refresh_token = refresh_token_text(token->http, &job->plan.answer),
        .now = job->now,
    });
}

static void rotated(enum op_err result, void *arg)
{
    struct renewal *job = arg;
    if (result != OP_OK) {
        token_unavailable(job->token, result);
    } else if (job->plan.action == REFRESH_ANSWER) {
        reply_tokens(job);
    } else {
        if (job->plan.action == REFRESH_KILL)
            note_theft(job);
        token_refuse(job->token, &job->plan.error);
    }
}

void refresh_grant(struct token_request *token)
{
    struct oauth_error error = {OAUTH_INVALID_REQUEST, "refresh_token is missing"};
    struct renewal *job = mem_secret(mem_new(token->http, struct renewal));
    job->token = token;
    if (token->params.refresh_token == NULL || token_scopes(token, &job->asked, &error) != OP_OK) {
        token_refuse(token, &error);
        return;
    }
    if (refresh_token_parse(token->params.refresh_token, &job->presented) != OP_OK) {
        token_refuse(token, &(struct oauth_error){OAUTH_INVALID_GRANT, "the refresh token is not one of ours"});
        return;
    }
    kv_run(server_kv(), KV_TOKENS, judge_and_rotate, rotated, job);
}
