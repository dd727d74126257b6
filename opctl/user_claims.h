#pragma once
/* A claim of an account as it is written on the line. Pure. */
#include "data/json.h"

/* Sets a member of claims from "NAME=VALUE" (text, but true, false, an {object} or an [array] is JSON) or "NAME:=JSON".
 * OP_INVALID: *ret_why is one line, owned by ctx. Whether an account may have such a claim is not asked. */
must_check enum op_err user_claim_read(const void *ctx, const char *text, json_t *claims, const char **ret_why);
