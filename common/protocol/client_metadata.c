#include "protocol/client_metadata_fields.h"

#include <string.h>

#include "protocol/administration.h"
#include "protocol/client_auth.h"
#include "protocol/client_keys.h"
#include "protocol/device.h"
#include "protocol/params.h"

enum { SCOPE_MAX = 1000, STATEMENT_MAX = 16384, JWKS_LEN_MAX = 24 * 1024 };

struct reader {
    const void *ctx;
    const json_t *metadata;
    const struct client_metadata_rules *rules;
    Rec__Client *client;
    struct oauth_error error; /* set by the step that refuses */
};

/* Steps return true when all is well. */
static bool refuse_as(struct reader *r, enum oauth_code code, const char *name, const char *what)
{
    r->error = (struct oauth_error){code, mem_printf(r->ctx, "%s %s", name, what), name};
    return false;
}

static bool refuse(struct reader *r, const char *name, const char *what)
{
    bool redirect = strcmp(name, "redirect_uris") == 0;
    return refuse_as(r, redirect ? OAUTH_INVALID_REDIRECT_URI : OAUTH_INVALID_CLIENT_METADATA, name, what);
}

/* --- strings --- */

static bool read_text(struct reader *r, const struct metadata_text *field)
{
    const char *value = NULL;
    enum op_err err = json_get_string(r->metadata, field->name, &value);
    if (err == OP_ABSENT)
        return true;
    const char *wrong = err != OP_OK                  ? "is not a string"
                        : *value == '\0'              ? "is empty"
                        : strlen(value) > field->max  ? "is too long"
                                                      : field->problem(value);
    if (wrong != NULL)
        return refuse(r, field->name, wrong);
    *metadata_text_of(r->client, field) = mem_strdup(r->client, value);
    return true;
}

static bool read_texts(struct reader *r)
{
    for (const struct metadata_text *field = METADATA_TEXTS; field->name != NULL; field++)
        if (!read_text(r, field))
            return false;
    if (r->client->application_type == NULL)
        r->client->application_type = mem_strdup(r->client, "web");
    if (r->client->token_endpoint_auth_method == NULL)
        r->client->token_endpoint_auth_method = mem_strdup(r->client, "client_secret_basic");
    return true;
}

/* --- lists of strings --- */

/* True when the reader is to take what this writer says. */
static bool is_read(const struct reader *r, enum metadata_writer writer)
{
    return writer == METADATA_OF_CLIENTS || r->rules->by_operator;
}

static bool read_item(struct reader *r, const struct metadata_list *field, const json_t *item, char **list,
                      size_t count)
{
    const char *value = json_string_value(item);
    const char *wrong = value == NULL                                ? "has an item that is not a string"
                        : *value == '\0'                             ? "has an empty item"
                        : strlen(value) > field->item_max            ? "has an item that is too long"
                        : records_contain(list, count, value)        ? "has an item twice"
                                                                     : field->problem(value, r->client);
    if (wrong != NULL && value != NULL && r->rules->by_operator)
        wrong = mem_printf(r->ctx, "%s %s", value, wrong); /* not for strangers: it is the input itself */
    if (wrong != NULL)
        return refuse(r, field->name, wrong);
    list[count] = mem_strdup(r->client, value);
    return true;
}

static bool read_list(struct reader *r, const struct metadata_list *field)
{
    const json_t *array = json_object_get(r->metadata, field->name);
    if (array == NULL || json_is_null(array))
        return true;
    if (!json_is_array(array))
        return refuse(r, field->name, "is not an array of strings");
    size_t count = json_array_size(array);
    if (count > field->max)
        return refuse(r, field->name, "has too many items");
    char **items = mem_array(r->client, char *, count);
    for (size_t i = 0; i < count; i++)
        if (!read_item(r, field, json_array_get(array, i), items, i))
            return false;
    metadata_set_list(r->client, field, (struct metadata_strings){items, count});
    return true;
}

static bool read_lists(struct reader *r)
{
    for (const struct metadata_list *field = METADATA_LISTS; field->name != NULL; field++)
        if (is_read(r, field->writer) && !read_list(r, field))
            return false;
    return true;
}

/* --- numbers, scope, keys --- */

static bool read_flags(struct reader *r)
{
    for (const struct metadata_flag *field = METADATA_FLAGS; field->name != NULL; field++) {
        bool value = false;
        if (!is_read(r, field->writer))
            continue;
        enum op_err err = json_get_bool(r->metadata, field->name, &value);
        if (err == OP_INVALID)
            return refuse(r, field->name, "is neither true nor false");
        *metadata_has_flag(r->client, field) = err == OP_OK;
        *metadata_flag_of(r->client, field) = value;
    }
    if (r->client->require_pushed_authorization_requests && r->client->n_response_types == 0)
        return refuse(r, "require_pushed_authorization_requests", "is of no use without response_types");
    return true;
}

static bool read_numbers(struct reader *r)
{
    for (const struct metadata_number *field = METADATA_NUMBERS; field->name != NULL; field++) {
        int64_t value = 0;
        if (!is_read(r, field->writer))
            continue;
        enum op_err err = json_get_int(r->metadata, field->name, &value);
        if (err == OP_INVALID || value < 0 || value > field->max)
            return refuse(r, field->name, field->wrong);
        *metadata_has_number(r->client, field) = err == OP_OK && !(field->zero_is_none && value == 0);
        *metadata_number_of(r->client, field) = value;
    }
    return true;
}

static bool read_scope(struct reader *r)
{
    const char *text = NULL;
    enum op_err err = json_get_string(r->metadata, "scope", &text);
    const struct scope_list *allowed = r->rules->scopes;
    struct scope_list scopes = allowed == NULL ? (struct scope_list){0} : *allowed;
    if (err == OP_INVALID || (err == OP_OK && (strlen(text) > SCOPE_MAX || !param_is_scope(text))))
        return refuse(r, "scope", "is not a string of scopes separated by single spaces");
    if (err == OP_OK)
        scopes = scope_parse(r->client, text);
    for (size_t i = 0; i < scopes.count; i++)
        if ((allowed != NULL && !scope_has(allowed, scopes.items[i])) || administration_is_scope(scopes.items[i]))
            return refuse(r, "scope", "has one that may not be registered here");
    r->client->scopes = records_strings(r->client, scopes.items, scopes.count);
    r->client->n_scopes = scopes.count;
    return true;
}

static enum jose_alg alg_from_name(const char *name)
{
    return name == NULL ? JOSE_ALG_NONE : jose_alg_from_name(name);
}

static bool read_keys(struct reader *r)
{
    const json_t *jwks = json_object_get(r->metadata, "jwks");
    bool given = jwks != NULL && !json_is_null(jwks);
    if (given && r->client->jwks_uri != NULL)
        return refuse(r, "jwks", "and jwks_uri exclude each other");
    if (given) {
        char *text = json_text(r->client, jwks);
        const char *method_alg = r->client->token_endpoint_auth_signing_alg;
        const char *wrong = strlen(text) > JWKS_LEN_MAX ? "is too long"
                                                        : client_keys_problem(text, alg_from_name(method_alg));
        if (wrong != NULL)
            return refuse(r, "jwks", wrong);
        r->client->jwks = text;
    }
    if (!given && r->client->jwks_uri == NULL &&
        strcmp(r->client->token_endpoint_auth_method, "private_key_jwt") == 0)
        return refuse(r, "jwks", "or jwks_uri is missing, which private_key_jwt needs");
    return true;
}

static bool read_id_token_alg(struct reader *r)
{
    const char *name = r->client->id_token_signed_response_alg;
    for (size_t i = 0; name != NULL && i < r->rules->id_token_alg_count; i++)
        if (r->rules->id_token_algs[i] == jose_alg_from_name(name))
            return true;
    return name == NULL || refuse(r, "id_token_signed_response_alg", "is not an algorithm that is supported here");
}

/* --- what hangs together --- */

static bool has_grant(const struct reader *r, const char *grant)
{
    return records_contain(r->client->grant_types, r->client->n_grant_types, grant);
}

static void set_one(Rec__Client *client, const char *name, const char *value)
{
    for (const struct metadata_list *field = METADATA_LISTS; field->name != NULL; field++) {
        if (strcmp(field->name, name) != 0)
            continue;
        char **items = mem_array(client, char *, 1);
        items[0] = mem_strdup(items, value);
        metadata_set_list(client, field, (struct metadata_strings){items, 1});
    }
}

static bool is_given(const struct reader *r, const char *name)
{
    const json_t *value = json_object_get(r->metadata, name);
    return value != NULL && !json_is_null(value);
}

/* RFC 7591 §2: absent they mean code; and what is asked for may be replaced: a client that names all the flows it knows
 * gets the one that is offered. */
static bool read_response_types(struct reader *r, bool by_code)
{
    Rec__Client *client = r->client;
    bool has_code = records_contain(client->response_types, client->n_response_types, "code");
    if (client->n_response_types > 0 && !has_code)
        return refuse(r, "response_types", "has none that is offered: code");
    if (has_code || (by_code && !is_given(r, "response_types")))
        set_one(client, "response_types", "code");
    return true;
}

/* Absent grant_types mean authorization_code, where that goes together. */
static bool read_flows(struct reader *r)
{
    if (!is_given(r, "grant_types"))
        set_one(r->client, "grant_types", "authorization_code");
    bool by_code = has_grant(r, "authorization_code");
    if (!read_response_types(r, by_code))
        return false;
    if (r->client->n_grant_types == 0)
        return refuse(r, "grant_types", "is empty");
    if (by_code != (r->client->n_response_types > 0))
        return refuse(r, "response_types", "and grant_types must have code and authorization_code together");
    if (has_grant(r, "refresh_token") && !by_code && !has_grant(r, DEVICE_GRANT_TYPE))
        return refuse(r, "grant_types", "has refresh_token without a grant that gives any");
    if (has_grant(r, "client_credentials") && client_is_public(r->client))
        return refuse(r, "grant_types", "has client_credentials, for which the client needs credentials");
    if (by_code && r->client->n_redirect_uris == 0)
        return refuse(r, "redirect_uris", "is missing: where codes are sent");
    return true;
}

/* --- what is not offered --- */

static const struct {
    const char *name;
    const char *harmless; /* a string that asks for nothing; NULL: false does, of a boolean */
} NOT_OFFERED[] = {
    {"subject_type", "public"},
    {"id_token_encrypted_response_alg", ""},
    {"id_token_encrypted_response_enc", ""},
    {"userinfo_signed_response_alg", ""},
    {"userinfo_encrypted_response_alg", ""},
    {"userinfo_encrypted_response_enc", ""},
    {"introspection_signed_response_alg", ""},
    {"introspection_encrypted_response_alg", ""},
    {"introspection_encrypted_response_enc", ""},
    {"authorization_signed_response_alg", ""},
    {"authorization_encrypted_response_alg", ""},
    {"authorization_encrypted_response_enc", ""},
    {"require_signed_request_object", NULL},
    {"dpop_bound_access_tokens", NULL},
    {"tls_client_certificate_bound_access_tokens", NULL},
};

static bool refuse_what_is_not_offered(struct reader *r)
{
    for (size_t i = 0; i < sizeof NOT_OFFERED / sizeof *NOT_OFFERED; i++) {
        const json_t *value = json_object_get(r->metadata, NOT_OFFERED[i].name);
        const char *harmless = NOT_OFFERED[i].harmless;
        if (value == NULL || json_is_null(value))
            continue;
        bool asks = harmless == NULL ? !json_is_false(value)
                                     : !json_is_string(value) || strcmp(json_string_value(value), harmless) != 0;
        if (asks)
            return refuse(r, NOT_OFFERED[i].name, "has a value that is not supported here");
    }
    return true;
}

static bool is_compact_jws(const void *ctx, const char *text)
{
    struct jose_header header;
    return strlen(text) <= STATEMENT_MAX && jose_peek(ctx, text, &header) == OP_OK;
}

/* RFC 7591 §2.3: nobody's statements are trusted here, and whoever sends one relies on what it says. */
static bool refuse_statement(struct reader *r)
{
    const char *name = "software_statement";
    const char *text;
    if (!is_given(r, name))
        return true;
    if (json_get_string(r->metadata, name, &text) != OP_OK || !is_compact_jws(r->ctx, text))
        return refuse_as(r, OAUTH_INVALID_SOFTWARE_STATEMENT, name, "is not a signed JWT");
    return refuse_as(r, OAUTH_UNAPPROVED_SOFTWARE_STATEMENT, name, "is not approved: none are accepted here");
}

/* --- the whole --- */

enum op_err client_metadata_read(const void *ctx, const json_t *metadata, const struct client_metadata_rules *rules,
                                 Rec__Client **ret, struct oauth_error *ret_error)
{
    static bool (*const steps[])(struct reader *r) = {
        refuse_statement, refuse_what_is_not_offered, read_texts, read_lists, read_flows, read_numbers, read_flags,
        read_scope, read_id_token_alg, read_keys,
    };
    struct reader r = {.ctx = ctx, .metadata = metadata, .rules = rules,
                       .client = records_new(ctx, &rec__client__descriptor)};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (!steps[i](&r)) {
            *ret_error = r.error;
            return OP_INVALID;
        }
    }
    *ret = r.client;
    return OP_OK;
}

