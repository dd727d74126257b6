#pragma once
/* The claims of an account, as an operator may set them. Pure. */
#include "data/json.h"
#include "data/records.h"
#include "operator/refusal.h"

/* Changes the claims by a patch, an object: null takes one away, anything else is its value (an object is merged into
 * the one there is, RFC 7396, unless whole says that it takes its place). False: a claim has a malformed name, belongs
 * to the protocol (sub, iss, ...), is a standard one (OpenID Connect Core §5.1) of another type, or is too long; the
 * refusal's member is claims/NAME (owned by ctx), and the user is of no use any more. */
bool operate_user_claims_change(const void *ctx, Rec__User *user, const json_t *patch, bool whole,
                                struct refusal *ret_refusal);
/* All of them as an object owned by ctx. */
json_t *operate_user_claims_json(const void *ctx, const Rec__User *user);
