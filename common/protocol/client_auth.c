#include "protocol/client_auth.h"

#include <string.h>
#include <strings.h>

#include "base/codec.h"
#include "data/digest.h"
#include "data/form.h"

const char CLIENT_AUTH_FAILED[] = "client authentication failed";

static enum op_err refuse(struct oauth_error *ret_error, enum oauth_code code, const char *description)
{
    *ret_error = (struct oauth_error){code, description};
    return OP_INVALID;
}

static const char *secret_copy(const void *ctx, const char *s)
{
    return mem_secret(mem_strdup(ctx, s));
}

/* Basic credentials: base64 of id ':' secret, both halves form-encoded first. */
static enum op_err read_basic(const void *ctx, const char *authorization, struct client_auth *ret)
{
    if (strncasecmp(authorization, "Basic ", 6) != 0)
        return OP_INVALID;
    const char *text = authorization + 6 + strspn(authorization + 6, " ");
    struct bytes plain;
    enum op_err err = codec_from_base64(ctx, bytes_of(text), &plain);
    if (err != OP_OK)
        return err;
    mem_secret((void *)(uintptr_t)plain.data);
    const uint8_t *colon = plain.len == 0 ? NULL : memchr(plain.data, ':', plain.len);
    if (colon == NULL || colon == plain.data)
        return OP_INVALID;
    size_t id_len = (size_t)(colon - plain.data);
    char *id, *secret;
    err = form_decode(ctx, bytes_from(plain.data, id_len), &id);
    if (err == OP_OK)
        err = form_decode(ctx, bytes_from(colon + 1, plain.len - id_len - 1), &secret);
    if (err != OP_OK)
        return err;
    *ret = (struct client_auth){
        .method = CLIENT_AUTH_BASIC, .client_id = id, .client_secret = mem_secret(secret), .used_header = true};
    return OP_OK;
}

static bool is_there(const char *value)
{
    return value != NULL && *value != '\0';
}

static enum op_err parse_basic(const void *ctx, const char *authorization, const struct client_auth_form *form,
                               struct client_auth *ret, struct oauth_error *ret_error)
{
    struct client_auth basic;
    if (read_basic(ctx, authorization, &basic) != OP_OK)
        return refuse(ret_error, OAUTH_INVALID_CLIENT, "the Authorization header is not well-formed Basic");
    if (is_there(form->client_id) && strcmp(form->client_id, basic.client_id) != 0)
        return refuse(ret_error, OAUTH_INVALID_REQUEST, "client_id differs from that of the Authorization header");
    *ret = basic;
    return OP_OK;
}

static enum op_err parse_assertion(const void *ctx, const struct client_auth_form *form, struct client_auth *ret,
                                   struct oauth_error *ret_error)
{
    if (!is_there(form->client_assertion_type) || !is_there(form->client_assertion))
        return refuse(ret_error, OAUTH_INVALID_REQUEST, "client_assertion and client_assertion_type go together");
    struct client_assertion *assertion = mem_new(ctx, struct client_assertion);
    enum op_err err = client_assertion_read(assertion, form->client_assertion_type, form->client_assertion, assertion,
                                            ret_error);
    if (err != OP_OK)
        return err;
    if (is_there(form->client_id) && strcmp(form->client_id, assertion->client_id) != 0) /* RFC 7521 §4.2 */
        return refuse(ret_error, OAUTH_INVALID_CLIENT, "client_id differs from sub of the assertion");
    *ret = (struct client_auth){
        .method = CLIENT_AUTH_ASSERTION, .client_id = assertion->client_id, .assertion = assertion};
    return OP_OK;
}

enum op_err client_auth_parse(const void *ctx, const char *authorization, const struct client_auth_form *form,
                              struct client_auth *ret, struct oauth_error *ret_error)
{
    bool has_secret = is_there(form->client_secret);
    bool has_assertion = is_there(form->client_assertion) || is_there(form->client_assertion_type);
    if ((authorization != NULL) + has_secret + has_assertion > 1)
        return refuse(ret_error, OAUTH_INVALID_REQUEST, "more than one method of client authentication");
    if (authorization != NULL)
        return parse_basic(ctx, authorization, form, ret, ret_error);
    if (has_assertion)
        return parse_assertion(ctx, form, ret, ret_error);
    if (!is_there(form->client_id))
        return refuse(ret_error, OAUTH_INVALID_CLIENT, "no client authentication and no client_id");
    *ret = (struct client_auth){
        .method = has_secret ? CLIENT_AUTH_POST : CLIENT_AUTH_NONE,
        .client_id = form->client_id,
        .client_secret = has_secret ? secret_copy(ctx, form->client_secret) : NULL,
    };
    return OP_OK;
}

static const char *method_name(enum client_auth_method method)
{
    switch (method) {
    case CLIENT_AUTH_BASIC: return "client_secret_basic";
    case CLIENT_AUTH_POST: return "client_secret_post";
    case CLIENT_AUTH_ASSERTION: return "private_key_jwt";
    case CLIENT_AUTH_NONE: break;
    }
    return "none";
}

bool client_auth_is_supported(const char *token_endpoint_auth_method)
{
    static const enum client_auth_method all[] = {CLIENT_AUTH_NONE, CLIENT_AUTH_BASIC, CLIENT_AUTH_POST,
                                                   CLIENT_AUTH_ASSERTION};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(token_endpoint_auth_method, method_name(all[i])) == 0)
            return true;
    return false;
}

/* The same work whether or not there is a client or a hash to compare with. */
static bool secret_matches(const char *presented, const Rec__Client *client)
{
    static const uint8_t nothing[DIGEST_SHA256_LEN];
    bool stored = client != NULL && client->has_client_secret_hash && client->client_secret_hash.len == sizeof nothing;
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(presented), hash);
    bool equal = bytes_equal_ct(bytes_from(hash, sizeof hash),
                                bytes_from(stored ? client->client_secret_hash.data : nothing, sizeof nothing));
    return stored && equal;
}

enum op_err client_auth_decide(const struct client_auth *auth, const Rec__Client *client, struct oauth_error *ret_error)
{
    bool good = secret_matches(auth->client_secret, client) || auth->method == CLIENT_AUTH_NONE ||
                auth->method == CLIENT_AUTH_ASSERTION;
    if (client != NULL) {
        /* RFC 7591 §2: absent means client_secret_basic. */
        const char *registered = client->token_endpoint_auth_method;
        good = good && strcmp(registered != NULL ? registered : "client_secret_basic", method_name(auth->method)) == 0;
        good = good && (auth->assertion == NULL || !client_assertion_alg_differs(auth->assertion, client));
        good = good && !client->disabled && client->client_id != NULL &&
               strcmp(client->client_id, auth->client_id) == 0;
    }
    if (client != NULL && good)
        return OP_OK;
    *ret_error = (struct oauth_error){OAUTH_INVALID_CLIENT, CLIENT_AUTH_FAILED};
    return OP_MISMATCH;
}

bool client_has_secret(const Rec__Client *client)
{
    const char *method = client->token_endpoint_auth_method;
    return method == NULL || strcmp(method, "client_secret_basic") == 0 || strcmp(method, "client_secret_post") == 0;
}

bool client_is_public(const Rec__Client *client)
{
    return client->token_endpoint_auth_method != NULL && strcmp(client->token_endpoint_auth_method, "none") == 0;
}
