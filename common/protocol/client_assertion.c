#include "protocol/client_assertion.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "protocol/client_keys.h"

static const int64_t TIME_MAX = 1000000000000; /* later is no count of seconds */

static enum op_err refuse(struct oauth_error *ret_error, enum op_err err, const char *description)
{
    *ret_error = (struct oauth_error){OAUTH_INVALID_CLIENT, description};
    return err;
}

/* --- reading --- */

/* NumericDate (RFC 7519 §2): a number, perhaps with a fraction. */
static enum op_err get_time(const json_t *claims, const char *name, int64_t *ret)
{
    const json_t *value = json_object_get(claims, name);
    if (value == NULL)
        return OP_ABSENT;
    double seconds = json_number_value(value);
    if (!json_is_number(value) || !(seconds >= 0 && seconds <= (double)TIME_MAX))
        return OP_INVALID;
    *ret = (int64_t)seconds;
    return OP_OK;
}

static const char *read_times(const json_t *claims, struct client_assertion *out)
{
    if (get_time(claims, "exp", &out->exp) != OP_OK)
        return "the assertion has no exp, or one that is no time";
    enum op_err nbf = get_time(claims, "nbf", &out->nbf), iat = get_time(claims, "iat", &out->iat);
    if (nbf == OP_INVALID || iat == OP_INVALID)
        return "nbf or iat of the assertion is no time";
    out->has_nbf = nbf == OP_OK;
    out->has_iat = iat == OP_OK;
    return NULL;
}

/* RFC 7519 §4.1.3: one string, or an array of strings. */
static bool read_audiences(const void *ctx, const json_t *claims, struct client_assertion *out)
{
    const json_t *aud = json_object_get(claims, "aud"), *item;
    size_t i, count = json_is_array(aud) ? json_array_size(aud) : 1;
    out->audiences = mem_array(ctx, char *, count);
    for (i = 0; i < count; i++) {
        item = json_is_array(aud) ? json_array_get(aud, i) : aud;
        if (!json_is_string(item))
            return false;
        out->audiences[out->audience_count++] = mem_strdup(ctx, json_string_value(item));
    }
    return count > 0;
}

static const char *read_claims(const void *ctx, const json_t *claims, struct client_assertion *out)
{
    const char *iss, *sub, *jti;
    if (json_get_string(claims, "iss", &iss) != OP_OK || json_get_string(claims, "sub", &sub) != OP_OK || *sub == '\0')
        return "the assertion has no iss or no sub: both are the client_id";
    if (strcmp(iss, sub) != 0)
        return "iss and sub of the assertion differ: both are the client_id";
    if (!read_audiences(ctx, claims, out))
        return "the assertion has no aud, or one that is neither a string nor an array of strings";
    if (json_get_string(claims, "jti", &jti) != OP_OK || *jti == '\0' || strlen(jti) > CLIENT_ASSERTION_JTI_MAX)
        return "the assertion has no jti, or one longer than 256 bytes";
    out->client_id = mem_strdup(ctx, sub);
    out->jti = mem_strdup(ctx, jti);
    return read_times(claims, out);
}

static bool is_type_of_assertions(const char *typ)
{
    return typ == NULL || strcasecmp(typ, "JWT") == 0 || strcasecmp(typ, "client-authentication+jwt") == 0;
}

static const char *read_token(const void *ctx, const char *token, struct client_assertion *out)
{
    json_t *claims;
    if (jose_peek(ctx, token, &out->header) != OP_OK || jose_peek_claims(ctx, token, &claims) != OP_OK)
        return "the assertion is not a signed JWT";
    if (!client_keys_alg_is_offered(out->header.alg))
        return "alg of the assertion is none of token_endpoint_auth_signing_alg_values_supported";
    if (!is_type_of_assertions(out->header.typ))
        return "typ of the assertion is that of another kind of JWT";
    return read_claims(ctx, claims, out);
}

enum op_err client_assertion_read(const void *ctx, const char *type, const char *token, struct client_assertion *ret,
                                  struct oauth_error *ret_error)
{
    if (strcmp(type, CLIENT_ASSERTION_TYPE) != 0)
        return refuse(ret_error, OP_INVALID, "client_assertion_type is not " CLIENT_ASSERTION_TYPE);
    struct client_assertion out = {.token = token};
    const char *wrong = read_token(ctx, token, &out);
    if (wrong != NULL)
        return refuse(ret_error, OP_INVALID, wrong);
    *ret = out;
    return OP_OK;
}

/* --- judging --- */

static bool is_for_us(const struct client_assertion *assertion, const struct client_assertion_rules *rules)
{
    for (size_t i = 0; i < rules->audience_count; i++)
        if (records_contain(assertion->audiences, assertion->audience_count, rules->audiences[i]))
            return true;
    return false;
}

static int64_t issued_at(const struct client_assertion *assertion, const struct client_assertion_rules *rules)
{
    return assertion->has_iat ? assertion->iat : assertion->exp - rules->age_max;
}

int64_t client_assertion_ends_at(const struct client_assertion *assertion, const struct client_assertion_rules *rules)
{
    int64_t oldest = issued_at(assertion, rules) + rules->age_max;
    return assertion->exp < oldest ? assertion->exp : oldest;
}

enum op_err client_assertion_decide(const struct client_assertion *assertion,
                                    const struct client_assertion_rules *rules, struct oauth_error *ret_error)
{
    int64_t now = rules->now, skew = rules->clock_skew, issued = issued_at(assertion, rules);
    const char *wrong = NULL;
    if (!is_for_us(assertion, rules))
        wrong = "aud of the assertion is neither the issuer nor this endpoint";
    else if (assertion->exp <= now - skew)
        wrong = "the assertion has expired";
    else if (assertion->has_nbf && assertion->nbf > now + skew)
        wrong = "the assertion is not valid yet (nbf)";
    else if (issued > now + skew)
        wrong = assertion->has_iat ? "iat of the assertion is in the future" : "exp of the assertion is too far away";
    else if (assertion->has_iat && assertion->exp - assertion->iat > rules->lifetime_max)
        wrong = "exp of the assertion is too far from its iat";
    else if (client_assertion_ends_at(assertion, rules) <= now - skew)
        wrong = "the assertion was issued too long ago (iat)";
    else if (issued < rules->remembered_since)
        wrong = "the assertion may be from before this server's start: make a new one, with iat";
    return wrong == NULL ? OP_OK : refuse(ret_error, OP_MISMATCH, wrong);
}

bool client_assertion_alg_differs(const struct client_assertion *assertion, const Rec__Client *client)
{
    const char *registered = client->token_endpoint_auth_signing_alg;
    return registered != NULL && jose_alg_from_name(registered) != assertion->header.alg;
}

/* --- verifying --- */

enum op_err client_assertion_verify(const struct client_assertion *assertion, struct bytes jwks)
{
    void *scratch = mem_root("client_assertion_verify");
    struct jose_key **keys;
    size_t count = 0;
    json_t *claims;
    enum op_err err = client_keys_find(scratch, jwks, &assertion->header, &keys, &count);
    if (err == OP_ABSENT)
        client_assertion_verify_in_vain(assertion);
    if (err == OP_OK)
        err = assertion->header.kid == NULL ? OP_ABSENT : OP_MISMATCH;
    for (size_t i = 0; i < count && err != OP_OK; i++)
        if (jose_verify(scratch, assertion->token, keys[i], &claims) == OP_OK)
            err = OP_OK;
    talloc_free(scratch);
    return err;
}

void client_assertion_verify_in_vain(const struct client_assertion *assertion)
{
    struct client_assertion any_kid = *assertion;
    any_kid.header.kid = NULL;
    enum op_err err = client_assertion_verify(&any_kid, client_keys_of_nobody());
    assert(err != OP_OK);
    (void)err;
}
