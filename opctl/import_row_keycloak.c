#include <string.h>

#include "data/password_import.h"
#include "import_row.h"

static void note(const void *ctx, struct import_row *row, const char *what)
{
    row->notes = mem_grow(ctx, row->notes, const char *, row->note_count + 1);
    row->notes[row->note_count++] = what;
}

/* --- claims --- */

static void copy_text(const json_t *object, const char *key, json_t *claims, const char *claim)
{
    const char *text;
    if (json_get_string(object, key, &text) == OP_OK && *text != '\0')
        json_set_string(claims, claim, text);
}

static void set_name(const void *ctx, json_t *claims)
{
    const char *given = NULL, *family = NULL;
    bool both = json_get_string(claims, "given_name", &given) == OP_OK &&
                json_get_string(claims, "family_name", &family) == OP_OK;
    if (both)
        json_set_string(claims, "name", mem_printf(ctx, "%s %s", given, family));
    else
        json_set_string(claims, "name", given != NULL ? given : family);
}

/* An attribute is a list of texts; one alone is a text, and of claims that are true or false a word. */
static json_t *value_of(const void *ctx, const char *name, json_t *attribute)
{
    json_t *value = json_is_array(attribute) && json_array_size(attribute) == 1 ? json_array_get(attribute, 0) : attribute;
    const char *text = json_string_value(value), *end = strrchr(name, '_');
    if (text == NULL || end == NULL || strcmp(end, "_verified") != 0)
        return value;
    return strcmp(text, "true") == 0    ? json_own(ctx, json_true())
           : strcmp(text, "false") == 0 ? json_own(ctx, json_false())
                                        : value;
}

static void take_attributes(const void *ctx, const json_t *object, struct import_row *row)
{
    const char *name, *why;
    json_t *attribute;
    json_object_foreach (json_object_get(object, "attributes"), name, attribute) {
        json_t *value = value_of(ctx, name, attribute);
        if (json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0) ||
            json_object_get(row->claims, name) != NULL)
            continue;
        if ((why = import_row_claim_problem(ctx, name, value)) == NULL)
            json_set(row->claims, name, value);
        else
            note(ctx, row, mem_printf(ctx, "an attribute is left out: %s", why));
    }
}

static void take_claims(const void *ctx, const json_t *object, struct import_row *row)
{
    bool verified;
    json_t *groups = json_object_get(object, "groups");
    row->claims = json_make_object(ctx);
    copy_text(object, "firstName", row->claims, "given_name");
    copy_text(object, "lastName", row->claims, "family_name");
    set_name(ctx, row->claims);
    copy_text(object, "email", row->claims, "email");
    if (json_object_get(row->claims, "email") != NULL && json_get_bool(object, "emailVerified", &verified) == OP_OK)
        json_set_bool(row->claims, "email_verified", verified);
    if (json_array_size(groups) > 0)
        json_set(row->claims, "groups", groups);
    take_attributes(ctx, object, row);
}

/* --- credentials --- */

static enum op_err take_credentials(const void *ctx, const json_t *object, const struct import_rules *rules,
                                    struct import_row *row, const char **ret_why)
{
    size_t i;
    json_t *credential;
    char *phc = NULL;
    json_array_foreach (json_object_get(object, "credentials"), i, credential) {
        const char *type = json_string_value(json_object_get(credential, "type"));
        bool is_password = type != NULL && strcmp(type, "password") == 0;
        if (is_password && phc == NULL) {
            if (password_import_keycloak(ctx, credential, rules->memory_max_kib, &phc, ret_why) != OP_OK)
                return OP_INVALID;
        } else {
            note(ctx, row, is_password ? "a second password is left out"
                                       : "a credential that is no password is left out (a second factor, a passkey)");
        }
    }
    if (json_array_size(json_object_get(object, "federatedIdentities")) > 0)
        note(ctx, row, "the link to another identity provider is left out");
    if (phc == NULL)
        note(ctx, row, "there is no password: nobody can sign in with one until it is set");
    row->phc = phc;
    return OP_OK;
}

enum op_err import_row_read_keycloak(const void *ctx, const json_t *object, const struct import_rules *rules,
                                     struct import_row *ret, const char **ret_why)
{
    struct import_row row = {0};
    int64_t created;
    bool enabled = true;
    const char *why = NULL;
    if (json_get_string(object, "serviceAccountClientId", ret_why) == OP_OK) {
        *ret_why = "the service account of a client is left out";
        return OP_DENIED;
    }
    if (json_get_string(object, "username", &row.username) != OP_OK)
        why = "there is no username";
    else if (json_get_bool(object, "enabled", &enabled) == OP_INVALID)
        why = "enabled is not true or false";
    if (why != NULL) {
        *ret_why = why;
        return OP_INVALID;
    }
    if (json_get_string(object, "id", &row.sub) != OP_OK)
        row.sub = NULL;
    if (json_get_int(object, "createdTimestamp", &created) == OP_OK && created > 0)
        row.created_at = created / 1000;
    row.disabled = !enabled;
    take_claims(ctx, object, &row);
    enum op_err err = take_credentials(ctx, object, rules, &row, ret_why);
    if (err == OP_OK)
        *ret = row;
    return err;
}
