#pragma once
/* PKCE (RFC 7636). Pure. */
#include "base/err.h"
#include "base/mem.h"

bool pkce_challenge_is_valid(const char *challenge); /* 43..128 of the unreserved characters (§4.2) */
bool pkce_verifier_is_valid(const char *verifier);   /* §4.1 */
/* §4.6: method is "S256" or "plain" (NULL: plain). Constant time. OP_MISMATCH; OP_INVALID: verifier malformed. */
must_check enum op_err pkce_verify(const char *verifier, const char *challenge, const char *method);
