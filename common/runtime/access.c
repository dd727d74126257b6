#include "runtime/access.h"

#include "base/clock.h"
#include "runtime/alive.h"
#include "runtime/settings.h"
#include "store/families.h"
#include "store/revoked_tokens.h"

enum op_err access_verify(struct keyring *ring, const void *ctx, const char *text, struct access_token *ret,
                          struct oauth_error *ret_error)
{
    json_t *claims;
    enum op_err err = keyring_verify(ring, ctx, text, ACCESS_TOKEN_TYP, &claims);
    if (err == OP_OK)
        return access_token_read(ctx, claims, settings.issuer, clock_now(), ret, ret_error);
    if (err == OP_BROKEN || err == OP_FULL)
        return err;
    *ret_error = (struct oauth_error){OAUTH_INVALID_TOKEN, "the token is not an access token of this issuer"};
    return OP_INVALID;
}

enum op_err access_load(struct kv_txn *txn, const void *ctx, const struct access_token *token,
                        struct family_facts *ret)
{
    Rec__Family *family = NULL;
    bool revoked = false;
    enum op_err err = token->family_id.len > 0 ? families_get(txn, ctx, token->family_id, &family)
                                               : revoked_tokens_has(txn, token->jti, &revoked);
    if (err == OP_OK || err == OP_ABSENT) /* for an access token an absent family is alive */
        err = alive_load(txn, ctx, token->grant, family, token->offline, ret);
    if (err == OP_OK)
        ret->revoked = revoked;
    return err;
}
