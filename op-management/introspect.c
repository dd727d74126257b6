#include "introspect.h"

#include "protocol/scope.h"
#include "runtime/access.h"
#include "runtime/alive.h"
#include "runtime/reply.h"
#include "runtime/server.h"
#include "store/families.h"

/* --- decide --- */

static bool is_meant_for(const Rec__Grant *grant, const Rec__Client *client)
{
    for (size_t i = 0; i < grant->n_audiences; i++)
        if (question_is_of_client(grant->audiences[i], client) ||
            records_contain(client->audiences, client->n_audiences, grant->audiences[i]))
            return true;
    return false;
}

static bool may_know_access_token(const Rec__Client *client, const Rec__Grant *grant)
{
    return question_is_of_client(grant->client_id, client) ||
           (client->introspection_allowed && is_meant_for(grant, client));
}

static bool is_answered(const struct introspect_facts *facts)
{
    const Rec__Family *family = facts->family;
    return family != NULL && family->grant != NULL && question_is_of_client(family->grant->client_id, facts->client) &&
           refresh_token_is_answered(&facts->token->refresh, family, &facts->windows, facts->now);
}

bool introspect_decide(const struct introspect_facts *facts)
{
    if (facts->alive != FAMILY_ALIVE)
        return false;
    switch (facts->token->kind) {
    case TOKEN_ACCESS: return may_know_access_token(facts->client, facts->token->access.grant);
    case TOKEN_REFRESH: return is_answered(facts);
    case TOKEN_UNKNOWN: break;
    }
    return false;
}

/* --- load --- */

struct introspection {
    struct question *question;
    /* set by load: */
    struct introspect_facts facts;
    struct family_facts pieces;
    bool active;
};

/* OP_OK also when there is no such family: the verdict is then FAMILY_DEAD. */
static enum op_err load_refresh_token(struct kv_txn *txn, struct introspection *job)
{
    const struct question *question = job->question;
    const void *ctx = question->http;
    Rec__Family *family;
    enum op_err err = families_get(
        txn, ctx, bytes_from(question->token.refresh.family_id, sizeof question->token.refresh.family_id), &family);
    if (err == OP_ABSENT || (err == OP_OK && family->grant == NULL))
        return OP_OK;
    if (err == OP_OK)
        err = alive_load(txn, ctx, family->grant, family, family->offline, &job->pieces);
    if (err != OP_OK)
        return err;
    job->facts.family = family;
    job->facts.alive = family_alive(&job->pieces);
    return OP_OK;
}

static enum op_err load_access_token(struct kv_txn *txn, struct introspection *job)
{
    const struct question *question = job->question;
    enum op_err err = access_load(txn, question->http, &question->token.access, &job->pieces);
    if (err == OP_OK)
        job->facts.alive = family_alive(&job->pieces);
    return err;
}

static enum op_err load(struct kv_txn *txn, void *arg)
{
    struct introspection *job = arg;
    const struct question *question = job->question;
    job->facts = (struct introspect_facts){
        .client = question->client,
        .token = &question->token,
        .alive = FAMILY_DEAD,
        .windows = {settings.lost_answer_window, settings.race_window},
        .now = kv_now(txn),
    };
    enum op_err err = OP_OK;
    if (question->token.kind == TOKEN_ACCESS)
        err = load_access_token(txn, job);
    else if (question->token.kind == TOKEN_REFRESH)
        err = load_refresh_token(txn, job);
    job->active = err == OP_OK && introspect_decide(&job->facts);
    return err;
}

/* --- render --- */

static void set_sign_in(json_t *out, const Rec__Grant *grant)
{
    if (grant->has_auth_time)
        json_set_int(out, "auth_time", grant->auth_time);
    json_set_string(out, "acr", grant->acr);
    if (grant->n_amr > 0)
        json_set_strings(out, "amr", grant->amr, grant->n_amr);
}

static void set_access_token(json_t *out, const struct access_token *token)
{
    const Rec__Grant *grant = token->grant;
    json_set_string(out, "token_type", "Bearer");
    json_set_int(out, "exp", token->exp);
    json_set_int(out, "iat", token->iat);
    json_set_string(out, "sub", token->sub);
    if (grant->n_audiences > 1)
        json_set_strings(out, "aud", grant->audiences, grant->n_audiences);
    else
        json_set_string(out, "aud", grant->audiences[0]);
    json_set_string(out, "jti", token->jti);
}

/* Only its own client hears of it. */
static void set_refresh_token(json_t *out, const Rec__Family *family, const Rec__Client *client)
{
    json_set_int(out, "exp", family_end(family, client));
    json_set_string(out, "sub", family->grant->user_id);
}

json_t *introspect_members(const void *ctx, const struct introspect_facts *facts, const Rec__User *user,
                           const char *issuer)
{
    bool access = facts->token->kind == TOKEN_ACCESS;
    const Rec__Grant *grant = access ? facts->token->access.grant : facts->family->grant;
    json_t *out = json_make_object(ctx);
    json_set_bool(out, "active", true);
    json_set_string(out, "iss", issuer);
    json_set_string(out, "client_id", grant->client_id);
    if (grant->n_scopes > 0)
        json_set_string(out, "scope", scope_text(ctx, grant->scopes, grant->n_scopes));
    if (user != NULL && records_contain(grant->scopes, grant->n_scopes, "profile"))
        json_set_string(out, "username", user->username);
    if (access)
        set_access_token(out, &facts->token->access);
    else
        set_refresh_token(out, facts->family, facts->client);
    set_sign_in(out, grant);
    return out;
}

static void loaded(enum op_err result, void *arg)
{
    const struct introspection *job = arg;
    struct http_request *req = job->question->http;
    if (result != OP_OK) {
        reply_store_error(req, result);
        return;
    }
    json_t *inactive = json_make_object(req);
    json_set_bool(inactive, "active", false);
    reply_json(req, 200,
               job->active ? introspect_members(req, &job->facts, job->pieces.user, settings.issuer) : inactive);
}

static void answer(struct question *question)
{
    if (client_is_public(question->client)) {
        reply_oauth_error(question->http,
                          &(struct oauth_error){OAUTH_INVALID_CLIENT,
                                                "only clients that authenticate may ask about tokens, and a public client cannot"},
                          true);
        return;
    }
    struct introspection *job = mem_new(question->http, struct introspection);
    job->question = question;
    kv_run(server_kv(), KV_READ_ONLY, load, loaded, job);
}

void introspect_handle(struct http_request *req)
{
    question_ask(req, answer);
}
