#include "runtime/stores.h"

#include <string.h>

#include "runtime/settings.h"
#include "store/format.h"

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
    const char *dir = env_dir(ctx, env);
    Rec__Environment *record;
    enum op_err err = environment_get_any(txn, env, ctx, &record);
    if (err == OP_ABSENT)
        return mem_printf(ctx, "%s was never initialised: run opctl init", dir);
    if (err != OP_OK)
        return mem_printf(ctx, "%s: its record is %s", dir, op_err_name(err));
    const char *why = format_too_old(ctx, &FORMAT_HERE, dir, record);
    if (why != NULL)
        return why;
    if (record->issuer == NULL || strcmp(record->issuer, settings.issuer) != 0)
        return mem_printf(ctx, "%s belongs to the issuer %s, but %s says %s", dir,
                          record->issuer == NULL ? "(none)" : record->issuer, check->config, settings.issuer);
    return format_too_new(ctx, &FORMAT_HERE, dir, kv_env_is_volatile(env), record);
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
