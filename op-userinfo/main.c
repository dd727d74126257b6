/* op-userinfo: claims about a person for whoever holds a live access token with the scope openid. */
#include "runtime/key_metrics.h"
#include "runtime/server.h"
#include "userinfo.h"

static const struct kv_store STORES[] = {
    {KV_TOKENS, false}, {KV_CLIENTS, false}, {KV_USERS, false}, {KV_SESSIONS, false}, {KV_JWKS, false},
};

static const struct route ROUTES[] = {
    {HTTP_GET | HTTP_POST, "/userinfo", userinfo_handle, 16 * 1024, CALLER_BEARER, CORS_CLIENT_ORIGINS,
     "Claims about the person of an access token (OpenID Connect Core 1.0, section 5.3)."},
};

static const struct metric METRICS[] = {KEY_METRICS};

static enum op_err start(struct server *server, const char **ret_why)
{
    enum op_err err = scope_catalogue_make(server, settings.custom_scopes.items, settings.custom_scopes.count,
                                           &userinfo_process.catalogue, ret_why);
    if (err == OP_OK)
        userinfo_process.keyring = keyring_new(server, server_kv(), NULL);
    return err;
}

/* The access tokens that it judges are signed with it. */
static const char *not_ready(struct server *server)
{
    (void)server;
    enum jose_alg alg = jose_alg_from_name(settings.access_token_alg);
    return keyring_not_ready(userinfo_process.keyring, &alg, 1);
}

int main(int argc, char **argv)
{
    static const struct server_description description = {
        .name = "op-userinfo",
        .purpose = "The userinfo endpoint of Partita.",
        SERVER_STORES(STORES),
        SERVER_ROUTES(ROUTES),
        SERVER_METRICS(METRICS),
        .start = start,
        .not_ready = not_ready,
    };
    return server_run(&description, argc, argv);
}
