/* op-management: what clients and operators manage. Introspection and revocation of tokens. */
#include "introspect.h"
#include "management.h"
#include "revoke.h"
#include "runtime/client_request.h"
#include "runtime/server.h"

static const struct conf_item CONF[] = {
    CLIENT_REQUEST_CONF,
};

static const struct kv_store STORES[] = {
    {KV_TOKENS, true},   {KV_GUARD, true}, {KV_CLIENTS, false},
    {KV_USERS, false}, {KV_SESSIONS, false}, {KV_JWKS, false}, {KV_REMOTE, false},
};

static const struct route ROUTES[] = {
    {HTTP_POST, "/introspect", introspect_handle, 16 * 1024, CALLER_CLIENT, CORS_NONE},
    {HTTP_POST, "/revoke", revoke_handle, 16 * 1024, CALLER_CLIENT, CORS_CLIENT_ORIGINS},
};

static enum op_err start(struct server *server, const char **ret_why)
{
    management_process.keyring = keyring_new(server, server_kv(), NULL);
    return client_request_start(server, ret_why);
}

int main(int argc, char **argv)
{
    static const struct server_description description = {
        .name = "op-management",
        .purpose = "Introspection and revocation of Partita's tokens.",
        .conf = CONF,
        .conf_count = sizeof CONF / sizeof *CONF,
        .stores = STORES,
        .store_count = sizeof STORES / sizeof *STORES,
        .routes = ROUTES,
        .route_count = sizeof ROUTES / sizeof *ROUTES,
        .start = start,
    };
    return server_run(&description, argc, argv);
}
