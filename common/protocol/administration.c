#include "protocol/administration.h"

#include <string.h>

static const char PREFIX[] = "admin:", READ[] = ":read";

const char *const ADMINISTRATION_NOUNS[] = {"users", "clients", "consents", "sessions", "families",
                                            "registration-tokens", "keys", "outbox", NULL};

char *administration_resource(const void *ctx, const char *issuer)
{
    return mem_printf(ctx, "%s/admin", issuer);
}

bool administration_is_asked(const struct param_list *resources, const char *resource)
{
    for (size_t i = 0; i < resources->count; i++)
        if (strcmp(resources->items[i], resource) == 0)
            return true;
    return false;
}

bool administration_is_scope(const char *scope)
{
    return strncmp(scope, PREFIX, sizeof PREFIX - 1) == 0;
}

bool administration_is_power(const char *power)
{
    for (size_t i = 0; ADMINISTRATION_NOUNS[i] != NULL; i++) {
        size_t len = strlen(ADMINISTRATION_NOUNS[i]);
        if (strncmp(power, ADMINISTRATION_NOUNS[i], len) == 0 &&
            (power[len] == '\0' || strcmp(power + len, READ) == 0))
            return true;
    }
    return false;
}

/* --- at the token endpoint --- */

static struct scope_list scopes_of(const void *ctx, const Rec__Client *client)
{
    struct scope_list list = {.items = mem_array(ctx, char *, client->n_administration)};
    for (size_t i = 0; i < client->n_administration; i++)
        list.items[list.count++] = mem_printf(ctx, "%s%s", PREFIX, client->administration[i]);
    return list;
}

static enum op_err refuse(enum oauth_code code, const char *description, struct oauth_error *ret_error)
{
    *ret_error = (struct oauth_error){code, description};
    return OP_INVALID;
}

enum op_err administration_grant(const void *ctx, const Rec__Client *client, const struct scope_list *asked,
                                 const struct param_list *resources, struct scope_list *ret,
                                 struct oauth_error *ret_error)
{
    struct scope_list own = scopes_of(ctx, client);
    if (own.count == 0)
        return refuse(OAUTH_INVALID_TARGET, "this client may not administer: opctl client change --admin says who may",
                      ret_error);
    if (resources->count != 1)
        return refuse(OAUTH_INVALID_TARGET, "a token for the administration API is for nothing else", ret_error);
    if (!scope_is_subset(asked, &own))
        return refuse(OAUTH_INVALID_SCOPE, "scope has one that this client may not have at the administration API",
                      ret_error);
    *ret = asked->count > 0 ? *asked : own;
    return OP_OK;
}

/* --- at the API --- */

char *administration_scope_for(const void *ctx, const struct administration_wish *wish)
{
    return mem_printf(ctx, "%s%s%s", PREFIX, wish->noun, wish->change ? "" : READ);
}

/* A power to change is one to look, too. */
static bool covers(const void *ctx, char *const *list, size_t count, const char *prefix,
                   const struct administration_wish *wish)
{
    return records_contain(list, count, mem_printf(ctx, "%s%s", prefix, wish->noun)) ||
           (!wish->change && records_contain(list, count, mem_printf(ctx, "%s%s%s", prefix, wish->noun, READ)));
}

static enum op_err deny(enum oauth_code code, const char *description, struct oauth_error *ret_error)
{
    *ret_error = (struct oauth_error){code, description};
    return OP_DENIED;
}

enum op_err administration_admit(const void *ctx, const struct access_token *token, const char *resource,
                                 const Rec__Client *client, enum family_verdict alive,
                                 const struct administration_wish *wish, struct oauth_error *ret_error)
{
    const Rec__Grant *grant = token->grant;
    if (!records_contain(grant->audiences, grant->n_audiences, resource))
        return deny(OAUTH_INVALID_TOKEN, "the token is not for the administration API", ret_error);
    if (grant->user_id != NULL || token->family_id.len > 0)
        return deny(OAUTH_INVALID_TOKEN, "the token is a person's: only those of client_credentials administer",
                    ret_error);
    if (client == NULL || alive != FAMILY_ALIVE)
        return deny(OAUTH_INVALID_TOKEN, "the token was revoked or what it leans on has ended", ret_error);
    if (!covers(ctx, grant->scopes, grant->n_scopes, PREFIX, wish))
        return deny(OAUTH_INSUFFICIENT_SCOPE, "the token has not the scope for this", ret_error);
    if (!covers(ctx, client->administration, client->n_administration, "", wish))
        return deny(OAUTH_INSUFFICIENT_SCOPE, "the client may not do this any more", ret_error);
    return OP_OK;
}
