#include "issue.h"

#include "base/rand.h"
#include "protocol/access_token.h"
#include "protocol/id_token.h"
#include "runtime/reply.h"
#include "runtime/settings.h"

enum { JTI_LEN = 16 };

static enum jose_alg id_token_alg(const Rec__Client *client)
{
    const char *registered = client->id_token_signed_response_alg;
    return registered == NULL ? JOSE_RS256 : jose_alg_from_name(registered);
}

bool issue_ready(const Rec__Client *client)
{
    return keyring_ready(token_process.keyring, token_process.access_token_alg) &&
           keyring_ready(token_process.keyring, id_token_alg(client));
}

Rec__Grant *issue_grant(const void *ctx, const Rec__Grant *grant, const struct scope_list *audiences,
                        const struct scope_list *scopes, const char *issuer)
{
    struct scope_list list = audiences->count > 0 ? *audiences : (struct scope_list){grant->audiences, grant->n_audiences};
    Rec__Grant *copy = mem_new(ctx, Rec__Grant);
    *copy = *grant;
    copy->audiences = mem_array(copy, char *, list.count + 1);
    copy->n_audiences = list.count;
    for (size_t i = 0; i < list.count; i++)
        copy->audiences[i] = list.items[i];
    if (scope_has(scopes, "openid") && list.count > 0 && !scope_has(&list, issuer))
        copy->audiences[copy->n_audiences++] = mem_strdup(copy, issuer);
    return copy;
}

static enum op_err sign_access_token(const struct token_request *token, const struct issue *issue, char **ret)
{
    void *ctx = token->http;
    json_t *claims = access_token_claims(ctx, &(struct access_token_input){
        .issuer = settings.issuer,
        .grant = issue_grant(ctx, issue->grant, &token->audiences, &issue->scopes, settings.issuer),
        .family_id = issue->family_id,
        .jti = rand_token(ctx, JTI_LEN),
        .now = issue->now,
        .lifetime = settings.access_token_lifetime,
        .scopes = issue->scopes.items,
        .scope_count = issue->scopes.count,
        .offline = issue->offline,
    });
    return keyring_sign(token_process.keyring, ctx, token_process.access_token_alg, ACCESS_TOKEN_TYP, claims, ret);
}

/* *ret stays NULL when the grant is not an OpenID one. */
static enum op_err sign_id_token(const struct token_request *token, const struct issue *issue, const char *access_token,
                                 char **ret)
{
    if (issue->user == NULL || !scope_has(&issue->scopes, "openid"))
        return OP_OK;
    json_t *claims = id_token_claims(token->http, &(struct id_token_input){
        .issuer = settings.issuer,
        .grant = issue->grant,
        .client = token->client,
        .user = issue->user,
        .catalogue = &token_process.catalogue,
        .access_token = access_token,
        .nonce = issue->nonce,
        .alg = id_token_alg(token->client),
        .now = issue->now,
        .lifetime = settings.id_token_lifetime,
    });
    return keyring_sign(token_process.keyring, token->http, id_token_alg(token->client), NULL, claims, ret);
}

void issue_reply(struct token_request *token, const struct issue *issue)
{
    char *access_token = NULL, *id_token = NULL;
    enum op_err err = sign_access_token(token, issue, &access_token);
    if (err == OP_OK)
        err = sign_id_token(token, issue, access_token, &id_token);
    if (err != OP_OK) {
        token_unavailable(token, err == OP_ABSENT ? OP_BUSY : err); /* the key went since issue_ready */
        return;
    }
    json_t *body = json_make_object(token->http);
    json_set_string(body, "access_token", access_token);
    json_set_string(body, "token_type", "Bearer");
    json_set_int(body, "expires_in", settings.access_token_lifetime);
    json_set_string(body, "refresh_token", issue->refresh_token);
    json_set_string(body, "id_token", id_token);
    if (issue->scopes.count > 0)
        json_set_string(body, "scope", scope_text(token->http, issue->scopes.items, issue->scopes.count));
    reply_json(token->http, 200, body);
}
