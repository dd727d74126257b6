#include "runtime/stores.h"

#include <string.h>

#include "runtime/settings.h"
#include "store/environment.h"

struct check {
    const void *ctx;
    const char *config;
    const struct kv_store *stores;
    size_t count;
    const char *why;
};

static const char *env_dir(const void *ctx, enum kv_env env)
{
    return mem_printf(ctx, "%s/%s", kv_env_is_volatile(env) ? settings.runtime_dir : settings.state_dir,
                      kv_env_name(env));
}

static const char *judge(const struct check *check, struct kv_txn *txn, enum kv_env env)
{
    const void *ctx = check->ctx;
    Rec__Environment *record;
    enum op_err err = environment_get(txn, env, ctx, &record);
    if (err == OP_ABSENT)
        return mem_printf(ctx, "%s was never initialised: run opctl init", env_dir(ctx, env));
    if (err != OP_OK)
        return mem_printf(ctx, "%s: its record is %s%s", env_dir(ctx, env), op_err_name(err),
                          err == OP_DENIED ? " to this version: a newer one is needed" : "");
    if (record->issuer == NULL || strcmp(record->issuer, settings.issuer) != 0)
        return mem_printf(ctx, "%s belongs to the issuer %s, but %s says %s", env_dir(ctx, env),
                          record->issuer == NULL ? "(none)" : record->issuer, check->config, settings.issuer);
    return NULL;
}

static enum op_err judge_all(struct kv_txn *txn, void *arg)
{
    struct check *check = arg;
    check->why = NULL;
    for (size_t i = 0; i < check->count && check->why == NULL; i++)
        check->why = judge(check, txn, check->stores[i].env);
    return OP_OK;
}

const char *stores_check(const void *ctx, struct kv *kv, const struct kv_store *stores, size_t count,
                         const char *config)
{
    struct check check = {.ctx = ctx, .config = config, .stores = stores, .count = count};
    enum op_err err = kv_run_wait(kv, KV_READ_ONLY, judge_all, &check);
    if (err != OP_OK)
        return mem_printf(ctx, "the stores in %s cannot be read: %s", settings.state_dir, op_err_name(err));
    return check.why;
}
