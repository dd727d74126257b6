#pragma once
/* How old the signing keys are, for servers that have jwks open. */
#include "runtime/metrics.h"

/* Rows for the METRICS table. */
#define KEY_METRICS                                                                                                    \
    {.name = "partita_signing_key_age_seconds",                                                                        \
     .help = "How long the present key of an algorithm has signed.", .samples = key_metrics_age, .kind = METRIC_GAUGE, \
     .labels = "alg"},                                                                                                 \
    {.name = "partita_signing_key_next",                                                                               \
     .help = "1 when the key that comes after it is published, 0 when there is none.", .samples = key_metrics_next,    \
     .kind = METRIC_GAUGE, .labels = "alg"}

void key_metrics_age(struct metric_samples *to);
void key_metrics_next(struct metric_samples *to);
