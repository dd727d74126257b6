#include "protocol/access_token.h"

#include <string.h>

#include "base/codec.h"
#include "protocol/scope.h"

enum { FAMILY_ID_BYTES = 16 };

static void add_audience(json_t *claims, const struct access_token_input *input)
{
    const Rec__Grant *grant = input->grant;
    if (grant->n_audiences > 1)
        json_set_strings(claims, "aud", grant->audiences, grant->n_audiences);
    else
        json_set_string(claims, "aud", grant->n_audiences == 1 ? grant->audiences[0] : input->issuer);
}

/* What RFC 9068 §2.2.1 and §2.2.3 say about the sign-in, where there was one. */
static void add_sign_in(json_t *claims, const Rec__Grant *grant)
{
    if (grant->has_auth_time)
        json_set_int(claims, "auth_time", grant->auth_time);
    json_set_string(claims, "acr", grant->acr);
    if (grant->n_amr > 0)
        json_set_strings(claims, "amr", grant->amr, grant->n_amr);
    json_set_string(claims, "sid", grant->sid);
}

static void add_own(json_t *claims, const void *ctx, const struct access_token_input *input)
{
    const Rec__Grant *grant = input->grant;
    if (input->family_id.len > 0)
        json_set_string(claims, "fam", codec_base64url(ctx, input->family_id));
    if (input->offline)
        json_set_bool(claims, "offline", true);
    if (grant->has_granted_at)
        json_set_int(claims, "granted_at", grant->granted_at);
    json_set_string(claims, "claims_request", grant->claims_request);
    if (grant->first_party)
        json_set_bool(claims, "first_party", true);
}

json_t *access_token_claims(const void *ctx, const struct access_token_input *input)
{
    const Rec__Grant *grant = input->grant;
    json_t *claims = json_make_object(ctx);
    json_set_string(claims, "iss", input->issuer);
    json_set_string(claims, "sub", grant->user_id != NULL ? grant->user_id : grant->client_id);
    add_audience(claims, input);
    json_set_string(claims, "client_id", grant->client_id);
    json_set_int(claims, "iat", input->now);
    json_set_int(claims, "exp", input->now + input->lifetime);
    json_set_string(claims, "jti", input->jti);
    if (input->scope_count > 0)
        json_set_string(claims, "scope", scope_text(ctx, input->scopes, input->scope_count));
    add_sign_in(claims, grant);
    add_own(claims, ctx, input);
    return claims;
}

/* Optional members: absent is fine, another type is not. */
static bool maybe_string(const void *ctx, const json_t *claims, const char *name, char **ret)
{
    const char *value;
    enum op_err err = json_get_string(claims, name, &value);
    if (err == OP_OK)
        *ret = mem_strdup(ctx, value);
    return err == OP_OK || err == OP_ABSENT;
}

static bool maybe_int(const json_t *claims, const char *name, protobuf_c_boolean *ret_has, int64_t *ret)
{
    enum op_err err = json_get_int(claims, name, ret);
    *ret_has = err == OP_OK;
    return err == OP_OK || err == OP_ABSENT;
}

static bool maybe_bool(const json_t *claims, const char *name, bool *ret)
{
    enum op_err err = json_get_bool(claims, name, ret);
    return err == OP_OK || err == OP_ABSENT;
}

/* A string or an array of strings (aud, amr). */
static bool maybe_strings(const void *ctx, const json_t *claims, const char *name, char ***ret, size_t *ret_count)
{
    const json_t *value = json_object_get(claims, name);
    if (value == NULL)
        return true;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    char **items = mem_array(ctx, char *, count);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(item))
            return false;
        items[i] = mem_strdup(items, json_string_value(item));
    }
    *ret = items;
    *ret_count = count;
    return true;
}

static bool read_grant(const void *ctx, const json_t *claims, const char *sub, Rec__Grant *grant)
{
    char *scope = NULL;
    bool first_party = false;
    if (!maybe_string(ctx, claims, "client_id", &grant->client_id) || grant->client_id == NULL)
        return false;
    if (strcmp(sub, grant->client_id) != 0)
        grant->user_id = mem_strdup(ctx, sub);
    bool good = maybe_string(ctx, claims, "sid", &grant->sid) && maybe_string(ctx, claims, "scope", &scope) &&
                maybe_string(ctx, claims, "acr", &grant->acr) &&
                maybe_string(ctx, claims, "claims_request", &grant->claims_request) &&
                maybe_int(claims, "auth_time", &grant->has_auth_time, &grant->auth_time) &&
                maybe_int(claims, "granted_at", &grant->has_granted_at, &grant->granted_at) &&
                maybe_bool(claims, "first_party", &first_party) &&
                maybe_strings(ctx, claims, "amr", &grant->amr, &grant->n_amr) &&
                maybe_strings(ctx, claims, "aud", &grant->audiences, &grant->n_audiences);
    struct scope_list scopes = scope_parse(ctx, scope);
    grant->scopes = scopes.items;
    grant->n_scopes = scopes.count;
    grant->has_first_party = first_party;
    grant->first_party = first_party;
    return good && grant->n_audiences > 0;
}

static bool read_family(const void *ctx, const json_t *claims, struct bytes *ret)
{
    char *text = NULL;
    if (!maybe_string(ctx, claims, "fam", &text))
        return false;
    if (text == NULL)
        return true;
    struct bytes id;
    if (codec_from_base64url(ctx, bytes_of(text), &id) != OP_OK || id.len != FAMILY_ID_BYTES)
        return false;
    *ret = id;
    return true;
}

/* NULL when the token is good, else what is wrong with it. */
static const char *read_all(const void *ctx, const json_t *claims, const char *issuer, int64_t now,
                            struct access_token *token)
{
    char *iss = NULL, *sub = NULL, *jti = NULL;
    protobuf_c_boolean has_iat, has_exp;
    if (!maybe_string(ctx, claims, "iss", &iss) || iss == NULL || strcmp(iss, issuer) != 0)
        return "the token is of another issuer";
    if (!maybe_int(claims, "exp", &has_exp, &token->exp) || !has_exp || now >= token->exp)
        return "the token has expired";
    token->grant = records_new(ctx, &rec__grant__descriptor);
    if (!maybe_string(ctx, claims, "sub", &sub) || sub == NULL || !maybe_string(ctx, claims, "jti", &jti) ||
        jti == NULL || !maybe_int(claims, "iat", &has_iat, &token->iat) || !has_iat ||
        !maybe_bool(claims, "offline", &token->offline) || !read_family(ctx, claims, &token->family_id) ||
        !read_grant(ctx, claims, sub, token->grant))
        return "the token is not complete";
    if (!token->grant->has_granted_at) {
        token->grant->has_granted_at = true;
        token->grant->granted_at = token->iat;
    }
    token->sub = sub;
    token->jti = jti;
    return NULL;
}

enum op_err access_token_read(const void *ctx, const json_t *claims, const char *issuer, int64_t now,
                              struct access_token *ret, struct oauth_error *ret_error)
{
    struct access_token token = {0};
    const char *problem = read_all(ctx, claims, issuer, now, &token);
    if (problem != NULL) {
        *ret_error = (struct oauth_error){OAUTH_INVALID_TOKEN, problem};
        return OP_INVALID;
    }
    *ret = token;
    return OP_OK;
}
