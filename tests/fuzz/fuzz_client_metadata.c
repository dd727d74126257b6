/* Client metadata: whatever is accepted keeps the rules, and registers the same when it is sent back; said by clients of
 * themselves, and by an operator over the network, who gives nobody power. */
#include <stdlib.h>
#include <string.h>

#include "operator/operate_clients.h"
#include "protocol/client_metadata.h"
#include "protocol/redirect_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char OPENID[] = "openid", EMAIL[] = "email";
static char *SCOPES[] = {OPENID, EMAIL};
static const struct scope_list SCOPE_LIST = {SCOPES, 2};
static const enum jose_alg ALGS[] = {JOSE_RS256, JOSE_ES256};
static const struct client_metadata_rules RULES = {&SCOPE_LIST, ALGS, 2};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static json_t *members(const void *ctx, const Rec__Client *client)
{
    json_t *out = json_make_object(ctx);
    client_metadata_set(ctx, out, client);
    return out;
}

static void check_registered(const void *ctx, const Rec__Client *client)
{
    struct oauth_error error;
    Rec__Client *again;
    require(client->client_id == NULL && !client->has_client_secret_hash && !client->has_first_party);
    require(client->n_audiences == 0 && !client->has_introspection_allowed);
    require(!client->has_refresh_token_idle_lifetime && !client->has_refresh_token_lifetime);
    for (size_t i = 0; i < client->n_redirect_uris; i++)
        require(redirect_uri_problem(client->redirect_uris[i], client->application_type) == NULL);
    for (size_t i = 0; i < client->n_scopes; i++)
        require(scope_has(&SCOPE_LIST, client->scopes[i]));
    json_t *first = members(ctx, client);
    require(client_metadata_read(ctx, first, &RULES, &again, &error) == OP_OK);
    require(json_equal(first, members(ctx, again)));
}

static void check_operators(const void *ctx, const json_t *document)
{
    static const struct operate_client_fresh fresh = {"the-id", "the-secret"};
    static const struct scope_catalogue none = {NULL, 0};
    static const struct operate_client_rules rules = {OPERATE_OVER_NETWORK, {3600, 86400}};
    struct refusal refusal = {NULL, NULL};
    const char *secret;
    Rec__Client *client, *again;
    if (operate_clients_make(ctx, document, &none, &rules, &fresh, &client, &secret, &refusal) != OP_OK) {
        require(refusal.what != NULL);
        return;
    }
    require(client->client_name != NULL && client->n_administration == 0 && !client->disabled && !client->has_since);
    require(client->has_client_secret_hash == (secret != NULL));
    require(client->refresh_token_idle_lifetime <= 3600 && client->refresh_token_lifetime <= 86400);
    require(client->has_refresh_token_idle_lifetime == (client->refresh_token_idle_lifetime > 0));
    json_t *first = json_make_object(ctx), *second = json_make_object(ctx);
    client_metadata_set_all(ctx, first, client);
    require(operate_clients_make(ctx, first, &none, &rules, &fresh, &again, &secret, &refusal) == OP_OK);
    client_metadata_set_all(ctx, second, again);
    require(json_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    json_t *metadata;
    Rec__Client *client;
    struct oauth_error error = {0};
    if (json_read(ctx, bytes_from(data, size), &metadata) == OP_OK && json_is_object(metadata)) {
        if (client_metadata_read(ctx, metadata, &RULES, &client, &error) == OP_OK)
            check_registered(ctx, client);
        else
            require(error.code != OAUTH_OK && error.member != NULL && strpbrk(error.description, "\"\\\r\n") == NULL);
        check_operators(ctx, metadata);
    }
    talloc_free(ctx);
    return 0;
}
