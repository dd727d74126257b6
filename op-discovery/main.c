/* op-discovery: what clients must know beforehand. Provider metadata, the published keys; and the one
 * that makes and rotates the signing keys. */
#include <string.h>

#include "data/digest.h"
#include "discovery.h"
#include "jwks.h"
#include "keys.h"
#include "metadata.h"
#include "runtime/key_metrics.h"
#include "runtime/registration.h"
#include "runtime/server.h"

enum { HOUR = 3600, DAY = 86400, YEAR = 365 * DAY };

static const struct conf_item CONF[] = {
    {.name = "signing_algs", .type = CONF_LIST, .def = "RS256 ES256", .min = 1, .max = DISCOVERY_ALGS_MAX,
     .target = &discovery.signing_algs, .check = discovery_check_algs,
     .help = "The algorithms that keys are kept of: RS256 (which OpenID Connect demands), and of PS256, ES256, ES384, "
             "EdDSA those that clients or access_token_alg name."},
    {.name = "rotation_interval", .type = CONF_DURATION, .def = "30d", .min = 1, .max = 10LL * YEAR, .unit = "s",
     .target = &discovery.rotation_interval, .help = "How long a key signs before the next one takes its place."},
    {.name = "publication_lead", .type = CONF_DURATION, .def = "1d", .min = 1, .max = YEAR, .unit = "s",
     .target = &discovery.publication_lead,
     .help = "How long at least a next key is published before the schedule makes it current; longer than "
             "cache_max_age."},
    {.name = "key_retention", .type = CONF_DURATION, .def = "1d", .min = 1, .max = YEAR, .unit = "s",
     .target = &discovery.key_retention,
     .help = "How long a retired key stays published; at least the lifetimes of access and ID tokens."},
    {.name = "cache_max_age", .type = CONF_DURATION, .def = "1h", .min = 0, .max = DAY, .unit = "s",
     .target = &discovery.cache_max_age, .help = "How long clients may cache the documents (Cache-Control: max-age)."},
    {.name = "shared_cache_max_age", .type = CONF_DURATION, .def = "10s", .min = 0, .max = DAY, .unit = "s",
     .target = &discovery.shared_cache_max_age,
     .help = "How long the load balancer and other caches that answer many may (s-maxage), no longer than "
             "cache_max_age: so soon whoever asks again knows that a key was withdrawn."},
};

static const struct kv_store STORES[] = {{KV_JWKS, true}, {KV_KEYS, true}};

static const struct route ROUTES[] = {
    {HTTP_GET, "/.well-known/openid-configuration", metadata_handle, 0, CALLER_ANYONE, CORS_ANYONE,
     "Provider metadata (OpenID Connect Discovery 1.0)."},
    {HTTP_GET, "/.well-known/openid-configuration/*", metadata_handle_inserted, 0, CALLER_ANYONE, CORS_ANYONE,
     "The same where an issuer with a path puts it (RFC 8615)."},
    {HTTP_GET, "/.well-known/oauth-authorization-server", metadata_handle, 0, CALLER_ANYONE, CORS_ANYONE,
     "Provider metadata (RFC 8414)."},
    {HTTP_GET, "/.well-known/oauth-authorization-server/*", metadata_handle_inserted, 0, CALLER_ANYONE, CORS_ANYONE,
     "The same where an issuer with a path puts it (RFC 8414)."},
    {HTTP_GET, "/.well-known/jwks.json", jwks_handle, 0, CALLER_ANYONE, CORS_ANYONE,
     "The keys that verify tokens (RFC 7517)."},
};

static bool rotation_interval(uint64_t *ret)
{
    *ret = (uint64_t)discovery.rotation_interval;
    return true;
}

static const struct metric METRICS[] = {
    {"partita_key_changes_total", "Signing keys made, made current, retired or removed."},
    {"partita_key_failures_total", "Attempts to do so that failed."},
    {"partita_key_rotation_interval_seconds", "How long a key is to sign (rotation_interval).", rotation_interval},
    KEY_METRICS,
};

static enum op_err start(struct server *server, const char **ret_why)
{
    const uint8_t *seal_key;
    struct scope_catalogue *catalogue = mem_new(server, struct scope_catalogue);
    struct keys *keys;
    enum op_err err = server_credential(server, "seal-key", DIGEST_KEY_LEN, &seal_key, ret_why);
    if (err == OP_OK)
        err = scope_catalogue_make(server, settings.custom_scopes.items, settings.custom_scopes.count, catalogue,
                                   ret_why);
    if (err != OP_OK)
        return err;
    struct metadata metadata = {
        .issuer = settings.issuer, .catalogue = catalogue, .algs = discovery.algs,
        .alg_count = discovery.rules.alg_count,
        .locales = &settings.locales, .acr = settings.password_acr, .plain_pkce = settings.allow_plain_pkce,
        .registration = registration_settings.mode != REGISTRATION_CLOSED,
        .must_push = settings.require_pushed_authorization_requests,
    };
    struct document_life life = {discovery.cache_max_age, discovery.shared_cache_max_age};
    metadata_setup(server, &metadata, life);
    jwks_setup(server, server_kv(), &discovery.rules, life);
    return keys_start(server, server_base(), server_kv(), seal_key, &discovery.rules, &keys, ret_why);
}

static const char *not_ready(struct server *server)
{
    (void)server;
    return jwks_not_ready();
}

int main(int argc, char **argv)
{
    static const struct server_description description = {
        .name = "op-discovery",
        .purpose = "Provider metadata and published keys of Partita; makes and rotates the signing keys.",
        SERVER_CONF(CONF),
        .foreign_conf = &REGISTRATION_SECTION,
        SERVER_STORES(STORES),
        SERVER_ROUTES(ROUTES),
        SERVER_METRICS(METRICS),
        .check_conf = discovery_check,
        .start = start,
        .not_ready = not_ready,
    };
    return server_run(&description, argc, argv);
}
