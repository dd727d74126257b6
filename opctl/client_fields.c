#include "client_fields.h"

#include <stddef.h>
#include <string.h>

#include "base/num.h"
#include "data/form.h"
#include "protocol/administration.h"
#include "protocol/client_auth.h"
#include "protocol/client_keys.h"
#include "protocol/device.h"
#include "protocol/params.h"
#include "protocol/redirect_uri.h"
#include "protocol/resource.h"
#include "protocol/scope.h"

enum { TEXT_MAX_LEN = 200, URI_MAX_LEN = 2048, LIST_MAX = 64, MAX_AGE_MAX = 366 * 24 * 3600 };

const char *const CLIENT_GRANTS[] = {"authorization_code", "refresh_token", "client_credentials", "device_code",
                                     DEVICE_GRANT_TYPE, NULL};
const char *const CLIENT_AUTH_METHODS[] = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none", NULL};
const char *const CLIENT_ID_TOKEN_ALGS[] = {"RS256", "PS256", "ES256", "ES384", "EdDSA", NULL};
const char *const CLIENT_AUTH_ALGS[] = {"RS256", "PS256", "ES256", "ES384", "EdDSA", NULL};
const char *const CLIENT_CLEARABLE[] = {
    "redirect-uri", "post-logout-redirect-uri", "audience", "resource", "rotate", "auth-alg", "jwks", "jwks-uri",
    "id-token-alg", "default-max-age", "client-uri", "logo-uri", "policy-uri", "tos-uri", "contact",
    "admin", NULL};

/* --- fields by name: the option, the record's member --- */

struct text_field {
    const char *option;
    size_t offset; /* of a char * */
    size_t max;
};

struct list_field {
    const char *option;
    size_t offset, count_offset; /* of a char ** and its size_t */
};

static const struct text_field TEXTS[] = {
    {"name", offsetof(Rec__Client, client_name), TEXT_MAX_LEN},
    {"auth-method", offsetof(Rec__Client, token_endpoint_auth_method), TEXT_MAX_LEN},
    {"auth-alg", offsetof(Rec__Client, token_endpoint_auth_signing_alg), TEXT_MAX_LEN},
    {"jwks-uri", offsetof(Rec__Client, jwks_uri), URI_MAX_LEN},
    {"id-token-alg", offsetof(Rec__Client, id_token_signed_response_alg), TEXT_MAX_LEN},
    {"client-uri", offsetof(Rec__Client, client_uri), URI_MAX_LEN},
    {"logo-uri", offsetof(Rec__Client, logo_uri), URI_MAX_LEN},
    {"policy-uri", offsetof(Rec__Client, policy_uri), URI_MAX_LEN},
    {"tos-uri", offsetof(Rec__Client, tos_uri), URI_MAX_LEN},
};

#define LIST(option, member) {option, offsetof(Rec__Client, member), offsetof(Rec__Client, n_##member)}
static const struct list_field LISTS[] = {
    LIST("redirect-uri", redirect_uris), LIST("post-logout-redirect-uri", post_logout_redirect_uris),
    LIST("grant", grant_types),          LIST("scope", scopes),
    LIST("audience", audiences),         LIST("resource", resources),
    LIST("contact", contacts),           LIST("admin", administration),
};

static void set_pointer(Rec__Client *client, size_t offset, const void *value)
{
    memcpy((char *)client + offset, &value, sizeof value);
}

static void set_list(Rec__Client *client, const struct list_field *field, char **values, size_t count)
{
    set_pointer(client, field->offset, values);
    memcpy((char *)client + field->count_offset, &count, sizeof count);
}

static const char *text_problem(const void *ctx, const char *option, const char *value, size_t max)
{
    if (value[0] == '\0')
        return mem_printf(ctx, "--%s is empty", option);
    if (strlen(value) > max)
        return mem_printf(ctx, "--%s is longer than %zu bytes", option, max);
    if (!form_is_utf8(bytes_of(value)))
        return mem_printf(ctx, "--%s is not UTF-8 text", option);
    if (!form_is_plain(bytes_of(value)))
        return mem_printf(ctx, "--%s has control characters, or others that nobody sees", option);
    size_t len = strlen(option);
    bool is_page = len > 4 && strcmp(option + len - 4, "-uri") == 0 && strstr(option, "redirect") == NULL;
    if (is_page && strncmp(value, "https://", 8) != 0 && strncmp(value, "http://", 7) != 0)
        return mem_printf(ctx, "--%s is not an http or https address", option);
    return NULL;
}

static const char *apply_texts(const void *ctx, const struct cli_line *line, Rec__Client *client)
{
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        const char *value = cli_value(line, TEXTS[i].option);
        if (value == NULL)
            continue;
        const char *wrong = text_problem(ctx, TEXTS[i].option, value, TEXTS[i].max);
        if (wrong != NULL)
            return wrong;
        set_pointer(client, TEXTS[i].offset, mem_strdup(ctx, value));
    }
    return NULL;
}

/* All values of --scope or --admin, each perhaps several words, as one list. */
static const char *apply_scopes(const void *ctx, const struct list_field *field, Rec__Client *client, char **values,
                                size_t count)
{
    struct buf all = buf_make(ctx);
    for (size_t i = 0; i < count; i++) {
        if (!param_is_scope(values[i]))
            return mem_printf(ctx, "--%s %s is not a list of words separated by single spaces", field->option, values[i]);
        buf_printf(&all, "%s%s", i == 0 ? "" : " ", values[i]);
    }
    struct scope_list scopes = scope_parse(ctx, buf_string(&all));
    if (scopes.count > LIST_MAX)
        return mem_printf(ctx, "--%s names more than %d", field->option, LIST_MAX);
    set_list(client, field, scopes.items, scopes.count);
    return NULL;
}

/* The short name of the device grant stands for its own. */
static void apply_grants(const void *ctx, const struct list_field *field, Rec__Client *client, char **values,
                         size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool short_name = strcmp(values[i], "device_code") == 0;
        char *grant = short_name ? mem_strdup(ctx, DEVICE_GRANT_TYPE) : values[i];
        if (!records_contain(values, kept, grant))
            values[kept++] = grant;
    }
    set_list(client, field, values, kept);
}

static const char *apply_lists(const void *ctx, const struct cli_line *line, Rec__Client *client)
{
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        const struct list_field *field = &LISTS[i];
        size_t count;
        char **values = cli_values(ctx, line, field->option, &count);
        if (count == 0)
            continue;
        if (count > LIST_MAX)
            return mem_printf(ctx, "--%s is given more than %d times", field->option, LIST_MAX);
        const char *wrong = NULL;
        for (size_t v = 0; v < count && wrong == NULL; v++)
            wrong = text_problem(ctx, field->option, values[v], URI_MAX_LEN);
        if (wrong == NULL && (strcmp(field->option, "scope") == 0 || strcmp(field->option, "admin") == 0))
            wrong = apply_scopes(ctx, field, client, values, count);
        else if (wrong == NULL && strcmp(field->option, "grant") == 0)
            apply_grants(ctx, field, client, values, count);
        else if (wrong == NULL)
            set_list(client, field, values, count);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *apply_numbers(const void *ctx, const struct cli_line *line, Rec__Client *client)
{
    const char *max_age = cli_value(line, "default-max-age");
    uint64_t seconds;
    if (max_age != NULL && num_parse_u64(bytes_of(max_age), MAX_AGE_MAX, &seconds) != OP_OK)
        return mem_printf(ctx, "--default-max-age is a number of seconds, at most a year");
    if (max_age != NULL) {
        client->has_default_max_age = true;
        client->default_max_age = (int64_t)seconds;
    }
    if (cli_has(line, "rotate")) {
        client->has_rotate_refresh_tokens = true;
        client->rotate_refresh_tokens = cli_yes(line, "rotate", false);
    }
    if (cli_has(line, "require-auth-time")) {
        client->has_require_auth_time = true;
        client->require_auth_time = cli_yes(line, "require-auth-time", false);
    }
    if (cli_has(line, "require-par")) {
        client->has_require_pushed_authorization_requests = true;
        client->require_pushed_authorization_requests = cli_yes(line, "require-par", false);
    }
    if (cli_has(line, "introspection")) {
        client->has_introspection_allowed = true;
        client->introspection_allowed = cli_yes(line, "introspection", false);
    }
    return NULL;
}

static void clear(Rec__Client *client, const char *option)
{
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        if (strcmp(TEXTS[i].option, option) == 0)
            set_pointer(client, TEXTS[i].offset, NULL);
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++)
        if (strcmp(LISTS[i].option, option) == 0)
            set_list(client, &LISTS[i], NULL, 0);
    if (strcmp(option, "jwks") == 0)
        client->jwks = NULL;
    if (strcmp(option, "rotate") == 0)
        client->has_rotate_refresh_tokens = client->rotate_refresh_tokens = false;
    if (strcmp(option, "default-max-age") == 0)
        client->has_default_max_age = false;
}

/* Keys by value and by address exclude each other: the one that is given takes the place of the other. */
static const char *apply_keys(const void *ctx, const struct cli_line *line, const char *jwks, Rec__Client *client)
{
    if (jwks != NULL && cli_has(line, "jwks-uri"))
        return "--jwks and --jwks-uri exclude each other";
    if (jwks != NULL) {
        client->jwks = mem_strdup(ctx, jwks);
        client->jwks_uri = NULL;
    } else if (cli_has(line, "jwks-uri")) {
        client->jwks = NULL;
    }
    return NULL;
}

const char *client_fields_apply(const void *ctx, const struct cli_line *line, const char *jwks, Rec__Client *client)
{
    size_t count;
    char **cleared = cli_values(ctx, line, "clear", &count);
    for (size_t i = 0; i < count; i++) {
        if (cli_has(line, cleared[i]))
            return mem_printf(ctx, "--%s is given and cleared in one line", cleared[i]);
        clear(client, cleared[i]);
    }
    const char *wrong = apply_texts(ctx, line, client);
    if (wrong == NULL)
        wrong = apply_keys(ctx, line, jwks, client);
    if (wrong == NULL)
        wrong = apply_lists(ctx, line, client);
    return wrong != NULL ? wrong : apply_numbers(ctx, line, client);
}

static bool may(const Rec__Client *client, const char *grant)
{
    return records_contain(client->grant_types, client->n_grant_types, grant);
}

bool client_fields_for_people(const Rec__Client *client)
{
    return may(client, "authorization_code") || may(client, DEVICE_GRANT_TYPE);
}

void client_fields_defaults(const void *ctx, Rec__Client *client, char *const *scopes, size_t scope_count)
{
    static char code[] = "authorization_code", refresh[] = "refresh_token", response[] = "code";
    char *grants[] = {code, refresh}, *responses[] = {response};
    if (client->n_grant_types == 0) {
        client->grant_types = records_strings(ctx, grants, 2);
        client->n_grant_types = 2;
    }
    if (client->n_scopes == 0 && client_fields_for_people(client)) {
        client->scopes = records_strings(ctx, scopes, scope_count);
        client->n_scopes = scope_count;
    }
    client->response_types = records_strings(ctx, responses, 1);
    client->n_response_types = may(client, "authorization_code") ? 1 : 0;
    if (client->token_endpoint_auth_method == NULL)
        client->token_endpoint_auth_method = mem_strdup(ctx, "client_secret_basic");
    if (client->application_type == NULL)
        client->application_type = mem_strdup(ctx, "web");
}

/* --- the whole record --- */

static const char *uris_problem(const void *ctx, const Rec__Client *client, const char *option, char *const *uris,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *wrong = redirect_uri_problem(uris[i], client->application_type);
        if (wrong != NULL)
            return mem_printf(ctx, "--%s %s %s", option, uris[i], wrong);
        if (records_contain(uris, i, uris[i]))
            return mem_printf(ctx, "--%s %s is there twice", option, uris[i]);
    }
    return NULL;
}

static const char *resources_problem(const void *ctx, const Rec__Client *client)
{
    for (size_t i = 0; i < client->n_resources; i++) {
        const char *wrong = resource_problem(client->resources[i]);
        if (wrong == NULL && records_contain(client->resources, i, client->resources[i]))
            wrong = "is there twice";
        if (wrong != NULL)
            return mem_printf(ctx, "--resource %s %s", client->resources[i], wrong);
    }
    return NULL;
}

static const char *administration_problem(const void *ctx, const Rec__Client *client)
{
    for (size_t i = 0; i < client->n_scopes; i++)
        if (administration_is_scope(client->scopes[i]))
            return mem_printf(ctx, "--scope %s is one of the administration API: --admin gives those",
                              client->scopes[i]);
    for (size_t i = 0; i < client->n_administration; i++)
        if (!administration_is_power(client->administration[i]))
            return mem_printf(ctx, "--admin %s is neither NOUN nor NOUN:read, with NOUN one of users, clients, "
                              "consents, sessions, tokens, registration-tokens, keys", client->administration[i]);
    if (client->n_administration > 0 && !may(client, "client_credentials"))
        return "--admin is of no use without --grant client_credentials";
    return NULL;
}

static const char *keys_problem(const void *ctx, const Rec__Client *client)
{
    const char *method = client->token_endpoint_auth_method, *wrong = NULL;
    bool needed = method != NULL && strcmp(method, "private_key_jwt") == 0;
    if (needed && client->jwks == NULL && client->jwks_uri == NULL)
        return "--jwks or --jwks-uri is missing: the keys that --auth-method private_key_jwt signs with";
    if (client->jwks_uri != NULL && (wrong = client_keys_uri_problem(client->jwks_uri)) != NULL)
        return mem_printf(ctx, "--jwks-uri %s", wrong);
    if (client->jwks != NULL)
        wrong = client_keys_problem(client->jwks, jose_alg_from_name(client->token_endpoint_auth_signing_alg));
    return wrong == NULL ? NULL : mem_printf(ctx, "--jwks %s", wrong);
}

const char *client_fields_problem(const void *ctx, const Rec__Client *client)
{
    bool has_codes = may(client, "authorization_code");
    if (client->client_name == NULL)
        return "--name is missing: what people see on the consent page";
    if (has_codes && client->n_redirect_uris == 0)
        return "--redirect-uri is missing: where the codes of authorization_code are sent";
    if (!has_codes && client->n_redirect_uris > 0)
        return "--redirect-uri is of no use without --grant authorization_code";
    if (!client_fields_for_people(client) && may(client, "refresh_token"))
        return "--grant refresh_token is of no use without --grant authorization_code or device_code";
    if (client_is_public(client) && may(client, "client_credentials"))
        return "a public client has no credentials for --grant client_credentials";
    if (!has_codes && client->require_pushed_authorization_requests)
        return "--require-par is of no use without --grant authorization_code";
    if (client_is_public(client) && client->introspection_allowed)
        return "a public client has no credentials for --introspection yes";
    const char *wrong = keys_problem(ctx, client);
    if (wrong == NULL)
        wrong = administration_problem(ctx, client);
    if (wrong == NULL)
        wrong = uris_problem(ctx, client, "redirect-uri", client->redirect_uris, client->n_redirect_uris);
    if (wrong == NULL)
        wrong = uris_problem(ctx, client, "post-logout-redirect-uri", client->post_logout_redirect_uris,
                             client->n_post_logout_redirect_uris);
    return wrong != NULL ? wrong : resources_problem(ctx, client);
}

json_t *client_fields_json(const void *ctx, const Rec__Client *client)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "client_id", client->client_id);
    json_set_string(object, "client_name", client->client_name);
    json_set_string(object, "token_endpoint_auth_method", client->token_endpoint_auth_method);
    json_set_string(object, "token_endpoint_auth_signing_alg", client->token_endpoint_auth_signing_alg);
    json_set_string(object, "jwks_uri", client->jwks_uri);
    json_t *jwks;
    if (client->jwks != NULL && json_read(ctx, bytes_of(client->jwks), &jwks) == OP_OK)
        json_set(object, "jwks", jwks);
    json_set_string(object, "application_type", client->application_type);
    json_set_strings(object, "redirect_uris", client->redirect_uris, client->n_redirect_uris);
    if (client->n_post_logout_redirect_uris > 0)
        json_set_strings(object, "post_logout_redirect_uris", client->post_logout_redirect_uris,
                         client->n_post_logout_redirect_uris);
    json_set_strings(object, "grant_types", client->grant_types, client->n_grant_types);
    json_set_strings(object, "response_types", client->response_types, client->n_response_types);
    json_set_string(object, "scope", scope_text(ctx, client->scopes, client->n_scopes));
    if (client->n_audiences > 0)
        json_set_strings(object, "audiences", client->audiences, client->n_audiences);
    if (client->n_resources > 0)
        json_set_strings(object, "resources", client->resources, client->n_resources);
    json_set_string(object, "id_token_signed_response_alg", client->id_token_signed_response_alg);
    json_set_bool(object, "first_party", client->first_party);
    if (client->has_rotate_refresh_tokens)
        json_set_bool(object, "rotate_refresh_tokens", client->rotate_refresh_tokens);
    if (client->has_default_max_age)
        json_set_int(object, "default_max_age", client->default_max_age);
    if (client->has_require_auth_time)
        json_set_bool(object, "require_auth_time", client->require_auth_time);
    if (client->has_require_pushed_authorization_requests)
        json_set_bool(object, "require_pushed_authorization_requests", client->require_pushed_authorization_requests);
    if (client->has_introspection_allowed)
        json_set_bool(object, "introspection_allowed", client->introspection_allowed);
    if (client->n_administration > 0)
        json_set_strings(object, "administration", client->administration, client->n_administration);
    json_set_string(object, "client_uri", client->client_uri);
    json_set_string(object, "logo_uri", client->logo_uri);
    json_set_string(object, "policy_uri", client->policy_uri);
    json_set_string(object, "tos_uri", client->tos_uri);
    if (client->n_contacts > 0)
        json_set_strings(object, "contacts", client->contacts, client->n_contacts);
    return object;
}
