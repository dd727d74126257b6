#pragma once
/* What an operator wants done in several environments: one transaction after another, in the order that leaves no harm
 * when it is cut short (what takes power away goes first). */
#include "store/kv.h"

enum { OPERATE_STEPS_MAX = 8 };

struct operate_flow {
    struct {
        enum kv_env env; /* that the work writes */
        kv_work *work;
    } steps[OPERATE_STEPS_MAX];
    size_t count;
    void *arg; /* of every work */
    /* Called when a step is durable, outside of work: true runs the same step again, as it had too much to do at once.
     * What arg has gathered in the step is counted here, once. May be NULL. */
    bool (*again)(void *arg);
};

/* Adds a step. */
void operate_flow_add(struct operate_flow *flow, enum kv_env env, kv_work *work);

/* Runs them; the first that fails is the last. Blocks. */
must_check enum op_err operate_flow_wait(struct kv *kv, const struct operate_flow *flow);
/* The same on the event loop: done(result, flow->arg) is called when all are durable, or one has failed. The flow is
 * copied into ctx. Does not block. */
void operate_flow_run(struct kv *kv, const void *ctx, const struct operate_flow *flow, kv_done *done);
