#pragma once
/* Time. Nothing blocks. */
#include <stdint.h>

/* Seconds since 1970-01-01 UTC, by the system's clock. */
int64_t clock_now(void);
/* The same in milliseconds. */
int64_t clock_now_ms(void);
/* Microseconds on a clock that never goes back; for waits, deadlines and latencies only. */
int64_t clock_monotonic_us(void);
