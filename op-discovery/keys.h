#pragma once
/* Makes and rotates the signing keys: looks when the schedule says so and when somebody rings jwks,
 * decides (rotation.h), makes what is needed on a thread, and writes: the sealed private halves
 * first, then in one transaction on jwks the decision, taken again on what stands there then. So two
 * instances make one set, and no published key lacks its private half; a crash between the two
 * writes leaves a private half that nobody knows, which is removed after a day. */
#include <event2/event.h>

#include "rotation.h"
#include "store/kv.h"

struct keys;

/* Looks at once and from then on. rules stay valid; seal_key is 32 bytes, copied. Owned by ctx; freeing it stops it.
 * OP_MISMATCH: the seal key does not open the private half of a current key; OP_BROKEN, OP_FULL;
 * *ret_why is one line (owned by ctx). */
must_check enum op_err keys_start(const void *ctx, struct event_base *base, struct kv *kv, const uint8_t *seal_key,
                                  const struct rotation_rules *rules, struct keys **ret, const char **ret_why);
