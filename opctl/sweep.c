#include "sweep.h"

#include "env_names.h"

enum { SWEEP_AT_ONCE = 1000, SWEEP_ROUNDS_MAX = 100000 };

struct sweep_job {
    enum kv_env env;
    size_t removed;
};

static enum op_err sweep(struct kv_txn *txn, void *arg)
{
    struct sweep_job *job = arg;
    job->removed = kv_sweep(txn, job->env, SWEEP_AT_ONCE);
    return OP_OK;
}

/* Many small transactions, so that the servers' writes are not kept waiting. */
static int sweep_env(const struct app *app, enum kv_env env, json_t *report)
{
    const struct kv_store store = {env, true};
    struct app own = *app;
    struct sweep_job job = {.env = env};
    int64_t removed = 0;
    int status = app_open(app, &store, 1, &own.kv);
    if (status != APP_OK)
        return status;
    for (unsigned round = 0; round < SWEEP_ROUNDS_MAX; round++) {
        enum op_err err = app_write(&own, env, sweep, &job);
        if (err != OP_OK)
            return app_fail_store(err, mem_printf(app->ctx, "environment %s", kv_env_name(env)));
        removed += (int64_t)job.removed;
        if (job.removed < SWEEP_AT_ONCE)
            break;
    }
    talloc_free(own.kv);
    json_set_int(report, kv_env_name(env), removed);
    return APP_OK;
}

static int run_sweep(struct app *app)
{
    json_t *report = json_make_object(app->ctx);
    bool wanted[KV_ENV_COUNT];
    int status = env_names_read(app, wanted);
    for (unsigned e = 0; e < KV_ENV_COUNT && status == APP_OK; e++)
        if (wanted[e])
            status = sweep_env(app, (enum kv_env)e, report);
    return status != APP_OK ? status : app_show(app, report);
}

const struct cli_command SWEEP_COMMANDS[] = {
    {"sweep", NULL, CLI_ARGUMENTS("[ENV...]", 0, KV_ENV_COUNT), .needs_settings = true, .changes = "", .run = run_sweep,
     .help = "Remove expired entries from environments that lie idle; without a name from all of them."},
    {0},
};
