#include "code.h"

#include <string.h>

#include "base/codec.h"
#include "birth.h"
#include "protocol/pkce.h"
#include "runtime/alive.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/server.h"
#include "store/codes.h"
#include "store/families.h"
#include "target.h"

/* --- decide --- */

static enum code_verdict refuse(enum oauth_code code, const char *description, struct oauth_error *ret_error)
{
    *ret_error = (struct oauth_error){code, description};
    return CODE_REFUSE;
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* One answer for a code that never was, is somebody else's, is too old or was used: a stranger learns nothing. */
static const char UNUSABLE[] = "the code is unknown, expired, already used or was given to another client";

static enum code_verdict judge_without_code(const struct code_facts *facts, struct oauth_error *ret_error)
{
    refuse(OAUTH_INVALID_GRANT, UNUSABLE, ret_error);
    return facts->spent != NULL && same(facts->spent->client_id, facts->client_id) ? CODE_REPLAY : CODE_REFUSE;
}

static enum code_verdict judge_redirect_uri(const struct code_facts *facts, struct oauth_error *ret_error)
{
    const Rec__Code *code = facts->code;
    if (facts->redirect_uri == NULL && code->redirect_uri_was_sent)
        return refuse(OAUTH_INVALID_REQUEST, "redirect_uri is missing: the authorization request had one", ret_error);
    if (facts->redirect_uri != NULL && !same(facts->redirect_uri, code->redirect_uri))
        return refuse(OAUTH_INVALID_GRANT, "redirect_uri is not that of the authorization request", ret_error);
    return CODE_REDEEM;
}

static enum code_verdict judge_pkce(const struct code_facts *facts, struct oauth_error *ret_error)
{
    const Rec__Code *code = facts->code;
    const char *verifier = facts->code_verifier;
    if (code->code_challenge == NULL && verifier == NULL)
        return CODE_REDEEM;
    if (code->code_challenge == NULL) /* RFC 9700 §2.1.1: a challenge stripped on the way must be noticed */
        return refuse(OAUTH_INVALID_GRANT, "the authorization request had no code_challenge", ret_error);
    if (verifier == NULL)
        return refuse(OAUTH_INVALID_REQUEST, "code_verifier is missing: there was a code_challenge", ret_error);
    if (pkce_verify(verifier, code->code_challenge, code->code_challenge_method) != OP_OK)
        return refuse(OAUTH_INVALID_GRANT, "code_verifier does not fit the code_challenge", ret_error);
    return CODE_REDEEM;
}

enum code_verdict code_decide(const struct code_facts *facts, struct oauth_error *ret_error)
{
    const Rec__Code *code = facts->code;
    if (code == NULL)
        return judge_without_code(facts, ret_error);
    if (code->grant == NULL || !same(code->grant->client_id, facts->client_id) || facts->now >= code->expires_at)
        return refuse(OAUTH_INVALID_GRANT, UNUSABLE, ret_error);
    enum code_verdict verdict = judge_redirect_uri(facts, ret_error);
    if (verdict == CODE_REDEEM)
        verdict = judge_pkce(facts, ret_error);
    if (verdict == CODE_REDEEM && facts->alive != FAMILY_ALIVE)
        verdict = refuse(OAUTH_INVALID_GRANT, "what the code granted has ended", ret_error);
    return verdict;
}

/* --- first commit: the code --- */

struct redemption {
    struct token_request *token;
    struct birth *birth; /* its family id was chosen before the code is taken: the tombstone names it */
    /* set by load_and_take: */
    struct code_facts facts;
    struct family_facts family;
    enum code_verdict verdict;
    struct oauth_error error;
    bool created;   /* for a replay: the first use's family is there ... */
    const Rec__Grant *granted; /* ... with this, where it can be read ... */
    unsigned looks; /* ... after so many looks */
};

static enum op_err load(struct kv_txn *txn, struct redemption *job)
{
    struct token_request *token = job->token;
    Rec__Code *code = NULL;
    Rec__SpentCode *spent = NULL;
    job->facts = (struct code_facts){
        .alive = FAMILY_DEAD,
        .client_id = token->client->client_id,
        .redirect_uri = token->params.redirect_uri,
        .code_verifier = token->params.code_verifier,
        .now = kv_now(txn),
    };
    enum op_err err = codes_get(txn, token->http, token->params.code, &code);
    if (err == OP_ABSENT)
        err = codes_get_spent(txn, token->http, token->params.code, &spent);
    job->facts.code = code;
    job->facts.spent = spent;
    if (code == NULL || code->grant == NULL)
        return err == OP_ABSENT ? OP_OK : err;
    err = alive_load(txn, token->http, code->grant, NULL, birth_is_offline(code->grant), &job->family);
    if (err == OP_OK)
        job->facts.alive = family_alive(&job->family);
    return err;
}

static enum op_err load_and_take(struct kv_txn *txn, void *arg)
{
    struct redemption *job = arg;
    enum op_err err = load(txn, job);
    if (err != OP_OK)
        return err;
    struct token_request *token = job->token;
    job->verdict = code_decide(&job->facts, &job->error);
    if (job->verdict == CODE_REDEEM && target_of_grant(token->http, &token->params.resource, job->facts.code->grant,
                                                       &token->audiences, &job->error) != OP_OK)
        job->verdict = CODE_REFUSE;
    if (job->verdict != CODE_REDEEM)
        return OP_OK;
    Rec__Code *taken;
    return codes_take(txn, token->http, token->params.code, birth_family_id(job->birth),
                      kv_now(txn) + token_settings.tombstone_lifetime, &taken);
}

/* --- a replay --- */

static struct bytes spent_family(const struct redemption *job)
{
    const Rec__SpentCode *spent = job->facts.spent;
    return bytes_from(spent->family_id.data, spent->family_id.len);
}

static enum op_err kill_family(struct kv_txn *txn, void *arg)
{
    return families_kill(txn, spent_family(arg), "code_replayed");
}

static void family_killed(enum op_err result, void *arg)
{
    struct redemption *job = arg;
    const struct http_request *req = job->token->http;
    if (result != OP_OK) {
        token_unavailable(job->token, result);
        return;
    }
    metrics_count("partita_codes_replayed_total", 1);
    audit_write(AUDIT_CODE_REPLAYED, req, &(struct audit_facts){
        .client_id = job->facts.client_id,
        .user_id = job->granted == NULL ? NULL : job->granted->user_id,
        .sid = job->granted == NULL ? NULL : job->granted->sid,
        .object = codec_base64url(req, spent_family(job)),
    });
    token_refuse(job->token, &job->error);
}

/* The first use may stand between its two commits: of two that race with one code the first is to win, so
 * the replay waits a moment for its family. A first use that is later still finds the mark of the dead. */
enum { LOOK_EVERY_MS = 5, LOOKS_MAX = 200 };

static void look_again(evutil_socket_t fd, short what, void *arg);

static enum op_err look_for_family(struct kv_txn *txn, void *arg)
{
    struct redemption *job = arg;
    Rec__Family *family;
    enum op_err err = families_get(txn, job->token->http, spent_family(job), &family);
    job->created = err == OP_OK || err == OP_DENIED;
    job->granted = err == OP_OK ? family->grant : NULL;
    return err == OP_ABSENT || err == OP_DENIED ? OP_OK : err;
}

static void wait_or_kill(enum op_err result, void *arg)
{
    static const struct timeval pause = {.tv_usec = LOOK_EVERY_MS * 1000};
    struct redemption *job = arg;
    bool patient = result == OP_OK && !job->created && job->looks++ < LOOKS_MAX;
    if (!patient || event_base_once(server_base(), -1, EV_TIMEOUT, look_again, job, &pause) != 0)
        kv_run(server_kv(), KV_TOKENS, kill_family, family_killed, job);
}

static void look_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    kv_run(server_kv(), KV_READ_ONLY, look_for_family, wait_or_kill, arg);
}

static void code_taken(enum op_err result, void *arg)
{
    struct redemption *job = arg;
    if (result != OP_OK)
        token_unavailable(job->token, result);
    else if (job->verdict == CODE_REFUSE)
        token_refuse(job->token, &job->error);
    else if (job->verdict == CODE_REPLAY)
        kv_run(server_kv(), KV_READ_ONLY, look_for_family, wait_or_kill, job);
    else
        birth_give(job->birth, job->facts.code->grant, job->family.user, job->facts.now, UNUSABLE);
}

void code_grant(struct token_request *token)
{
    if (token->params.code == NULL) {
        token_refuse(token, &(struct oauth_error){OAUTH_INVALID_REQUEST, "code is missing"});
        return;
    }
    struct redemption *job = mem_new(token->http, struct redemption);
    job->token = token;
    job->birth = birth_prepare(token);
    kv_run(server_kv(), KV_CODES, load_and_take, code_taken, job);
}
