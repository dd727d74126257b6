#include "client_credentials.h"

#include <string.h>

#include "base/clock.h"
#include "issue.h"
#include "protocol/administration.h"
#include "runtime/settings.h"
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
                                          "scope asks for more than the client may have for itself, without a user; "
                                          "scopes of the administration API come with its resource"};
        return OP_INVALID;
    }
    *ret = asked->count > 0 ? *asked : own;
    return OP_OK;
}

/* What the token is for, and what it may. */
static enum op_err aim(struct token_request *token, const struct scope_list *asked, struct scope_list *ret,
                       struct oauth_error *ret_error)
{
    void *ctx = token->http;
    const struct param_list *resources = &token->params.resource;
    char *administration = administration_resource(ctx, settings.issuer);
    struct scope_list scopes;
    enum op_err err;
    if (administration_is_asked(resources, administration)) {
        err = administration_grant(ctx, token->client, asked, resources, &scopes, ret_error);
        token->audiences = (struct scope_list){.items = mem_array(ctx, char *, 1), .count = 1};
        token->audiences.items[0] = administration;
    } else {
        err = client_credentials_decide(ctx, token->client, asked, &token_process.catalogue, &scopes, ret_error);
        if (err == OP_OK)
            err = target_of_client(ctx, resources, token->client, &token->audiences, ret_error);
    }
    if (err == OP_OK)
        *ret = scopes;
    return err;
}

void client_credentials_grant(struct token_request *token)
{
    const Rec__Client *client = token->client;
    struct scope_list asked, scopes;
    struct oauth_error error;
    enum op_err err = token_scopes(token, &asked, &error);
    if (err == OP_OK)
        err = aim(token, &asked, &scopes, &error);
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
