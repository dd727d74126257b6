#pragma once
/* W3C Trace Context (Recommendation of 23 November 2021): the trace that something we do belongs to, and our own span in
 * it, which log lines name. A request that brings no good traceparent begins a trace. tracestate is neither read nor
 * passed on: all its keys are unknown to us, and what we send goes to systems of others (its sections on privacy and
 * security allow that, and ask for it). */
#include "base/mem.h"

enum { TRACE_ID_LEN = 32, TRACE_SPAN_ID_LEN = 16, TRACE_PARENT_LEN = 55 };

struct trace {
    char trace_id[TRACE_ID_LEN + 1];     /* lower-case hex, as the next */
    char span_id[TRACE_SPAN_ID_LEN + 1]; /* ours */
    bool sampled;                        /* as who called us says; we decide nothing about recording (§3.2.2.5.1) */
};

/* The trace that the value of the one traceparent field says (§3.2; of a higher version what this one knows), with a
 * span of our own; a new one where there is none (NULL) or what it says is malformed. */
void trace_go_on(const char *traceparent, struct trace *ret);
/* The value of a traceparent field for whom we call; owned by ctx. */
char *trace_parent(const void *ctx, const struct trace *trace);
