#pragma once
/* Which claims about the user go where (OpenID Connect Core §5.4, §5.5). Pure. */
#include "data/json.h"
#include "data/records.h"
#include "protocol/oauth_error.h"
#include "protocol/scope.h"

enum claims_place { CLAIMS_ID_TOKEN, CLAIMS_USERINFO };

/* The `claims` request parameter. OP_INVALID with invalid_request: not the shape of §5.5. ret is owned by ctx. */
must_check enum op_err claims_request_parse(const void *ctx, const char *text, json_t **ret, struct oauth_error *ret_error);
/* Names asked for one place, for the consent page; owned by ctx. */
struct scope_list claims_request_names(const void *ctx, const json_t *request, enum claims_place place);
/* A value or values constraint for one claim of the id_token place, e.g. sub or acr; NULL when none. */
const json_t *claims_request_member(const json_t *request, enum claims_place place, const char *claim);

/* Adds the user's claims that the scopes (userinfo only, §5.4) and the request release to `out`.
 * claims_request may be NULL. Never adds sub. A claim that the user has not is left out. */
void claims_release(json_t *out, const Rec__User *user, enum claims_place place, char *const *scopes, size_t scope_count,
                    const json_t *claims_request, const struct scope_catalogue *catalogue);
