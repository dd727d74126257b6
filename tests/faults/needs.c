/* Says of a record that it needs a format, as a newer version would, or with 0 that it needs none:
 * needs STATE_DIR RUNTIME_DIR KIND KEY NEEDS, where KIND is client, user, session, consent (its KEY is
 * USER_ID/CLIENT_ID) or family (in base64url). */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/num.h"
#include "data/records.h"
#include "store/tables.h"

enum { LIFETIME = 3600 };

static const struct kind {
    const char *name;
    const struct kv_table *table;
    const ProtobufCMessageDescriptor *type;
    bool expires;
} KINDS[] = {
    {"client", &TABLE_CLIENTS, &rec__client__descriptor, false},
    {"user", &TABLE_USERS, &rec__user__descriptor, false},
    {"session", &TABLE_SESSIONS, &rec__session__descriptor, true},
    {"consent", &TABLE_CONSENTS, &rec__consent__descriptor, false},
    {"family", &TABLE_FAMILIES, &rec__family__descriptor, true},
};

struct job {
    void *ctx;
    const struct kind *kind;
    struct bytes key;
    uint32_t needs;
};

static void set_needs(ProtobufCMessage *record, uint32_t needs)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, "needs");
    protobuf_c_boolean has = needs > 0;
    memcpy((char *)record + field->offset, &needs, sizeof needs);
    memcpy((char *)record + field->quantifier_offset, &has, sizeof has);
}

static enum op_err change(struct kv_txn *txn, void *arg)
{
    struct job *job = arg;
    struct bytes value;
    ProtobufCMessage *record;
    enum op_err err = kv_get(txn, job->kind->table, job->key, job->ctx, &value);
    if (err == OP_OK)
        err = records_unpack_any(job->ctx, job->kind->type, value, &record);
    if (err != OP_OK)
        return err;
    set_needs(record, job->needs);
    return kv_put(txn, job->kind->table, job->key, records_pack(job->ctx, record),
                  job->kind->expires ? clock_now() + LIFETIME : 0);
}

/* False: no such kind, or not its key. */
static bool read_words(char **words, struct job *job)
{
    uint64_t needs;
    char *slash = strchr(words[1], '/');
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(KINDS[i].name, words[0]) == 0)
            job->kind = &KINDS[i];
    if (job->kind == NULL || num_parse_u64(bytes_of(words[2]), 1000, &needs) != OP_OK)
        return false;
    job->needs = (uint32_t)needs;
    job->key = bytes_of(words[1]);
    if (strcmp(words[0], "family") == 0)
        return codec_from_base64url(job->ctx, bytes_of(words[1]), &job->key) == OP_OK;
    if (strcmp(words[0], "consent") == 0 && slash != NULL)
        *slash = '\0'; /* the key has a NUL there; its length stays */
    return true;
}

int main(int argc, char **argv)
{
    struct job job = {.ctx = mem_root("needs")};
    struct kv *kv;
    const char *why = NULL;
    if (argc != 6 || !read_words(argv + 3, &job)) {
        fprintf(stderr, "usage: needs STATE_DIR RUNTIME_DIR client|user|session|consent|family KEY NEEDS\n");
        return 64;
    }
    const struct kv_store store = {job.kind->table->env, true};
    const struct kv_config config = {.state_dir = argv[1], .runtime_dir = argv[2]};
    enum op_err err = kv_open(job.ctx, &config, &store, 1, &kv, &why);
    if (err == OP_OK)
        err = kv_run_wait(kv, store.env, change, &job);
    if (err != OP_OK)
        fprintf(stderr, "needs: %s %s\n", op_err_name(err), why == NULL ? "" : why);
    talloc_free(job.ctx);
    return err == OP_OK ? 0 : 1;
}
