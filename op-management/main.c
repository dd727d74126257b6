/* op-management: what clients and operators manage. Introspection and revocation of tokens; registration of
 * clients and the management of what was registered; the administration API. */
#include <string.h>

#include "admin.h"
#include "introspect.h"
#include "management.h"
#include "protocol/administration.h"
#include "register.h"
#include "registration.h"
#include "revoke.h"
#include "runtime/client_request.h"
#include "runtime/key_metrics.h"
#include "runtime/registration.h"
#include "runtime/server.h"

static const char *registration_scopes_check(const char *text)
{
    for (const char *word = text; *(word += strspn(word, " \t,")) != '\0'; word += strcspn(word, " \t,"))
        if (administration_is_scope(word))
            return "a scope of the administration API cannot be registered";
    return NULL;
}

static const struct conf_item CONF[] = {
    CLIENT_REQUEST_CONF,
    REGISTRATION_CONF,
    {.name = "registration_scopes", .type = CONF_LIST, .def = "openid profile email address phone offline_access",
     .min = 0, .max = 100, .target = &register_settings.scopes, .check = registration_scopes_check,
     .help = "What a client may register for itself; one that names no scope gets all of them."},
    {.name = "registration_limit", .type = CONF_NUMBER, .def = "20", .min = 1, .max = 100000, .unit = "clients",
     .target = &register_settings.limit,
     .help = "Clients that one address may register without an initial access token before it is asked to wait."},
    {.name = "registration_limit_window", .type = CONF_DURATION, .def = "1h", .min = 1, .max = 86400, .unit = "s",
     .target = &register_settings.limit_window, .help = "The time in which that many registrations are forgotten."},
    {.name = "registration_updates", .type = CONF_NUMBER, .def = "30", .min = 1, .max = 100000, .unit = "updates",
     .target = &register_settings.client_updates,
     .help = "Updates that one client may make of its registration before it is asked to wait."},
    {.name = "registration_address_updates", .type = CONF_NUMBER, .def = "300", .min = 1, .max = 100000,
     .unit = "updates", .target = &register_settings.address_updates,
     .help = "Updates of registrations, whichever, that may come from one address before it is asked to wait."},
    {.name = "registration_updates_window", .type = CONF_DURATION, .def = "1h", .min = 1, .max = 86400, .unit = "s",
     .target = &register_settings.updates_window, .help = "The time in which that many updates are forgotten."},
    {.name = "administration", .type = CONF_BOOL, .def = "yes", .target = &admin_is_on,
     .help = "Whether /admin/v1 is served: to clients that opctl client add --admin gave power, and nobody else."},
};

static const struct kv_store STORES[] = {
    {KV_TOKENS, true},   {KV_GUARD, true}, {KV_CLIENTS, true},
    {KV_USERS, true}, {KV_CREDENTIALS, true}, {KV_SESSIONS, true}, {KV_OUTBOX, true}, {KV_JWKS, false}, {KV_REMOTE, false},
};

static const struct route ROUTES[] = {
    {HTTP_POST, "/introspect", introspect_handle, 16 * 1024, CALLER_CLIENT, CORS_NONE,
     "Whether a token is good, and what it says (RFC 7662)."},
    {HTTP_POST, "/revoke", revoke_handle, 16 * 1024, CALLER_CLIENT, CORS_CLIENT_ORIGINS, "Ends a token (RFC 7009)."},
    {HTTP_POST, "/register", register_handle, 32 * 1024, CALLER_BEARER, CORS_NONE,
     "Registers a client (RFC 7591, OpenID Connect Dynamic Client Registration 1.0)."},
    {HTTP_GET | HTTP_PUT | HTTP_DELETE, "/register/*", registration_handle, 32 * 1024, CALLER_BEARER, CORS_NONE,
     "Shows, replaces and ends a registration (RFC 7592)."},
};

static const struct metric METRICS[] = {
    {"partita_tokens_revoked_total", "Tokens that a client ended at /revoke."},
    {"partita_clients_registered_total", "Clients registered at /register."},
    {"partita_administration_changes_total", "Changes made through /admin/v1."},
    CLIENT_REQUEST_METRICS,
    KEY_METRICS,
};

static enum op_err start(struct server *server, const char **ret_why)
{
    management_process.keyring = keyring_new(server, server_kv(), NULL);
    if (admin_is_on)
        admin_start(server);
    return client_request_start(server, ret_why);
}

/* The access tokens that it judges are signed with it. */
static const char *not_ready(struct server *server)
{
    (void)server;
    enum jose_alg alg = jose_alg_from_name(settings.access_token_alg);
    return keyring_not_ready(management_process.keyring, &alg, 1);
}

int main(int argc, char **argv)
{
    struct server_description description = {
        .name = "op-management",
        .purpose = "Introspection and revocation of Partita's tokens; registration of clients; administration.",
        SERVER_CONF(CONF),
        SERVER_STORES(STORES),
        SERVER_METRICS(METRICS),
        .start = start,
        .not_ready = not_ready,
    };
    description.routes = admin_routes(ROUTES, sizeof ROUTES / sizeof *ROUTES, &description.route_count);
    return server_run(&description, argc, argv);
}
