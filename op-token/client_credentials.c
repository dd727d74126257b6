#include "client_credentials.h"

#include <string.h>

#include "base/clock.h"
#include "issue.h"
#include "target.h"

static struct scope_list registered_for_itself(const void *ctx, const Rec__Client *client,
                                               const struct scope_catalogue *catalogue)
{
    struct scope_list list = {.items = mem_array(ctx, char *, client->n_scopes)};
    for (size_t i = 0; i < client->n_scopes; i++)
        if (scope_find(catalogue, client->scopes[i]) == NULL)
            list.items[list.count++] = client->scopes[i];
    return list;
}

enum op_err client_credentials_decide(const void *ctx, const Rec__Client *client, const struct scope_list *asked,
                                      const struct scope_catalogue *catalogue, struct scope_list *ret,
                                      struct oauth_error *ret_error)
{
    const char *method = client->token_endpoint_auth_method;
    if (method != NULL && strcmp(method, "none") == 0) {
        *ret_error = (struct oauth_error){OAUTH_UNAUTHORIZED_CLIENT, "a public client cannot use client_credentials"};
        return OP_INVALID;
    }
    struct scope_list own = registered_for_itself(ctx, client, catalogue);
    if (!scope_is_subset(asked, &own)) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_SCOPE,
                                          "scope asks for more than the client may have for itself, without a user"};
        return OP_INVALID;
    }
    *ret = asked->count > 0 ? *asked : own;
    return OP_OK;
}

void client_credentials_grant(struct token_request *token)
{
    const Rec__Client *client = token->client;
    struct scope_list asked, scopes;
    struct oauth_error error;
    enum op_err err = token_scopes(token, &asked, &error);
    if (err == OP_OK)
        err = client_credentials_decide(token->http, client, &asked, &token_process.catalogue, &scopes, &error);
    if (err == OP_OK)
        err = target_of_client(token->http, &token->params.resource, client, &token->audiences, &error);
    if (err != OP_OK) {
        token_refuse(token, &error);
        return;
    }
    Rec__Grant *grant = records_new(token->http, &rec__grant__descriptor);
    grant->client_id = client->client_id;
    grant->audiences = token->audiences.items;
    grant->n_audiences = token->audiences.count;
    grant->has_granted_at = true;
    grant->granted_at = clock_now();
    issue_reply(token, &(struct issue){.grant = grant, .scopes = scopes, .now = grant->granted_at});
}
