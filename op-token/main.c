/* op-token: the token endpoint. Codes, refresh tokens, device codes and client credentials in, tokens out. */
#include "runtime/client_request.h"
#include "runtime/key_metrics.h"
#include "runtime/server.h"
#include "token.h"

static const struct conf_item CONF[] = {
    {.name = "code_tombstone_lifetime", .type = CONF_DURATION, .def = "1h", .min = 60, .max = 86400, .unit = "s",
     .target = &token_settings.tombstone_lifetime,
     .help = "A code that is used again within this time kills what its first use produced."},
    CLIENT_REQUEST_CONF,
};

static const struct kv_store STORES[] = {
    {KV_CODES, true},    {KV_TOKENS, true}, {KV_GUARD, true}, {KV_ASYNC, true},
    {KV_CLIENTS, false}, {KV_USERS, false}, {KV_SESSIONS, false},
    {KV_JWKS, false},    {KV_KEYS, false},  {KV_REMOTE, false},
};

static const struct route ROUTES[] = {
    {HTTP_POST, "/token", token_handle, 16 * 1024, CALLER_CLIENT, CORS_CLIENT_ORIGINS,
     "Tokens for a grant (RFC 6749)."},
};

static const struct metric METRICS[] = {
    {"partita_codes_replayed_total", "Authorization codes used again, whose tokens were ended for it."},
    {"partita_refresh_tokens_replayed_total", "Refresh tokens used again too late, whose families were ended for it."},
    CLIENT_REQUEST_METRICS,
    KEY_METRICS,
};

static enum op_err start(struct server *server, const char **ret_why)
{
    const uint8_t *seal_key;
    enum op_err err = server_credential(server, "seal-key", DIGEST_KEY_LEN, &seal_key, ret_why);
    if (err == OP_OK)
        err = server_credential(server, "token-key", DIGEST_KEY_LEN, &token_process.refresh_key, ret_why);
    if (err == OP_OK)
        err = client_request_start(server, ret_why);
    if (err == OP_OK)
        err = scope_catalogue_make(server, settings.custom_scopes.items, settings.custom_scopes.count,
                                   &token_process.catalogue, ret_why);
    if (err != OP_OK)
        return err;
    token_process.access_token_alg = jose_alg_from_name(settings.access_token_alg);
    token_process.keyring = keyring_new(server, server_kv(), seal_key);
    return OP_OK;
}

static const char *not_ready(struct server *server)
{
    (void)server;
    const enum jose_alg algs[] = {token_process.access_token_alg, JOSE_RS256};
    return keyring_not_ready(token_process.keyring, algs, sizeof algs / sizeof *algs);
}

/* A token signed and verified, with the algorithms in use. */
static const char *self_test(const void *ctx)
{
    enum jose_alg algs[] = {token_process.access_token_alg, JOSE_RS256};
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        char *token;
        json_t *claims = json_make_object(ctx), *read_back;
        json_set_string(claims, "iss", settings.issuer);
        enum op_err err = keyring_sign(token_process.keyring, ctx, algs[i], "self-test", claims, &token);
        if (err == OP_OK)
            err = keyring_verify(token_process.keyring, ctx, token, "self-test", &read_back);
        if (err != OP_OK)
            return mem_printf(ctx, "a token could not be signed with %s and verified: %s", jose_alg_name(algs[i]),
                              op_err_name(err));
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct server_description description = {
        .name = "op-token",
        .purpose = "The token endpoint of Partita: authorization codes, refresh tokens, device codes, client credentials.",
        SERVER_CONF(CONF),
        SERVER_STORES(STORES),
        SERVER_ROUTES(ROUTES),
        SERVER_METRICS(METRICS),
        .start = start,
        .not_ready = not_ready,
        .self_test = self_test,
    };
    return server_run(&description, argc, argv);
}
