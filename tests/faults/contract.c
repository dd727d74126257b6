/* Sets what an environment says of its versions: contract STATE_DIR RUNTIME_DIR ENV|all FLOOR [MIGRATION...], exactly
 * those migrations; FLOOR 1 as no older version knows another. Prints what it was, in the same words, a line for each. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "store/format.h"

struct job {
    void *ctx;
    enum kv_env env, last;
    uint32_t floor, migrations[16], before_floor, before[16];
    size_t count, before_count;
};

static enum op_err change(struct kv_txn *txn, void *arg)
{
    struct job *job = arg;
    Rec__Environment *record;
    enum op_err err = environment_get_any(txn, job->env, job->ctx, &record);
    if (err != OP_OK || record->n_migrations > 16)
        return err == OP_OK ? OP_TOO_LARGE : err;
    job->before_floor = format_floor(record);
    job->before_count = record->n_migrations;
    for (size_t i = 0; i < record->n_migrations; i++)
        job->before[i] = record->migrations[i];
    record->has_needs = job->floor > 1;
    record->needs = job->floor;
    if (job->floor > 1 && record->floor_set_by == NULL)
        record->floor_set_by = mem_strdup(job->ctx, FORMAT_HERE.version);
    record->migrations = job->migrations;
    record->n_migrations = job->count;
    return environment_update(txn, job->env, record);
}

static bool read_words(char **words, int count, struct job *job)
{
    bool all = strcmp(words[0], "all") == 0;
    while (!all && job->env < KV_ENV_COUNT && strcmp(kv_env_name(job->env), words[0]) != 0)
        job->env++;
    job->last = all ? KV_ENV_COUNT - 1 : job->env;
    for (int i = 1; i < count && i <= 16; i++) {
        uint64_t number;
        if (num_parse_u64(bytes_of(words[i]), 1000, &number) != OP_OK)
            return false;
        if (i == 1)
            job->floor = (uint32_t)number;
        else
            job->migrations[job->count++] = (uint32_t)number;
    }
    return job->env < KV_ENV_COUNT;
}

static enum op_err set_one(const struct kv_config *config, struct job *job)
{
    const struct kv_store store = {job->env, true};
    struct kv *kv;
    const char *why = "";
    enum op_err err = kv_open(job->ctx, config, &store, 1, &kv, &why);
    if (err == OP_OK) {
        err = kv_run_wait(kv, job->env, change, job);
        talloc_free(kv);
    }
    if (err != OP_OK) {
        fprintf(stderr, "contract: %s %s\n", op_err_name(err), why);
        return err;
    }
    printf("%u", job->before_floor);
    for (size_t i = 0; i < job->before_count; i++)
        printf(" %u", job->before[i]);
    puts("");
    return OP_OK;
}

int main(int argc, char **argv)
{
    struct job job = {.ctx = mem_root("contract")};
    enum op_err err = OP_OK;
    if (argc < 5 || !read_words(argv + 3, argc - 3, &job)) {
        fprintf(stderr, "usage: contract STATE_DIR RUNTIME_DIR ENV|all FLOOR [MIGRATION...]\n");
        return 64;
    }
    const struct kv_config config = {.state_dir = argv[1], .runtime_dir = argv[2]};
    for (; job.env <= job.last && err == OP_OK; job.env++)
        err = set_one(&config, &job);
    talloc_free(job.ctx);
    return err == OP_OK ? 0 : 1;
}
