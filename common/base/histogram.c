#include "base/histogram.h"

const struct histogram_scale HISTOGRAM_TIMES = {
    16, {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000},
    1000000};
const struct histogram_scale HISTOGRAM_SIZES = {
    13, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}, 1};

void histogram_add(struct histogram *histogram, uint64_t value)
{
    size_t place = 0;
    while (place < histogram->scale->count && value > histogram->scale->bounds[place])
        place++;
    histogram->counts[place]++;
    histogram->sum += value;
    histogram->count++;
}
