#pragma once
/* Whether a new version does worse than the old one beside it, by what their processes counted in the same time. Pure. */
#include "exposition.h"

struct watch_tally {
    struct exposition_answer *answers; /* each endpoint, status and error once */
    size_t count;
};
/* Adds what one process says in its /.metrics; names are owned by ctx. */
void watch_add(const void *ctx, struct watch_tally *tally, const char *metrics);
/* What happened between two tallies of the same processes; one that was started again in between counts as 0. */
struct watch_tally watch_since(const void *ctx, const struct watch_tally *before, const struct watch_tally *now);
/* All answers of a tally. */
uint64_t watch_requests(const struct watch_tally *tally);

struct watch_limits {
    unsigned margin;     /* percent points by which a share of errors may be higher than the old one's */
    unsigned min_errors; /* fewer than these are no reason */
};
/* Each error's share in the answers of each endpoint, so that one that is seldom asked for is not lost in the crowd, and
 * then in all; a difference that chance makes of few answers is none. NULL: it does not do worse; else a sentence with both shares, owned by ctx. */
char *watch_judge(const void *ctx, const struct watch_tally *fresh, const struct watch_tally *old,
                  const struct watch_limits *limits);
