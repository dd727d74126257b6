#pragma once
/* Who may call the administration API, /admin/v1/: clients of the operator's, with access tokens that they got by
 * client_credentials and that name the API as their resource (RFC 8707). What a client may do there is a list of powers
 * in its record, which only opctl writes: no registration and no person's consent can give one. A power is NOUN, or
 * NOUN:read to look only; as a scope it has "admin:" before it. Pure. */
#include "protocol/access_token.h"
#include "protocol/family.h"
#include "protocol/params.h"
#include "protocol/scope.h"

extern const char *const ADMINISTRATION_NOUNS[]; /* users, clients, ...; NULL-terminated */

/* ISSUER/admin, owned by ctx. */
char *administration_resource(const void *ctx, const char *issuer);
/* True when one of the resources asked for is that one. */
bool administration_is_asked(const struct param_list *resources, const char *resource);

/* True for what looks like a scope of the API. Nobody can register such a scope, nor ask a person for it. */
bool administration_is_scope(const char *scope);
/* True for NOUN and NOUN:read. */
bool administration_is_power(const char *power);

/* The scopes of a token for the API: those asked for, or all that the client may have. OP_INVALID: invalid_target (the
 * client has no power, or other resources are asked for as well), invalid_scope. Owned by ctx. */
must_check enum op_err administration_grant(const void *ctx, const Rec__Client *client, const struct scope_list *asked,
                                            const struct param_list *resources, struct scope_list *ret,
                                            struct oauth_error *ret_error);

/* What a caller wants: to change something of a noun, or to look. */
struct administration_wish {
    const char *noun;
    bool change;
};
/* "admin:users", or "admin:users:read" where that is enough; owned by ctx. */
char *administration_scope_for(const void *ctx, const struct administration_wish *wish);

/* Whether a token may. It must be of the client itself and name the resource, the client must have the power still, and
 * the token a scope for it. OP_DENIED: invalid_token, insufficient_scope. client is NULL when there is none. */
must_check enum op_err administration_admit(const void *ctx, const struct access_token *token, const char *resource,
                                            const Rec__Client *client, enum family_verdict alive,
                                            const struct administration_wish *wish, struct oauth_error *ret_error);
