#include "parts.h"

enum { AT_ONCE = 256 };

struct parts_job {
    const void *ctx, *arg;
    parts_read *read;
    struct listing part;
};

static enum op_err read_part(struct kv_txn *txn, void *arg)
{
    struct parts_job *job = arg;
    return job->read(txn, job->ctx, job->arg, job->part.next, AT_ONCE, &job->part);
}

int parts_list(const struct app *app, parts_read *read, const void *arg, const char *const *columns, const char *what)
{
    struct parts_job job = {.ctx = app->ctx, .arg = arg, .read = read};
    json_t *all = json_make_array(app->ctx);
    do {
        enum op_err err = app_read(app, read_part, &job);
        if (err != OP_OK)
            return app_fail_store(err, what);
        json_array_extend(all, job.part.items);
    } while (job.part.next != NULL);
    return app_list(app, all, columns);
}
