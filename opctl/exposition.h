#pragma once
/* What a server's /.metrics says, as far as opctl asks. Pure. */
#include "base/err.h"
#include "base/mem.h"

/* Requests that one process answered. */
struct exposition_requests {
    uint64_t all;
    uint64_t server_errors; /* status 500 and up */
};
struct exposition_requests exposition_requests(const char *text);

/* The errors that the answers named, with how often; owned by ctx. */
struct exposition_error {
    const char *name;
    uint64_t count;
};
struct exposition_error *exposition_errors(const void *ctx, const char *text, size_t *ret_count);

/* How often an endpoint answered so; names are owned by ctx. The operator's own endpoints are left out. */
struct exposition_answer {
    const char *endpoint, *error; /* error: "" for none */
    int status;
    uint64_t count;
};
struct exposition_answer *exposition_answers(const void *ctx, const char *text, size_t *ret_count);

/* The value of a metric without labels, or 0. */
double exposition_value(const char *text, const char *metric);
/* The value of a label of the first line of a metric, "" when there is none; owned by ctx. */
char *exposition_label(const void *ctx, const char *text, const char *metric, const char *label);
/* The upper bound in seconds that this share (0.99) of the requests kept which were answered between two looks at one
 * process (before "": since it started, as when it was started again in between), over all endpoints but the operator's
 * own; -1 without requests. What is over the largest bound counts as twice that. */
double exposition_quantile(const char *before, const char *text, double share);
