#include "revoke_all.h"

#include "operator/operate_families.h"
#include "store/clients.h"
#include "store/sessions.h"
#include "store/users.h"

enum { AT_ONCE = 256 };

struct revoke_job {
    void *ctx; /* of one step */
    int64_t since, families;
    const char *after, *next; /* next is NULL at the end */
};

static enum op_err revoke_families(struct kv_txn *txn, void *arg)
{
    struct revoke_job *job = arg;
    const struct operate_families_filter all = {0};
    json_t *revoked;
    enum op_err err =
        operate_families_revoke_all(txn, job->ctx, &all, "revoked", job->after, &revoked, &job->next);
    job->families = err == OP_OK ? (int64_t)json_array_size(revoked) : 0;
    return err;
}

static enum op_err end_sessions(struct kv_txn *txn, void *arg)
{
    struct revoke_job *job = arg;
    Rec__Session **sessions;
    size_t count = 0;
    enum op_err err = sessions_list(txn, job->ctx, NULL, AT_ONCE, &sessions, &count);
    for (size_t i = 0; i < count && err == OP_OK; i++)
        err = sessions_end(txn, sessions[i]->sid);
    job->next = count == AT_ONCE ? sessions[count - 1]->sid : NULL;
    return err;
}

/* A record that a newer version wrote gives nobody anything until that version is back: its families are dead. */
static enum op_err move_users(struct kv_txn *txn, void *arg)
{
    struct revoke_job *job = arg;
    Rec__User **users;
    size_t count = 0;
    enum op_err err = users_list(txn, job->ctx, job->after, AT_ONCE, &users, &count);
    for (size_t i = 0; i < count && err == OP_OK; i++) {
        if (users[i]->needs > RECORDS_FORMAT)
            continue;
        users[i]->has_since = true;
        users[i]->since = job->since;
        err = users_update(txn, users[i]);
    }
    job->next = count == AT_ONCE ? users[count - 1]->user_id : NULL;
    return err;
}

static enum op_err move_clients(struct kv_txn *txn, void *arg)
{
    struct revoke_job *job = arg;
    Rec__Client **clients;
    size_t count = 0;
    enum op_err err = clients_list(txn, job->ctx, job->after, AT_ONCE, &clients, &count);
    for (size_t i = 0; i < count && err == OP_OK; i++) {
        if (clients[i]->needs > RECORDS_FORMAT)
            continue;
        clients[i]->has_since = true;
        clients[i]->since = job->since;
        err = clients_update(txn, clients[i]);
    }
    job->next = count == AT_ONCE ? clients[count - 1]->client_id : NULL;
    return err;
}

/* Step after step, each a transaction. */
static enum op_err run_steps(const struct app *app, enum kv_env env, kv_work *work, struct revoke_job *job,
                             int64_t *families)
{
    void *old = NULL;
    enum op_err err;
    job->after = NULL;
    do {
        job->ctx = mem_root("revoke_all");
        err = app_write(app, env, work, job);
        *families += err == OP_OK ? job->families : 0;
        job->after = job->next;
        talloc_free(old);
        old = job->ctx;
    } while (err == OP_OK && job->next != NULL);
    talloc_free(old);
    return err;
}

int revoke_all(const struct app *app, int64_t *ret_families)
{
    struct revoke_job job = {.since = app_since()};
    int64_t families = 0, nothing = 0;
    enum op_err err = run_steps(app, KV_CLIENTS, move_clients, &job, &nothing);
    if (err == OP_OK)
        err = run_steps(app, KV_USERS, move_users, &job, &nothing);
    if (err == OP_OK)
        err = run_steps(app, KV_SESSIONS, end_sessions, &job, &nothing);
    if (err == OP_OK)
        err = run_steps(app, KV_TOKENS, revoke_families, &job, &families);
    if (err != OP_OK)
        return app_fail_store(err, "what is to be revoked");
    app_wait_until(job.since);
    *ret_families = families;
    return APP_OK;
}

static int run_revoke_all(struct app *app)
{
    int64_t families = 0;
    int status = revoke_all(app, &families);
    if (status != APP_OK)
        return status;
    json_t *object = json_make_object(app->ctx);
    json_set_bool(object, "revoked_all", true);
    json_set_int(object, "families_revoked", families);
    return app_say(app, object, "everything that was ever handed out is dead (%jd families of refresh tokens): everybody "
                   "signs in again", (intmax_t)families);
}

static const struct kv_store STORES[] = {{KV_CLIENTS, true}, {KV_USERS, true}, {KV_SESSIONS, true}, {KV_TOKENS, true}};

const struct cli_command REVOKE_ALL_COMMANDS[] = {
    {"revoke-all", NULL, CLI_ARGUMENTS("", 0, 0), CLI_STORES(STORES), .run = run_revoke_all,
     .help = "End every session and revoke every token of everybody, at once and for good, while servers run."},
    {0},
};
