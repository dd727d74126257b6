#pragma once
/* When what could not be delivered is tried again. Pure. */
#include <stdint.h>

struct retry_settings {
    int64_t tries; /* in all */
    int64_t first; /* seconds from the first try to the second; each wait is twice the one before ... */
    int64_t max;   /* ... up to this many */
};

/* Milliseconds until the next try, once so many were made (at least one): a quarter less to a quarter more than the
 * schedule says, as chance (any number) has it, so that what failed together does not come back together. */
int64_t retry_delay_ms(const struct retry_settings *settings, int64_t tries, uint32_t chance);
