#pragma once
/* How often a value fell below each of a few bounds, as Prometheus counts it. One thread at a time. Nothing blocks. */
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 16 };

/* The upper bounds, ascending; a value on a bound is below it. Shown divided by `divisor`. */
struct histogram_scale {
    size_t count;
    uint64_t bounds[HISTOGRAM_BOUNDS_MAX];
    uint64_t divisor;
};
extern const struct histogram_scale HISTOGRAM_TIMES; /* microseconds, 100 us to 10 s; shown in seconds */
extern const struct histogram_scale HISTOGRAM_SIZES; /* how many, 1 to 4096 in powers of two */

struct histogram {
    const struct histogram_scale *scale;
    uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1]; /* between two bounds; the last: above all */
    uint64_t sum, count;
};

static inline struct histogram histogram_make(const struct histogram_scale *scale)
{
    return (struct histogram){.scale = scale};
}
void histogram_add(struct histogram *histogram, uint64_t value);
