#include "import_row.h"

#include <string.h>
#include <strings.h>

#include "data/password_import.h"
#include "data/records.h"
#include "operator/operate_user_claims.h"
#include "operator/operate_users.h"
#include "user_claims.h"

enum { SUB_MAX = 128 };

static enum op_err refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return OP_INVALID;
}

/* --- what both shapes are held to --- */

static const char *refusal_text(const void *ctx, const struct refusal *refusal)
{
    static const char below[] = "claims/";
    if (refusal->member == NULL)
        return refusal->what;
    bool claim = strncmp(refusal->member, below, strlen(below)) == 0;
    return mem_printf(ctx, "%s%s %s", claim ? "the claim " : "", refusal->member + (claim ? strlen(below) : 0),
                      refusal->what);
}

const char *import_row_claim_problem(const void *ctx, const char *name, const json_t *value)
{
    struct refusal refusal;
    json_t *patch = json_make_object(ctx);
    if (json_object_set(patch, name, (json_t *)value) != 0)
        return "a claim cannot have this name";
    if (operate_user_claims_change(ctx, records_new(ctx, &rec__user__descriptor), patch, true, &refusal))
        return NULL;
    return refusal_text(ctx, &refusal);
}

/* What tokens, keys of the store and lines can hold: visible ASCII, but what would need escaping in JSON. */
static bool is_sub(const char *sub)
{
    size_t len = strlen(sub);
    for (size_t i = 0; i < len; i++)
        if (sub[i] < 0x21 || sub[i] > 0x7e || sub[i] == '"' || sub[i] == '\\')
            return false;
    return len > 0 && len <= SUB_MAX;
}

enum op_err import_row_judge(const void *ctx, const struct import_row *row, const char **ret_why)
{
    struct refusal refusal;
    const char *why = operate_username_problem(row->username);
    if (why != NULL)
        return refuse(mem_printf(ctx, "username %s", why), ret_why);
    if (row->sub != NULL && !is_sub(row->sub))
        return refuse("the id is not 1 to 128 characters of visible ASCII without \" and \\", ret_why);
    if (!operate_user_claims_change(ctx, records_new(ctx, &rec__user__descriptor), row->claims, true, &refusal))
        return refuse(refusal_text(ctx, &refusal), ret_why);
    return OP_OK;
}

/* --- an object of our own shape --- */

static bool is_keycloak(const json_t *object)
{
    static const char *const members[] = {
        "credentials", "emailVerified", "createdTimestamp", "firstName", "lastName", "requiredActions", "realmRoles",
        "disableableCredentialTypes", "serviceAccountClientId",
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(object, members[i]) != NULL)
            return true;
    return false;
}

/* A member that is text or absent. */
static bool take_text(const json_t *object, const char *key, const char **ret)
{
    enum op_err err = json_get_string(object, key, ret);
    return err == OP_OK || err == OP_ABSENT;
}

static json_t *claims_of(const void *ctx, const json_t *object)
{
    static const char *const others[] = {"username", "password_hash", "sub", "enabled"};
    json_t *claims = json_make_object(ctx), *value;
    const char *name;
    json_object_foreach ((json_t *)object, name, value)
        if (!json_is_null(value))
            json_set(claims, name, value);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        json_object_del(claims, others[i]);
    return claims;
}

static enum op_err read_own(const void *ctx, const json_t *object, const struct import_rules *rules,
                            struct import_row *ret, const char **ret_why)
{
    struct import_row row = {0};
    const char *hash = NULL;
    bool enabled = true;
    char *phc = NULL;
    if (json_get_string(object, "username", &row.username) != OP_OK)
        return refuse("there is no username", ret_why);
    if (!take_text(object, "sub", &row.sub) || !take_text(object, "password_hash", &hash))
        return refuse("sub or password_hash is not text", ret_why);
    if (json_get_bool(object, "enabled", &enabled) == OP_INVALID)
        return refuse("enabled is not true or false", ret_why);
    if (hash != NULL && password_import(ctx, hash, rules->memory_max_kib, &phc, ret_why) != OP_OK)
        return OP_INVALID;
    row.disabled = !enabled;
    row.phc = phc;
    row.claims = claims_of(ctx, object);
    *ret = row;
    return OP_OK;
}

enum op_err import_row_read(const void *ctx, const json_t *object, const struct import_rules *rules,
                            struct import_row *ret, const char **ret_why)
{
    struct import_row row;
    if (!json_is_object(object))
        return refuse("a user is an object { ... }", ret_why);
    enum op_err err = is_keycloak(object) ? import_row_read_keycloak(ctx, object, rules, &row, ret_why)
                                          : read_own(ctx, object, rules, &row, ret_why);
    if (err == OP_OK && !rules->keep_ids)
        row.sub = NULL;
    if (err == OP_OK)
        err = import_row_judge(ctx, &row, ret_why);
    if (err == OP_OK)
        *ret = row;
    return err;
}

/* --- CSV --- */

enum op_err import_row_check_header(const void *ctx, const struct csv_row *header, const char **ret_why)
{
    bool username = false;
    for (size_t i = 0; i < header->count; i++) {
        if (header->fields[i][0] == '\0')
            return refuse(mem_printf(ctx, "column %zu has no name in the first line", i + 1), ret_why);
        const char *equals = strchr(header->fields[i], '=');
        if (equals != NULL && (equals[1] != '\0' || equals == header->fields[i] || equals[-1] != ':'))
            return refuse(mem_printf(ctx, "column %zu is neither a name nor NAME:=", i + 1), ret_why);
        username = username || strcmp(header->fields[i], "username") == 0;
        for (size_t j = 0; j < i; j++)
            if (strcmp(header->fields[i], header->fields[j]) == 0)
                return refuse(mem_printf(ctx, "columns %zu and %zu have the same name", j + 1, i + 1), ret_why);
    }
    return username ? OP_OK : refuse("the first line names the columns, and none of them is username", ret_why);
}

/* Spreadsheets write TRUE. */
static const char *plain_word(const char *text)
{
    return strcasecmp(text, "true") == 0 ? "true" : strcasecmp(text, "false") == 0 ? "false" : text;
}

/* One cell as a member of the object that the row is. */
static enum op_err add_cell(const void *ctx, json_t *object, const char *name, const char *text, const char **ret_why)
{
    static const char *const texts[] = {"username", "password_hash", "sub"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(name, texts[i]) != 0)
            continue;
        json_set_string(object, name, text);
        return OP_OK;
    }
    size_t len = strlen(name);
    bool json = len > 2 && strcmp(name + len - 2, ":=") == 0;
    return user_claim_read(ctx, mem_printf(ctx, "%.*s=%s", (int)(json ? len - 1 : len), name, plain_word(text)), object,
                           ret_why);
}

enum op_err import_row_read_csv(const void *ctx, const struct csv_row *header, const struct csv_row *row,
                                const struct import_rules *rules, struct import_row *ret, const char **ret_why)
{
    json_t *object = json_make_object(ctx);
    struct import_row read;
    if (row->count != header->count)
        return refuse(mem_printf(ctx, "it has %zu fields, and the first line names %zu", row->count, header->count),
                      ret_why);
    for (size_t i = 0; i < row->count; i++)
        if (row->fields[i][0] != '\0' && add_cell(ctx, object, header->fields[i], row->fields[i], ret_why) != OP_OK)
            return OP_INVALID;
    if (read_own(ctx, object, rules, &read, ret_why) != OP_OK)
        return OP_INVALID;
    if (!rules->keep_ids)
        read.sub = NULL;
    if (import_row_judge(ctx, &read, ret_why) != OP_OK)
        return OP_INVALID;
    *ret = read;
    return OP_OK;
}
