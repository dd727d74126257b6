/* Breaks a table, below everything that would keep it whole: break STATE_DIR RUNTIME_DIR TABLE HOW, where HOW is
 *   lose     its first entry is gone (and its line in the expiry index)
 *   stray    an entry more, like the first one under another key
 *   expiry   the first entry expires at another time
 *   astray   the value of the first entry is another one
 *   garble   the value of the first entry is no record
 *   unlist   the first entry is not in the expiry index
 *   plant    (of messages) two that op-async would never get done with: one that waits, one that is dead
 * For tests of opctl check. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "store/catalogue.h"
#include "store/kv_table.h"
#include "store/kv_tools.h"
#include "store/outbox.h"

struct job {
    void *ctx;
    const struct kv_table *table;
    const char *how;
    struct bytes key, value;
    int64_t expires_at;
    bool found;
};

static bool note(struct bytes key, struct bytes value, int64_t expires_at, void *arg)
{
    struct job *job = arg;
    job->key = mem_bytes(job->ctx, key);
    job->value = mem_bytes(job->ctx, value);
    job->expires_at = expires_at;
    job->found = true;
    return false;
}

/* A copy whose last byte is another one, a letter if it was one. */
static struct bytes changed(struct job *job, struct bytes bytes)
{
    struct buf copy = buf_make(job->ctx);
    buf_add_bytes(&copy, bytes);
    copy.data[copy.len - 1] = copy.data[copy.len - 1] == 'A' ? 'B' : 'A';
    return buf_bytes(&copy);
}

static enum op_err plant(struct kv_txn *txn, void *ctx)
{
    int64_t now_ms = kv_now(txn) * 1000;
    enum op_err err = OP_OK;
    for (unsigned i = 0; i < 2 && err == OP_OK; i++) {
        Rec__Message *message = records_new(ctx, &rec__message__descriptor);
        message->has_died_at = i == 1;
        message->died_at = now_ms / 1000;
        err = outbox_insert(txn, message, now_ms, now_ms + 3600 * 1000);
    }
    return err;
}

static enum op_err break_it(struct kv_txn *txn, void *arg)
{
    struct job *job = arg;
    job->found = false;
    if (strcmp(job->how, "plant") == 0)
        return plant(txn, job->ctx);
    enum op_err err = kv_entries(txn, job->table, bytes_of(NULL), 1, note, job);
    if (err != OP_OK || !job->found)
        return err == OP_OK ? OP_ABSENT : err;
    if (strcmp(job->how, "lose") == 0)
        return kv_delete(txn, job->table, job->key);
    if (strcmp(job->how, "stray") == 0)
        return kv_put(txn, job->table, changed(job, job->key), job->value, job->expires_at);
    if (strcmp(job->how, "expiry") == 0)
        return kv_put(txn, job->table, job->key, job->value, kv_now(txn) + 100000000);
    if (strcmp(job->how, "astray") == 0)
        return kv_put(txn, job->table, job->key, changed(job, job->value), job->expires_at);
    if (strcmp(job->how, "garble") == 0)
        return kv_put(txn, job->table, job->key, bytes_of("\377\377\377\377"), job->expires_at);
    struct kv_key entry = kv_entry_key(job->table, job->key), line = kv_index_key(&entry, job->expires_at);
    return strcmp(job->how, "unlist") == 0 ? kv_map_delete(txn, kv_key_bytes(&line)) : OP_INVALID;
}

int main(int argc, char **argv)
{
    struct job job = {.ctx = mem_root("break")};
    for (size_t i = 0; argc == 5 && i < CATALOGUE_COUNT; i++)
        if (strcmp(CATALOGUE[i].table->name, argv[3]) == 0)
            job.table = CATALOGUE[i].table;
    if (job.table == NULL) {
        fprintf(stderr, "usage: break STATE_DIR RUNTIME_DIR TABLE lose|stray|expiry|astray|garble|unlist\n");
        return 64;
    }
    job.how = argv[4];
    struct kv *kv;
    const char *why;
    const struct kv_store store = {job.table->env, true};
    if (kv_open(job.ctx, &(struct kv_config){.state_dir = argv[1], .runtime_dir = argv[2]}, &store, 1, &kv, &why) != OP_OK) {
        fprintf(stderr, "break: %s\n", why);
        return 1;
    }
    enum op_err err = kv_run_wait(kv, job.table->env, break_it, &job);
    if (err != OP_OK)
        fprintf(stderr, "break: %s\n", op_err_name(err));
    talloc_free(job.ctx);
    return err == OP_OK ? 0 : 1;
}
