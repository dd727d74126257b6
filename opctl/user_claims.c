#include "user_claims.h"

#include <string.h>

#include "data/form.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/#"
enum { NAME_MAX_LEN = 64, VALUE_MAX_LEN = 16384 };

/* Claims whose meaning is the protocol's (RFC 7519 §4.1, RFC 9068 §2.2, OpenID Connect Core §2, §5.1), and ours. */
static const char *const RESERVED[] = {
    "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash",
    "c_hash", "s_hash", "cnf", "act", "scope", "client_id", "events", "updated_at", "fam", "offline", "granted_at",
    "claims_request", "first_party", "_claim_names", "_claim_sources",
};

static const char *const BOOLEANS[] = {"email_verified", "phone_number_verified"};
/* What pages and applications show as somebody's name. */
static const char *const NAMES[] = {
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username",
};
static const char *const STRINGS[] = {
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
    "website", "email", "gender", "birthdate", "zoneinfo", "locale", "phone_number",
};

#define IS_ONE_OF(list, name) is_one_of((list), sizeof(list) / sizeof *(list), (name))

static bool is_one_of(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* What is wrong with the claim, or NULL; owned by ctx. */
static const char *problem(const void *ctx, const char *name, const json_t *value)
{
    if (IS_ONE_OF(RESERVED, name))
        return mem_printf(ctx, "the claim %s belongs to the protocol and cannot be set", name);
    if (json_is_null(value))
        return mem_printf(ctx, "the claim %s is null: leave it out instead", name);
    if (IS_ONE_OF(BOOLEANS, name) && !json_is_boolean(value))
        return mem_printf(ctx, "the claim %s is true or false", name);
    if (IS_ONE_OF(STRINGS, name) && !json_is_string(value))
        return mem_printf(ctx, "the claim %s is text", name);
    if (IS_ONE_OF(NAMES, name) && !form_is_plain(bytes_from(json_string_value(value), json_string_length(value))))
        return mem_printf(ctx, "the claim %s has control characters, or others that nobody sees", name);
    if (strcmp(name, "address") == 0 && !json_is_object(value))
        return "the claim address is a JSON object: address={\"formatted\":\"...\"}";
    return NULL;
}

static bool looks_like_json(const char *value)
{
    return value[0] == '{' || value[0] == '[' || strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
}

static enum op_err refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return OP_INVALID;
}

static enum op_err read_value(const void *ctx, const char *name, const char *text, bool json, json_t **ret,
                              const char **ret_why)
{
    if (strlen(text) > VALUE_MAX_LEN)
        return refuse(mem_printf(ctx, "the claim %s is longer than %d bytes", name, VALUE_MAX_LEN), ret_why);
    if (json || looks_like_json(text)) {
        if (json_read(ctx, bytes_of(text), ret) == OP_OK)
            return OP_OK;
        return refuse(mem_printf(ctx, "the claim %s is not JSON (text like it is written %s:=\"...\")", name,
                                 name), ret_why);
    }
    json_t *value = json_string(text); /* NULL when not UTF-8 */
    if (value == NULL)
        return refuse(mem_printf(ctx, "the claim %s is not UTF-8 text", name), ret_why);
    *ret = json_own(ctx, value);
    return OP_OK;
}

enum op_err user_claim_set(const void *ctx, Rec__User *user, const char *text, const char **ret_why)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return refuse(mem_printf(ctx, "the claim %s is not written as NAME=VALUE", text), ret_why);
    bool json = equals[-1] == ':';
    char *name = mem_strndup(ctx, text, (size_t)(equals - text) - json);
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_LEN || strspn(name, NAME_CHARACTERS) != len)
        return refuse(mem_printf(ctx, "the claim's name %s is not 1 to %d of the letters, digits and _-.:/#", name,
                                 NAME_MAX_LEN), ret_why);
    json_t *value;
    enum op_err err = read_value(ctx, name, equals + 1, json, &value, ret_why);
    if (err != OP_OK)
        return err;
    const char *wrong = problem(ctx, name, value);
    if (wrong != NULL)
        return refuse(wrong, ret_why);
    user_claim_put(ctx, user, name, value);
    return OP_OK;
}

static Rec__Claim *find(const Rec__User *user, const char *name)
{
    for (size_t i = 0; i < user->n_claims; i++)
        if (user->claims[i]->name != NULL && strcmp(user->claims[i]->name, name) == 0)
            return user->claims[i];
    return NULL;
}

void user_claim_put(const void *ctx, Rec__User *user, const char *name, const json_t *value)
{
    Rec__Claim *claim = find(user, name);
    if (claim == NULL) {
        claim = records_new(ctx, &rec__claim__descriptor);
        claim->name = mem_strdup(ctx, name);
        user->claims = mem_grow(ctx, user->claims, Rec__Claim *, user->n_claims + 1);
        user->claims[user->n_claims++] = claim;
    }
    claim->json = json_text(ctx, value);
}

enum op_err user_claim_remove(Rec__User *user, const char *name)
{
    for (size_t i = 0; i < user->n_claims; i++) {
        if (user->claims[i]->name == NULL || strcmp(user->claims[i]->name, name) != 0)
            continue;
        user->n_claims--;
        memmove(user->claims + i, user->claims + i + 1, (user->n_claims - i) * sizeof *user->claims);
        return OP_OK;
    }
    return OP_ABSENT;
}

json_t *user_claims_json(const void *ctx, const Rec__User *user)
{
    json_t *object = json_make_object(ctx), *value;
    for (size_t i = 0; i < user->n_claims; i++)
        if (user->claims[i]->name != NULL && user->claims[i]->json != NULL &&
            json_read(ctx, bytes_of(user->claims[i]->json), &value) == OP_OK)
            json_set(object, user->claims[i]->name, value);
    return object;
}
