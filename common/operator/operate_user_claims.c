#include "operator/operate_user_claims.h"

#include <string.h>

#include "data/form.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/#"
enum { NAME_MAX_LEN = 64, VALUE_MAX_LEN = 16384, ALL_MAX_LEN = 65536 };

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

/* What is wrong with the claim, or NULL. */
static const char *problem(const char *name, const json_t *value)
{
    if (IS_ONE_OF(RESERVED, name))
        return "belongs to the protocol and cannot be set";
    if (IS_ONE_OF(BOOLEANS, name) && !json_is_boolean(value))
        return "is neither true nor false";
    if (IS_ONE_OF(STRINGS, name) && !json_is_string(value))
        return "is not text";
    if (IS_ONE_OF(NAMES, name) && !form_is_plain(bytes_from(json_string_value(value), json_string_length(value))))
        return "has control characters, or others that nobody sees";
    if (strcmp(name, "address") == 0 && !json_is_object(value))
        return "is not a JSON object: {\"formatted\":\"...\"}";
    return NULL;
}

static Rec__Claim *find(const Rec__User *user, const char *name)
{
    for (size_t i = 0; i < user->n_claims; i++)
        if (user->claims[i]->name != NULL && strcmp(user->claims[i]->name, name) == 0)
            return user->claims[i];
    return NULL;
}

static void put(const void *ctx, Rec__User *user, const char *name, char *json)
{
    Rec__Claim *claim = find(user, name);
    if (claim == NULL) {
        claim = records_new(ctx, &rec__claim__descriptor);
        claim->name = mem_strdup(ctx, name);
        user->claims = mem_grow(ctx, user->claims, Rec__Claim *, user->n_claims + 1);
        user->claims[user->n_claims++] = claim;
    }
    claim->json = json;
}

static void take_away(Rec__User *user, const char *name)
{
    for (size_t i = 0; i < user->n_claims; i++) {
        if (user->claims[i]->name == NULL || strcmp(user->claims[i]->name, name) != 0)
            continue;
        user->n_claims--;
        memmove(user->claims + i, user->claims + i + 1, (user->n_claims - i) * sizeof *user->claims);
        return;
    }
}

/* The claim's value after the patch. */
static const json_t *merged(const void *ctx, const Rec__User *user, const char *name, const json_t *value)
{
    const Rec__Claim *claim = find(user, name);
    json_t *present;
    if (!json_is_object(value))
        return value;
    if (claim == NULL || claim->json == NULL || json_read(ctx, bytes_of(claim->json), &present) != OP_OK ||
        !json_is_object(present))
        present = json_make_object(ctx);
    json_merge(present, value);
    return present;
}

static const char *change_one(const void *ctx, Rec__User *user, const char *name, const json_t *value, bool whole)
{
    size_t len = strlen(name);
    if (len == 0 || len > NAME_MAX_LEN || strspn(name, NAME_CHARACTERS) != len)
        return mem_printf(ctx, "has a name that is not 1 to %d of the letters, digits and _-.:/#", NAME_MAX_LEN);
    if (json_is_null(value)) {
        take_away(user, name);
        return NULL;
    }
    const json_t *result = whole ? value : merged(ctx, user, name, value);
    const char *wrong = problem(name, result);
    if (wrong != NULL)
        return wrong;
    char *text = json_text(ctx, result);
    if (strlen(text) > VALUE_MAX_LEN + 2)
        return mem_printf(ctx, "is longer than %d bytes", VALUE_MAX_LEN);
    put(ctx, user, name, text);
    return NULL;
}

static size_t length_of_all(const Rec__User *user)
{
    size_t len = 0;
    for (size_t i = 0; i < user->n_claims; i++)
        len += user->claims[i]->json == NULL ? 0 : strlen(user->claims[i]->json);
    return len;
}

bool operate_user_claims_change(const void *ctx, Rec__User *user, const json_t *patch, bool whole,
                                struct refusal *ret_refusal)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)patch, name, value) {
        const char *wrong = change_one(ctx, user, name, value, whole);
        if (wrong != NULL) {
            *ret_refusal = (struct refusal){mem_printf(ctx, "claims/%.*s", NAME_MAX_LEN, name), wrong};
            return false;
        }
    }
    if (length_of_all(user) > ALL_MAX_LEN) {
        *ret_refusal = (struct refusal){"claims", mem_printf(ctx, "are longer than %d bytes together", ALL_MAX_LEN)};
        return false;
    }
    return true;
}

json_t *operate_user_claims_json(const void *ctx, const Rec__User *user)
{
    json_t *object = json_make_object(ctx), *value;
    for (size_t i = 0; i < user->n_claims; i++)
        if (user->claims[i]->name != NULL && user->claims[i]->json != NULL &&
            json_read(ctx, bytes_of(user->claims[i]->json), &value) == OP_OK)
            json_set(object, user->claims[i]->name, value);
    return object;
}
