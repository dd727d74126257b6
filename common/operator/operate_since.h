#pragma once
/* When what was granted before is dead. */
#include <stdint.h>

/* A moment later than all that was granted until now: that may stand a second ahead, where since (0: never moved) did.
 * For use inside the work that writes it, as a work may wait: until it is done, things are granted. Who answers only
 * when that second has begun can say that whatever happens after the answer is alive. Pure. */
int64_t operate_since(int64_t now, int64_t since);
