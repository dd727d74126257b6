#include "protocol/id_token.h"

#include <assert.h>

#include "base/codec.h"
#include "data/digest.h"

char *id_token_at_hash(const void *ctx, const char *access_token, enum jose_alg alg)
{
    uint8_t hash[64];
    size_t len = digest_sha2(jose_alg_hash_bits(alg), bytes_of(access_token), hash);
    return codec_base64url(ctx, bytes_from(hash, len / 2));
}

static void add_requested(json_t *claims, const struct id_token_input *input)
{
    const Rec__Grant *grant = input->grant;
    void *scratch = mem_root("id_token");
    json_t *request;
    if (input->user != NULL && grant->claims_request != NULL &&
        json_read(scratch, bytes_of(grant->claims_request), &request) == OP_OK)
        claims_release(claims, input->user, CLAIMS_ID_TOKEN, grant->scopes, grant->n_scopes, request, input->catalogue);
    talloc_free(scratch);
}

json_t *id_token_claims(const void *ctx, const struct id_token_input *input)
{
    const Rec__Grant *grant = input->grant;
    assert(grant->user_id != NULL && grant->client_id != NULL);
    json_t *claims = json_make_object(ctx);
    json_set_string(claims, "iss", input->issuer);
    json_set_string(claims, "sub", grant->user_id);
    json_set_string(claims, "aud", grant->client_id);
    json_set_int(claims, "exp", input->now + input->lifetime);
    json_set_int(claims, "iat", input->now);
    if (grant->has_auth_time)
        json_set_int(claims, "auth_time", grant->auth_time);
    json_set_string(claims, "nonce", input->nonce);
    json_set_string(claims, "acr", grant->acr);
    if (grant->n_amr > 0)
        json_set_strings(claims, "amr", grant->amr, grant->n_amr);
    json_set_string(claims, "sid", grant->sid);
    if (input->access_token != NULL)
        json_set_string(claims, "at_hash", id_token_at_hash(ctx, input->access_token, input->alg));
    add_requested(claims, input);
    return claims;
}
