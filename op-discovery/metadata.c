#include "metadata.h"

#include <string.h>

#include "document.h"
#include "protocol/client_keys.h"
#include "protocol/device.h"
#include "runtime/reply.h"

static struct {
    const char *issuer;
    struct document document;
    struct document_life life;
} served;

#define SET_STRINGS(object, key, ...) \
    set_strings((object), (key), (const char *const[]){__VA_ARGS__, NULL})

static void set_strings(json_t *object, const char *key, const char *const *values)
{
    json_t *array = json_array();
    for (; *values != NULL; values++)
        json_append_string(array, *values);
    json_set(object, key, array);
    json_decref(array);
}

static void set_endpoints(const void *ctx, json_t *out, const struct metadata *metadata)
{
    static const struct {
        const char *name, *path;
    } rows[] = {
        {"authorization_endpoint", "/authorize"},
        {"pushed_authorization_request_endpoint", "/as/par"},
        {"token_endpoint", "/token"},
        {"userinfo_endpoint", "/userinfo"},
        {"jwks_uri", "/.well-known/jwks.json"},
        {"end_session_endpoint", "/logout"},
        {"introspection_endpoint", "/introspect"},
        {"revocation_endpoint", "/revoke"},
        {"device_authorization_endpoint", "/device_authorization"},
    };
    json_set_string(out, "issuer", metadata->issuer);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_set_string(out, rows[i].name, mem_printf(ctx, "%s%s", metadata->issuer, rows[i].path));
    if (metadata->registration)
        json_set_string(out, "registration_endpoint", mem_printf(ctx, "%s/register", metadata->issuer));
}

static void append_new(json_t *array, const char *value)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), value) == 0)
            return;
    json_append_string(array, value);
}

static void set_scopes_and_claims(const void *ctx, json_t *out, const struct scope_catalogue *catalogue)
{
    static const char *const always[] = {"sub", "iss", "auth_time", "acr", "amr", "sid"};
    json_t *scopes = json_make_array(ctx), *claims = json_make_array(ctx);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        append_new(claims, always[i]);
    for (size_t i = 0; i < catalogue->count; i++) {
        append_new(scopes, catalogue->items[i].scope);
        for (size_t j = 0; j < catalogue->items[i].claim_count; j++)
            append_new(claims, catalogue->items[i].claims[j]);
    }
    json_set(out, "scopes_supported", scopes);
    json_set(out, "claims_supported", claims);
}

static void set_algorithms(const void *ctx, json_t *out, const struct metadata *metadata)
{
    json_t *algs = json_make_array(ctx);
    for (size_t i = 0; i < metadata->alg_count; i++)
        append_new(algs, jose_alg_name(metadata->algs[i]));
    json_set(out, "id_token_signing_alg_values_supported", algs);
}

/* How clients prove who they are, at each endpoint that asks. Public ones cannot introspect. */
static void set_client_authentication(const void *ctx, json_t *out)
{
    static const char *const endpoints[] = {"token", "revocation", "introspection"};
    json_t *algs = json_make_array(ctx);
    for (size_t i = 0; i < CLIENT_KEYS_ALG_COUNT; i++)
        json_append_string(algs, jose_alg_name(CLIENT_KEYS_ALGS[i]));
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        const char *methods = mem_printf(ctx, "%s_endpoint_auth_methods_supported", endpoints[i]);
        const char *signing = mem_printf(ctx, "%s_endpoint_auth_signing_alg_values_supported", endpoints[i]);
        if (strcmp(endpoints[i], "introspection") == 0)
            SET_STRINGS(out, methods, "client_secret_basic", "client_secret_post", "private_key_jwt");
        else
            SET_STRINGS(out, methods, "client_secret_basic", "client_secret_post", "private_key_jwt", "none");
        json_set(out, signing, algs);
    }
}

static void set_requests(json_t *out, const struct metadata *metadata)
{
    SET_STRINGS(out, "response_types_supported", "code");
    SET_STRINGS(out, "response_modes_supported", "query", "fragment", "form_post");
    SET_STRINGS(out, "grant_types_supported", "authorization_code", "refresh_token", "client_credentials",
                DEVICE_GRANT_TYPE);
    SET_STRINGS(out, "subject_types_supported", "public");
    if (metadata->plain_pkce)
        SET_STRINGS(out, "code_challenge_methods_supported", "S256", "plain");
    else
        SET_STRINGS(out, "code_challenge_methods_supported", "S256");
    SET_STRINGS(out, "prompt_values_supported", "none", "login", "consent", "select_account");
    if (metadata->acr != NULL)
        SET_STRINGS(out, "acr_values_supported", metadata->acr);
    json_set_strings(out, "ui_locales_supported", metadata->locales->items, metadata->locales->count);
    json_set_bool(out, "require_pushed_authorization_requests", metadata->must_push);
    json_set_bool(out, "claims_parameter_supported", true);
    json_set_bool(out, "request_parameter_supported", false);
    json_set_bool(out, "request_uri_parameter_supported", false);
    json_set_bool(out, "authorization_response_iss_parameter_supported", true);
}

char *metadata_text(const void *ctx, const struct metadata *metadata)
{
    json_t *out = json_make_object(ctx);
    set_endpoints(ctx, out, metadata);
    set_scopes_and_claims(ctx, out, metadata->catalogue);
    set_algorithms(ctx, out, metadata);
    set_client_authentication(ctx, out);
    set_requests(out, metadata);
    return json_text(ctx, out);
}

void metadata_setup(const void *ctx, const struct metadata *metadata, struct document_life life)
{
    served.issuer = metadata->issuer;
    served.document = document_make(ctx, metadata_text(ctx, metadata));
    served.life = life;
}

void metadata_handle(struct http_request *req)
{
    document_reply(req, &served.document, served.life);
}

/* "" for an issuer without a path. */
static const char *issuer_path(const char *issuer)
{
    const char *authority = strstr(issuer, "://");
    const char *slash = authority == NULL ? NULL : strchr(authority + 3, '/');
    return slash == NULL ? "" : slash;
}

bool metadata_path_is_ours(const char *path, const char *prefix, const char *issuer)
{
    size_t len = strlen(prefix);
    const char *own = issuer_path(issuer);
    return own[0] == '/' && strncmp(path, prefix, len) == 0 && strcmp(path + len, own + 1) == 0;
}

void metadata_handle_inserted(struct http_request *req)
{
    if (metadata_path_is_ours(req->path, "/.well-known/oauth-authorization-server/", served.issuer) ||
        metadata_path_is_ours(req->path, "/.well-known/openid-configuration/", served.issuer)) {
        metadata_handle(req);
        return;
    }
    json_t *body = json_make_object(req);
    json_set_string(body, "error", "not_found");
    json_set_string(body, "error_description", "There is no issuer of this path");
    reply_json(req, 404, body);
}
