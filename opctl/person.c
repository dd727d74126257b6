#include "person.h"

#include "operator/operate_families.h"
#include "operator/operate_sessions.h"
#include "store/users.h"

enum op_err person_find(struct kv_txn *txn, const void *ctx, const char *name, Rec__User **ret)
{
    enum op_err err = users_find(txn, ctx, name, ret);
    return err == OP_ABSENT ? users_get(txn, ctx, name, ret) : err;
}

enum op_err person_find_id(struct kv_txn *txn, const void *ctx, const char *name, char **ret)
{
    Rec__User *user;
    enum op_err err = users_find_id(txn, ctx, name, ret);
    if (err != OP_ABSENT)
        return err;
    err = users_get(txn, ctx, name, &user);
    if (err == OP_OK || err == OP_DENIED || err == OP_BROKEN) {
        *ret = mem_strdup(ctx, name);
        return OP_OK;
    }
    return err;
}

struct id_job {
    const void *ctx;
    const char *name;
    char *user_id;
};

static enum op_err find_id(struct kv_txn *txn, void *arg)
{
    struct id_job *job = arg;
    return person_find_id(txn, job->ctx, job->name, &job->user_id);
}

int person_id(const struct app *app, const char *name, const char **ret)
{
    struct id_job job = {.ctx = app->ctx, .name = name};
    enum op_err err = app_read(app, find_id, &job);
    if (err == OP_ABSENT)
        return app_fail("there is no user %s (opctl user list shows all)", name);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(app->ctx, "user %s", name));
    *ret = job.user_id;
    return APP_OK;
}

struct since_job {
    const void *ctx;
    const char *user_id;
    int64_t since;
};

static enum op_err move_since(struct kv_txn *txn, void *arg)
{
    const struct since_job *job = arg;
    Rec__User *user;
    enum op_err err = users_get(txn, job->ctx, job->user_id, &user);
    if (err != OP_OK)
        return err;
    user->has_since = true;
    user->since = job->since;
    return users_update(txn, user);
}

enum op_err person_move_since(const struct app *app, const char *user_id, int64_t since)
{
    struct since_job job = {.ctx = app->ctx, .user_id = user_id, .since = since};
    return app_write(app, KV_USERS, move_since, &job);
}

struct end_job {
    const void *ctx;
    const char *user_id, *reason, *after, *next;
    size_t sessions;
    json_t *revoked;
};

static enum op_err end_sessions(struct kv_txn *txn, void *arg)
{
    struct end_job *job = arg;
    return operate_sessions_end_of_user(txn, job->ctx, job->user_id, &job->sessions);
}

static enum op_err revoke_families(struct kv_txn *txn, void *arg)
{
    struct end_job *job = arg;
    const struct operate_families_filter filter = {.user_id = job->user_id};
    return operate_families_revoke_all(txn, job->ctx, &filter, job->reason, job->after, &job->revoked, &job->next);
}

int person_end_everything(const struct app *app, const char *user_id, const char *reason, json_t *report)
{
    struct end_job job = {.ctx = app->ctx, .user_id = user_id, .reason = reason};
    size_t ended = 0, revoked = 0;
    enum op_err err;
    do {
        err = app_write(app, KV_SESSIONS, end_sessions, &job);
        ended += err == OP_OK ? job.sessions : 0;
    } while (err == OP_OK && job.sessions == OPERATE_SESSIONS_AT_ONCE);
    if (err != OP_OK)
        return app_fail_store(err, "a session of the user");
    do {
        job.after = job.next;
        err = app_write(app, KV_TOKENS, revoke_families, &job);
        revoked += err == OP_OK ? json_array_size(job.revoked) : 0;
    } while (err == OP_OK && job.next != NULL);
    if (err != OP_OK)
        return app_fail_store(err, "a token family of the user");
    json_set_int(report, "sessions_ended", (int64_t)ended);
    json_set_int(report, "families_revoked", (int64_t)revoked);
    return APP_OK;
}
