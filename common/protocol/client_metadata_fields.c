#include "protocol/client_metadata_fields.h"

#include <string.h>

#include "data/form.h"
#include "data/uri.h"
#include "protocol/administration.h"
#include "protocol/client_auth.h"
#include "protocol/client_keys.h"
#include "protocol/device.h"
#include "protocol/redirect_uri.h"
#include "protocol/resource.h"

enum {
    NAME_LEN_MAX = 200, URI_LEN_MAX = 2048, LIST_MAX = 50, POWERS_MAX = 32, CONTACTS_MAX = 20, CONTACT_MAX = 254,
    YEAR = 365 * 86400,
};

/* --- strings --- */

static const char *text_problem(const char *text)
{
    return form_is_plain(bytes_of(text)) ? NULL : "has characters that nobody would see";
}

static const char *page_problem(const char *text)
{
    void *scratch = mem_root("page_problem");
    struct uri uri;
    const char *problem = "is not an absolute URI";
    if (uri_parse(scratch, text, &uri) == OP_OK)
        problem = strcmp(uri.scheme, "https") != 0 ? "is not an https address"
                  : uri.has_userinfo               ? "has a user name or password"
                                                   : NULL;
    talloc_free(scratch);
    return problem;
}

static const char *application_type_problem(const char *text)
{
    return strcmp(text, "web") == 0 || strcmp(text, "native") == 0 ? NULL : "is neither web nor native";
}

static const char *auth_method_problem(const char *text)
{
    return client_auth_is_supported(text) ? NULL : "is not a method that is supported here";
}

static const char *assertion_alg_problem(const char *text)
{
    return client_keys_alg_is_offered(jose_alg_from_name(text)) ? NULL : "is not an algorithm that is supported here";
}

const struct metadata_text METADATA_TEXTS[] = {
#define TEXT(member, max, problem) {#member, offsetof(Rec__Client, member), max, problem}
    TEXT(application_type, NAME_LEN_MAX, application_type_problem),
    TEXT(token_endpoint_auth_method, NAME_LEN_MAX, auth_method_problem),
    TEXT(token_endpoint_auth_signing_alg, NAME_LEN_MAX, assertion_alg_problem),
    TEXT(id_token_signed_response_alg, NAME_LEN_MAX, text_problem),
    TEXT(client_name, NAME_LEN_MAX, text_problem),
    TEXT(client_uri, URI_LEN_MAX, page_problem),
    TEXT(logo_uri, URI_LEN_MAX, page_problem),
    TEXT(policy_uri, URI_LEN_MAX, page_problem),
    TEXT(tos_uri, URI_LEN_MAX, page_problem),
    TEXT(initiate_login_uri, URI_LEN_MAX, page_problem),
    TEXT(jwks_uri, URI_LEN_MAX, client_keys_uri_problem),
    TEXT(software_id, NAME_LEN_MAX, text_problem),
    TEXT(software_version, NAME_LEN_MAX, text_problem),
#undef TEXT
    {0},
};

/* --- lists of strings --- */

static const char *redirect_problem(const char *text, const Rec__Client *client)
{
    return redirect_uri_problem(text, client->application_type);
}

static const char *grant_problem(const char *text, const Rec__Client *client)
{
    static char code[] = "authorization_code", refresh[] = "refresh_token", own[] = "client_credentials";
    static char *const supported[] = {code, refresh, own};
    (void)client;
    return records_contain(supported, sizeof supported / sizeof *supported, text) ||
                   strcmp(text, DEVICE_GRANT_TYPE) == 0
               ? NULL
               : "names a grant that is not supported here";
}

/* All that the specifications have: see read_response_types. */
static const char *response_problem(const char *text, const Rec__Client *client)
{
    static const char *const known[] = {"code", "token", "id_token", "id_token token", "code token", "code id_token",
                                        "code id_token token"};
    (void)client;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i]) == 0)
            return NULL;
    return "names a response type that is not supported here";
}

static const char *contact_problem(const char *text, const Rec__Client *client)
{
    (void)client;
    return text_problem(text);
}

static const char *named_resource_problem(const char *text, const Rec__Client *client)
{
    (void)client;
    return resource_problem(text);
}

static const char *power_problem(const char *text, const Rec__Client *client)
{
    (void)client;
    return administration_is_power(text) ? NULL : "is neither a noun of the administration API nor NOUN:read";
}

const struct metadata_list METADATA_LISTS[] = {
#define LIST(writer, member, max, item_max, problem)                                                                   \
    {#member, writer, offsetof(Rec__Client, member), offsetof(Rec__Client, n_##member), max, item_max, problem}
    LIST(METADATA_OF_CLIENTS, redirect_uris, LIST_MAX, URI_LEN_MAX, redirect_problem),
    LIST(METADATA_OF_CLIENTS, post_logout_redirect_uris, LIST_MAX, URI_LEN_MAX, redirect_problem),
    LIST(METADATA_OF_CLIENTS, grant_types, LIST_MAX, NAME_LEN_MAX, grant_problem),
    LIST(METADATA_OF_CLIENTS, response_types, LIST_MAX, NAME_LEN_MAX, response_problem),
    LIST(METADATA_OF_CLIENTS, contacts, CONTACTS_MAX, CONTACT_MAX, contact_problem),
    LIST(METADATA_OF_OPERATORS, audiences, LIST_MAX, URI_LEN_MAX, contact_problem),
    LIST(METADATA_OF_OPERATORS, resources, LIST_MAX, URI_LEN_MAX, named_resource_problem),
    LIST(METADATA_OF_OPERATORS, administration, POWERS_MAX, NAME_LEN_MAX, power_problem),
#undef LIST
    {0},
};

/* --- flags --- */

const struct metadata_flag METADATA_FLAGS[] = {
#define FLAG(writer, member) {#member, writer, offsetof(Rec__Client, member), offsetof(Rec__Client, has_##member)}
    FLAG(METADATA_OF_CLIENTS, require_auth_time),
    FLAG(METADATA_OF_CLIENTS, require_pushed_authorization_requests),
    FLAG(METADATA_OF_OPERATORS, first_party),
    FLAG(METADATA_OF_OPERATORS, rotate_refresh_tokens),
    FLAG(METADATA_OF_OPERATORS, introspection_allowed),
#undef FLAG
    {0},
};

/* --- numbers --- */

const struct metadata_number METADATA_NUMBERS[] = {
#define NUMBER(writer, member, max, zero_is_none, wrong)                                                               \
    {#member, writer, offsetof(Rec__Client, member), offsetof(Rec__Client, has_##member), max, zero_is_none, wrong}
    NUMBER(METADATA_OF_CLIENTS, default_max_age, YEAR, false, "is not a number of seconds, at most a year"),
    NUMBER(METADATA_OF_OPERATORS, refresh_token_idle_lifetime, CLIENT_LIFETIME_MAX, true,
           "is not a number of seconds, at most ten years"),
    NUMBER(METADATA_OF_OPERATORS, refresh_token_lifetime, CLIENT_LIFETIME_MAX, true,
           "is not a number of seconds, at most ten years"),
#undef NUMBER
    {0},
};

/* --- in the record --- */

char **metadata_text_of(const Rec__Client *client, const struct metadata_text *field)
{
    return (char **)((uintptr_t)client + field->offset);
}

struct metadata_strings metadata_list_of(const Rec__Client *client, const struct metadata_list *field)
{
    struct metadata_strings list;
    memcpy(&list.items, (const char *)client + field->offset, sizeof list.items);
    memcpy(&list.count, (const char *)client + field->count_offset, sizeof list.count);
    return list;
}

void metadata_set_list(Rec__Client *client, const struct metadata_list *field, struct metadata_strings list)
{
    memcpy((char *)client + field->offset, &list.items, sizeof list.items);
    memcpy((char *)client + field->count_offset, &list.count, sizeof list.count);
}

static protobuf_c_boolean *member_at(const Rec__Client *client, size_t offset)
{
    return (protobuf_c_boolean *)((uintptr_t)client + offset);
}

protobuf_c_boolean *metadata_flag_of(const Rec__Client *client, const struct metadata_flag *field)
{
    return member_at(client, field->offset);
}

protobuf_c_boolean *metadata_has_flag(const Rec__Client *client, const struct metadata_flag *field)
{
    return member_at(client, field->has_offset);
}

int64_t *metadata_number_of(const Rec__Client *client, const struct metadata_number *field)
{
    return (int64_t *)((uintptr_t)client + field->offset);
}

protobuf_c_boolean *metadata_has_number(const Rec__Client *client, const struct metadata_number *field)
{
    return member_at(client, field->has_offset);
}

/* --- writing and replacing --- */

static void replace(Rec__Client *client, const Rec__Client *from, enum metadata_writer writer)
{
    for (const struct metadata_text *field = METADATA_TEXTS; field->name != NULL; field++)
        *metadata_text_of(client, field) = *metadata_text_of(from, field);
    for (const struct metadata_list *field = METADATA_LISTS; field->name != NULL; field++)
        if (field->writer <= writer)
            metadata_set_list(client, field, metadata_list_of(from, field));
    client->scopes = from->scopes;
    client->n_scopes = from->n_scopes;
    client->jwks = from->jwks;
    for (const struct metadata_number *field = METADATA_NUMBERS; field->name != NULL; field++) {
        if (field->writer > writer)
            continue;
        *metadata_has_number(client, field) = *metadata_has_number(from, field);
        *metadata_number_of(client, field) = *metadata_number_of(from, field);
    }
    for (const struct metadata_flag *field = METADATA_FLAGS; field->name != NULL; field++) {
        if (field->writer > writer)
            continue;
        *metadata_has_flag(client, field) = *metadata_has_flag(from, field);
        *metadata_flag_of(client, field) = *metadata_flag_of(from, field);
    }
}

void client_metadata_replace(Rec__Client *client, const Rec__Client *from)
{
    replace(client, from, METADATA_OF_CLIENTS);
}

void client_metadata_replace_all(Rec__Client *client, const Rec__Client *from)
{
    replace(client, from, METADATA_OF_OPERATORS);
}

static void set_members(const void *ctx, json_t *object, const Rec__Client *client, enum metadata_writer writer)
{
    for (const struct metadata_text *field = METADATA_TEXTS; field->name != NULL; field++)
        json_set_string(object, field->name, *metadata_text_of(client, field));
    for (const struct metadata_list *field = METADATA_LISTS; field->name != NULL; field++) {
        struct metadata_strings list = metadata_list_of(client, field);
        if (field->writer > writer)
            continue;
        if (list.count > 0 || strcmp(field->name, "response_types") == 0)
            json_set_strings(object, field->name, list.items, list.count);
    }
    json_set_string(object, "scope", client->n_scopes == 0 ? NULL : scope_text(ctx, client->scopes, client->n_scopes));
    for (const struct metadata_number *field = METADATA_NUMBERS; field->name != NULL; field++)
        if (field->writer <= writer && *metadata_has_number(client, field))
            json_set_int(object, field->name, *metadata_number_of(client, field));
    for (const struct metadata_flag *field = METADATA_FLAGS; field->name != NULL; field++)
        if (field->writer <= writer && *metadata_has_flag(client, field))
            json_set_bool(object, field->name, *metadata_flag_of(client, field));
    json_t *jwks;
    if (client->jwks != NULL && json_read(ctx, bytes_of(client->jwks), &jwks) == OP_OK)
        json_set(object, "jwks", jwks);
}

void client_metadata_set(const void *ctx, json_t *object, const Rec__Client *client)
{
    set_members(ctx, object, client, METADATA_OF_CLIENTS);
}

void client_metadata_set_all(const void *ctx, json_t *object, const Rec__Client *client)
{
    set_members(ctx, object, client, METADATA_OF_OPERATORS);
}

bool client_metadata_knows(const char *name)
{
    static const char *const others[] = {"scope", "jwks"};
    bool known = false;
    for (const struct metadata_text *field = METADATA_TEXTS; field->name != NULL; field++)
        known = known || strcmp(field->name, name) == 0;
    for (const struct metadata_list *field = METADATA_LISTS; field->name != NULL; field++)
        known = known || strcmp(field->name, name) == 0;
    for (const struct metadata_flag *field = METADATA_FLAGS; field->name != NULL; field++)
        known = known || strcmp(field->name, name) == 0;
    for (const struct metadata_number *field = METADATA_NUMBERS; field->name != NULL; field++)
        known = known || strcmp(field->name, name) == 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        known = known || strcmp(others[i], name) == 0;
    return known;
}
