#pragma once
/* The claims of an account as an operator writes them. Pure. */
#include "data/json.h"
#include "data/records.h"

/* Sets one claim from "NAME=VALUE" (text, but true, false, an {object} or an [array] is JSON) or "NAME:=JSON",
 * replacing the one of that name. OP_INVALID: *ret_why is one line, owned by ctx: no such form, a claim that
 * tokens carry for the protocol (sub, iss, ...), or a standard claim (OpenID Connect Core §5.1) of another type. */
must_check enum op_err user_claim_set(const void *ctx, Rec__User *user, const char *text, const char **ret_why);
/* The same with a name and text that are known to fit. */
void user_claim_put(const void *ctx, Rec__User *user, const char *name, const json_t *value);
/* OP_ABSENT: the user has no such claim. */
must_check enum op_err user_claim_remove(Rec__User *user, const char *name);
/* All of them as an object owned by ctx. */
json_t *user_claims_json(const void *ctx, const Rec__User *user);
