/* Fields that nobody knows, as a newer version writes them: unknown STATE_DIR RUNTIME_DIR plant puts one into every
 * record and every message within; ... list prints a line for each record:
 *   TABLE KEY DIGEST FIELD=PLANTED/MESSAGES ...
 * with the key in hexadecimal digits, a digest of the value, and each field that holds messages; "itself" is the record. */
#include <stdio.h>
#include <string.h>

#include "data/digest.h"
#include "store/catalogue.h"
#include "store/environment.h"
#include "store/kv_tools.h"
#include "unknown_fields.h"

enum { RECORDS_MAX = 100000 };

struct job {
    void *ctx;
    bool plant;
    const struct catalogue_row *row;
    struct bytes *keys;
    size_t count;
};

static bool note(struct bytes key, struct bytes value, int64_t expires_at, void *arg)
{
    (void)value, (void)expires_at;
    struct job *job = arg;
    job->keys = mem_grow(job->ctx, job->keys, struct bytes, job->count + 1);
    job->keys[job->count++] = mem_bytes(job->ctx, key);
    return true;
}

static void print_hex(struct bytes bytes)
{
    putchar(' ');
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", bytes.data[i]);
}

static void print_record(const char *table, struct bytes key, struct bytes value, const ProtobufCMessage *record)
{
    uint8_t digest[DIGEST_SHA256_LEN];
    digest_sha256(value, digest);
    fputs(table, stdout);
    print_hex(key);
    print_hex(bytes_from(digest, sizeof digest));
    printf(" itself=%d/1", unknown_is_planted(record));
    for (unsigned i = 0; i < record->descriptor->n_fields; i++) {
        ProtobufCMessage *one;
        size_t count;
        struct unknown_count within = {0};
        ProtobufCMessage **nested = unknown_nested(record, &record->descriptor->fields[i], &one, &count);
        for (size_t n = 0; n < count; n++)
            unknown_count(nested[n], &within);
        if (count > 0)
            printf(" %s=%zu/%zu", record->descriptor->fields[i].name, within.planted, within.messages);
    }
    putchar('\n');
}

static enum op_err visit(struct kv_txn *txn, const struct job *job, struct bytes key)
{
    struct bytes value;
    int64_t expires_at;
    ProtobufCMessage *record;
    enum op_err err = kv_get_entry(txn, job->row->table, key, job->ctx, &value, &expires_at);
    if (err == OP_OK)
        err = records_unpack_any(job->ctx, job->row->repository->type, value, &record);
    if (err != OP_OK)
        return err;
    if (!job->plant) {
        print_record(job->row->table->name, key, value, record);
        return OP_OK;
    }
    unknown_plant(job->ctx, record);
    return kv_put(txn, job->row->table, key, records_pack(job->ctx, record), expires_at);
}

static enum op_err visit_all(struct kv_txn *txn, void *arg)
{
    struct job *job = arg;
    job->count = 0;
    enum op_err err = kv_entries(txn, job->row->table, bytes_of(NULL), RECORDS_MAX, note, job);
    for (size_t i = 0; i < job->count && err == OP_OK; i++)
        err = visit(txn, job, job->keys[i]);
    return err;
}

static enum op_err run(const struct kv_config *config, struct job *job)
{
    const struct kv_store store = {job->row->table->env, true};
    struct kv *kv;
    const char *why;
    enum op_err err = kv_open(job->ctx, config, &store, 1, &kv, &why);
    if (err != OP_OK) {
        fprintf(stderr, "unknown: %s\n", why);
        return err;
    }
    err = kv_run_wait(kv, job->plant ? store.env : KV_READ_ONLY, visit_all, job);
    talloc_free(kv);
    return err;
}

int main(int argc, char **argv)
{
    struct job job = {.ctx = mem_root("unknown")};
    enum op_err err = OP_OK;
    if (argc != 4 || (strcmp(argv[3], "plant") != 0 && strcmp(argv[3], "list") != 0)) {
        fprintf(stderr, "usage: unknown STATE_DIR RUNTIME_DIR plant|list\n");
        return 64;
    }
    const struct kv_config config = {.state_dir = argv[1], .runtime_dir = argv[2]};
    job.plant = strcmp(argv[3], "plant") == 0;
    for (size_t i = 0; i < CATALOGUE_COUNT && err == OP_OK; i++) {
        job.row = &CATALOGUE[i];
        if (job.row->repository != NULL && !catalogue_is_index(job.row))
            err = run(&config, &job);
    }
    if (err != OP_OK)
        fprintf(stderr, "unknown: %s\n", op_err_name(err));
    talloc_free(job.ctx);
    return err == OP_OK ? 0 : 1;
}
