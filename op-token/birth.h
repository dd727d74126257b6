#pragma once
/* The second half of every redemption: what was taken from a volatile environment (a code, a device's request)
 * becomes a family of tokens, under an id chosen before the taking. */
#include "token.h"

struct birth; /* owned by the request */

/* Chooses the id and the first refresh token, before anything is taken. */
struct birth *birth_prepare(struct token_request *token);
struct bytes birth_family_id(const struct birth *birth);
/* True when what the grant brings forth outlives its session. */
bool birth_is_offline(const Rec__Grant *grant);

/* After the taking: stores the family where the client may refresh, signs and replies; frees the request. grant and
 * user belong to the request. unusable is the description of the invalid_grant for which a family that is dead before
 * it was born is refused (a replay that was faster). */
void birth_give(struct birth *birth, Rec__Grant *grant, const Rec__User *user, int64_t now, const char *unusable);
