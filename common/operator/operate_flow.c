#include "operator/operate_flow.h"

#include <assert.h>

void operate_flow_add(struct operate_flow *flow, enum kv_env env, kv_work *work)
{
    assert(flow->count < OPERATE_STEPS_MAX);
    flow->steps[flow->count].env = env;
    flow->steps[flow->count++].work = work;
}

static bool wants_again(const struct operate_flow *flow)
{
    return flow->again != NULL && flow->again(flow->arg);
}

enum op_err operate_flow_wait(struct kv *kv, const struct operate_flow *flow)
{
    enum op_err err = OP_OK;
    for (size_t i = 0; err == OP_OK && i < flow->count;) {
        err = kv_run_wait(kv, flow->steps[i].env, flow->steps[i].work, flow->arg);
        if (err == OP_OK && !wants_again(flow))
            i++;
    }
    return err;
}

struct run {
    struct kv *kv;
    struct operate_flow flow;
    size_t at;
    kv_done *done;
};

static enum op_err work(struct kv_txn *txn, void *arg)
{
    const struct run *run = arg;
    return run->flow.steps[run->at].work(txn, run->flow.arg);
}

static void worked(enum op_err result, void *arg)
{
    struct run *run = arg;
    if (result == OP_OK && !wants_again(&run->flow))
        run->at++;
    if (result != OP_OK || run->at == run->flow.count)
        run->done(result, run->flow.arg);
    else
        kv_run(run->kv, run->flow.steps[run->at].env, work, worked, run);
}

void operate_flow_run(struct kv *kv, const void *ctx, const struct operate_flow *flow, kv_done *done)
{
    struct run *run = mem_new(ctx, struct run);
    *run = (struct run){.kv = kv, .flow = *flow, .done = done};
    kv_run(kv, run->flow.steps[0].env, work, worked, run);
}
