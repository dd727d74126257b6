#pragma once
/* What wakes the loop: finished writes, bells, time. One descriptor for all three. Only kv includes
 * this. Nothing blocks. */
#include "store/kv.h"

struct kv_events;

/* OP_FULL: no descriptor left; OP_BROKEN. Freed with ctx. */
must_check enum op_err kv_events_new(const void *ctx, struct kv_events **ret);
int kv_events_fd(const struct kv_events *events);

/* From any thread: makes the descriptor readable. */
void kv_events_signal(struct kv_events *events);
/* Makes it readable at a time of clock_monotonic_us(), unless it is to be so earlier. */
void kv_events_wake_at(struct kv_events *events, int64_t at_us);

/* See kv_watch. */
must_check enum op_err kv_events_watch(struct kv_events *events, const char *dir, kv_bell *callback, void *arg);
/* Reads everything that woke us and calls the bells that rang or are due. True when a time set by
 * kv_events_wake_at has come: none is set any more. */
bool kv_events_dispatch(struct kv_events *events);

/* The bell of an environment, to ring: a descriptor, or -1 and errno. */
int kv_bell_open(const char *dir);
/* From any thread: wakes all who watch, in all processes. */
void kv_bell_ring(int bell);
