/* Prints the password hash that is stored for a user, for tests of what becomes of it: phc_of STATE_DIR USER_ID. */
#include <stdio.h>

#include "store/credentials.h"

struct job {
    void *ctx;
    const char *user_id;
    Rec__Password *password;
};

static enum op_err load(struct kv_txn *txn, void *arg)
{
    struct job *job = arg;
    return credentials_get_password(txn, job->ctx, job->user_id, &job->password);
}

int main(int argc, char **argv)
{
    struct job job = {.ctx = mem_root("phc_of")};
    struct kv *kv;
    const char *why = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: phc_of STATE_DIR USER_ID\n");
        return 64;
    }
    job.user_id = argv[2];
    const struct kv_store store = {KV_CREDENTIALS, false};
    enum op_err err = kv_open(job.ctx, &(struct kv_config){.state_dir = argv[1]}, &store, 1, &kv, &why);
    if (err == OP_OK)
        err = kv_run_wait(kv, KV_READ_ONLY, load, &job);
    if (err == OP_OK)
        puts(job.password->phc);
    else
        fprintf(stderr, "phc_of: %s %s\n", op_err_name(err), why == NULL ? "" : why);
    talloc_free(job.ctx);
    return err == OP_OK ? 0 : 1;
}
