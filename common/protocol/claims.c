#include "protocol/claims.h"

#include <string.h>

static const char *const PLACES[] = {[CLAIMS_ID_TOKEN] = "id_token", [CLAIMS_USERINFO] = "userinfo"};

/* Claims about the token or the sign-in: never taken from what is stored about the user. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = {
        "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash",
        "c_hash", "s_hash", "events", "cnf", "client_id", "scope",
    };
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(name, reserved[i]) == 0)
            return true;
    return false;
}

static bool member_is_sound(const json_t *member)
{
    if (json_is_null(member))
        return true;
    if (!json_is_object(member))
        return false;
    const json_t *essential = json_object_get(member, "essential");
    const json_t *values = json_object_get(member, "values");
    return (essential == NULL || json_is_boolean(essential)) && (values == NULL || json_is_array(values));
}

static bool place_is_sound(const json_t *place)
{
    const char *name;
    json_t *member;
    if (place == NULL || json_is_null(place))
        return true;
    if (!json_is_object(place))
        return false;
    json_object_foreach((json_t *)(uintptr_t)place, name, member)
        if (*name == '\0' || !member_is_sound(member))
            return false;
    return true;
}

enum op_err claims_request_parse(const void *ctx, const char *text, json_t **ret, struct oauth_error *ret_error)
{
    json_t *request;
    const char *problem = "claims is not a JSON object";
    if (json_read(ctx, bytes_of(text), &request) != OP_OK || !json_is_object(request))
        goto out;
    problem = "claims has a member that is not of the form of OpenID Connect Core section 5.5";
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++)
        if (!place_is_sound(json_object_get(request, PLACES[i])))
            goto out;
    *ret = request;
    return OP_OK;
out:
    *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, problem};
    return OP_INVALID;
}

static json_t *place_of(const json_t *request, enum claims_place place)
{
    json_t *object = request == NULL ? NULL : json_object_get(request, PLACES[place]);
    return json_is_object(object) ? object : NULL;
}

struct scope_list claims_request_names(const void *ctx, const json_t *request, enum claims_place place)
{
    json_t *object = place_of(request, place), *member;
    struct scope_list names = {.items = mem_array(ctx, char *, json_object_size(object))};
    const char *name;
    if (object == NULL)
        return names;
    json_object_foreach(object, name, member)
        if (!is_reserved(name))
            names.items[names.count++] = mem_strdup(names.items, name);
    return names;
}

const json_t *claims_request_member(const json_t *request, enum claims_place place, const char *claim)
{
    const json_t *object = place_of(request, place);
    const json_t *member = object == NULL ? NULL : json_object_get(object, claim);
    return json_is_object(member) ? member : NULL;
}

bool claims_value_fits(const json_t *member, const json_t *value)
{
    const json_t *wanted = json_object_get(member, "value"), *choice = json_object_get(member, "values");
    if (wanted != NULL)
        return json_equal(wanted, value);
    if (choice == NULL)
        return true;
    for (size_t i = 0; i < json_array_size(choice); i++)
        if (json_equal(json_array_get(choice, i), value))
            return true;
    return false;
}

json_t *claims_value(const void *ctx, const Rec__User *user, const char *claim)
{
    json_t *value;
    for (size_t i = 0; i < user->n_claims; i++) {
        const Rec__Claim *stored = user->claims[i];
        if (stored->name != NULL && stored->json != NULL && strcmp(stored->name, claim) == 0 &&
            json_read(ctx, bytes_of(stored->json), &value) == OP_OK)
            return json_is_null(value) ? NULL : value;
    }
    if (strcmp(claim, "preferred_username") == 0 && user->username != NULL)
        return json_own(ctx, json_string(user->username));
    if (strcmp(claim, "updated_at") == 0 && user->has_updated_at)
        return json_own(ctx, json_integer(user->updated_at));
    return NULL;
}

static void release(json_t *out, const void *scratch, const Rec__User *user, const char *claim, const json_t *member)
{
    if (is_reserved(claim) || json_object_get(out, claim) != NULL)
        return;
    json_t *value = claims_value(scratch, user, claim);
    if (value != NULL && claims_value_fits(member, value))
        json_set(out, claim, value);
}

void claims_release(json_t *out, const Rec__User *user, enum claims_place place, char *const *scopes,
                    size_t scope_count, const json_t *claims_request, const struct scope_catalogue *catalogue)
{
    void *scratch = mem_root("claims");
    for (size_t i = 0; place == CLAIMS_USERINFO && i < scope_count; i++) {
        const struct scope_definition *definition = scope_find(catalogue, scopes[i]);
        for (size_t j = 0; definition != NULL && j < definition->claim_count; j++)
            release(out, scratch, user, definition->claims[j], NULL);
    }
    struct scope_list names = claims_request_names(scratch, claims_request, place);
    for (size_t i = 0; i < names.count; i++)
        release(out, scratch, user, names.items[i], claims_request_member(claims_request, place, names.items[i]));
    talloc_free(scratch);
}
