#include "person.h"

#include "operator/operate_users.h"

struct id_job {
    const void *ctx;
    const char *name;
    char *user_id;
};

static enum op_err find_id(struct kv_txn *txn, void *arg)
{
    struct id_job *job = arg;
    return operate_users_find_id(txn, job->ctx, job->name, &job->user_id);
}

int person_id(const struct app *app, const char *name, const char **ret)
{
    struct id_job job = {.ctx = app->ctx, .name = name};
    enum op_err err = app_read(app, find_id, &job);
    if (err == OP_ABSENT)
        return app_fail("there is no user %s (opctl user list shows all)", name);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(app->ctx, "user %s", name));
    *ret = app->facts->user_id = job.user_id;
    return APP_OK;
}
