#pragma once
/* grant_type=urn:ietf:params:oauth:grant-type:device_code (RFC 8628 §3.4, §3.5). */
#include "token.h"

/* One poll of a device. Takes the request once somebody has approved it (async), then stores the family (tokens), as
 * the redemption of a code does; a device that lost the answer has to begin again. Replies. */
void device_code_grant(struct token_request *token);
