#pragma once
/* Which claims about the user go where (OpenID Connect Core §5.4, §5.5). Pure. */
#include "data/json.h"
#include "data/records.h"
#include "protocol/oauth_error.h"
#include "protocol/scope.h"

enum claims_place { CLAIMS_ID_TOKEN, CLAIMS_USERINFO };

/* The `claims` request parameter. OP_INVALID with invalid_request: not the shape of §5.5. Members that
 * §5.5 does not know are ignored. ret is owned by ctx. */
must_check enum op_err claims_request_parse(const void *ctx, const char *text, json_t **ret,
                                             struct oauth_error *ret_error);
/* Names of the user's claims asked for one place, for the consent page; those about the token or the
 * sign-in itself (sub, acr, auth_time, ...) are not among them. request may be NULL. Owned by ctx. */
struct scope_list claims_request_names(const void *ctx, const json_t *request, enum claims_place place);
/* What the request says about one claim, e.g. sub or acr: an object that may have essential, value,
 * values. NULL when it is not asked for or nothing is said about it. request may be NULL. */
const json_t *claims_request_member(const json_t *request, enum claims_place place, const char *claim);

/* True when a claim's value meets the `value` or `values` of its member (as above; NULL: no constraint). */
bool claims_value_fits(const json_t *member, const json_t *value);

/* A claim of the user as it is stored, whoever may see it; preferred_username and updated_at fall back to the account's
 * own. NULL when there is none or it is null. Owned by ctx. */
json_t *claims_value(const void *ctx, const Rec__User *user, const char *claim);

/* Adds the user's claims that the scopes (userinfo only, §5.4) and the request release to `out`.
 * claims_request may be NULL. Never adds sub or another claim about the token or the sign-in, never
 * replaces a member of out. A claim that the user has not, or not with the value asked for, is left out. */
void claims_release(json_t *out, const Rec__User *user, enum claims_place place, char *const *scopes,
                    size_t scope_count, const json_t *claims_request, const struct scope_catalogue *catalogue);
