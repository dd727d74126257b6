#include "leaning.h"

#include <string.h>

#include "store/keyring.h"
#include "store/kv_tools.h"
#include "store/tables.h"

enum { ENTRIES_AT_ONCE = 1000 };

/* The part of a key that names the record it leans on. */
enum part { WHOLE, OWNER, REST }; /* the whole key; before its NUL; after it */

/* Ends come in the other order than beginnings, and nothing acts on what is left: a password, a session, a consent or a
 * family needs its user and client to be there, a private key its public half. */
static const struct leaning {
    const struct kv_table *from;
    enum part part;
    const struct kv_table *to;
} LEANINGS[] = {
    {&TABLE_PASSWORDS, WHOLE, &TABLE_USERS},      {&TABLE_USER_SESSIONS, OWNER, &TABLE_USERS},
    {&TABLE_CONSENTS, OWNER, &TABLE_USERS},       {&TABLE_CONSENTS, REST, &TABLE_CLIENTS},
    {&TABLE_USER_FAMILIES, OWNER, &TABLE_USERS},  {&TABLE_PRIVATE_KEYS, WHOLE, &TABLE_SIGNING_KEYS},
};

struct leaning_job {
    const struct leaning *leaning;
    struct kv_txn *txn;
    void *ctx; /* of one round */
    struct bytes after;
    uint64_t seen, missing;
    enum op_err err;
};

static struct bytes part_of(struct bytes key, enum part part)
{
    size_t owner_len = strnlen((const char *)key.data, key.len);
    if (part == WHOLE)
        return key;
    if (part == OWNER)
        return bytes_from(key.data, owner_len);
    return owner_len < key.len ? bytes_from(key.data + owner_len + 1, key.len - owner_len - 1) : bytes_of(NULL);
}

static bool look_each(struct bytes key, struct bytes value, int64_t expires_at, void *arg)
{
    struct leaning_job *job = arg;
    struct bytes found;
    (void)value, (void)expires_at;
    job->seen++;
    job->after = mem_bytes(job->ctx, key);
    enum op_err err = kv_get(job->txn, job->leaning->to, part_of(key, job->leaning->part), job->ctx, &found);
    if (err == OP_ABSENT)
        job->missing++;
    else if (err != OP_OK)
        job->err = err;
    return job->err == OP_OK;
}

static enum op_err look_some(struct kv_txn *txn, void *arg)
{
    struct leaning_job *job = arg;
    job->txn = txn;
    job->seen = 0;
    enum op_err err = kv_entries(txn, job->leaning->from, job->after, ENTRIES_AT_ONCE, look_each, job);
    return err == OP_OK ? job->err : err;
}

static enum op_err look_at(const struct app *app, const struct leaning *leaning, uint64_t *ret_missing)
{
    struct leaning_job job = {.leaning = leaning};
    void *old = NULL;
    enum op_err err;
    do {
        job.ctx = mem_root("leaning");
        err = app_read(app, look_some, &job);
        talloc_free(old);
        old = job.ctx;
    } while (err == OP_OK && job.seen == ENTRIES_AT_ONCE);
    talloc_free(old);
    *ret_missing = job.missing;
    return err;
}

/* --- keys that are to sign --- */

struct keys_job {
    const void *ctx;
    json_t *kids; /* of those that cannot */
};

static enum op_err find_halves(struct kv_txn *txn, void *arg)
{
    struct keys_job *job = arg;
    Rec__SigningKey **keys;
    Rec__PrivateKey *half;
    size_t count = 0;
    enum op_err err = signing_keys_list(txn, job->ctx, &keys, &count);
    for (size_t i = 0; i < count && err == OP_OK; i++) {
        bool signs = keys[i]->state != NULL && strcmp(keys[i]->state, "retired") != 0;
        if (signs && keys[i]->needs <= RECORDS_FORMAT &&
            private_keys_get(txn, job->ctx, keys[i]->kid, &half) == OP_ABSENT)
            json_append_string(job->kids, keys[i]->kid);
    }
    return err;
}

static enum op_err check_keys(const struct app *app, json_t *findings, uint64_t *wrong)
{
    struct keys_job job = {.ctx = app->ctx, .kids = json_make_array(app->ctx)};
    enum op_err err = app_read(app, find_halves, &job);
    size_t count = json_array_size(job.kids);
    if (err != OP_OK || count == 0)
        return err;
    json_t *finding = json_make_object(app->ctx);
    json_set_string(finding, "environment", kv_env_name(KV_JWKS));
    json_set_string(finding, "table", TABLE_SIGNING_KEYS.name);
    json_set_string(finding, "kind", "without private half");
    json_set_int(finding, "count", (int64_t)count);
    json_set_bool(finding, "repaired", false);
    json_set(finding, "examples", job.kids);
    json_array_append(findings, finding);
    *wrong += count;
    return OP_OK;
}

int leaning_check(const struct app *app, json_t *leftovers, json_t *findings, uint64_t *wrong)
{
    static const struct kv_store stores[] = {{KV_KEYS, false},        {KV_JWKS, false},     {KV_CLIENTS, false},
                                             {KV_USERS, false},       {KV_CREDENTIALS, false}, {KV_SESSIONS, false},
                                             {KV_TOKENS, false}};
    struct app own = *app;
    int status = app_open(app, stores, sizeof stores / sizeof *stores, &own.kv);
    if (status != APP_OK)
        return status;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < sizeof LEANINGS / sizeof *LEANINGS && err == OP_OK; i++) {
        uint64_t missing;
        err = look_at(&own, &LEANINGS[i], &missing);
        if (err != OP_OK || missing == 0)
            continue;
        json_t *pair = json_make_object(app->ctx);
        json_set_string(pair, "from", LEANINGS[i].from->name);
        json_set_string(pair, "to", LEANINGS[i].to->name);
        json_set_int(pair, "count", (int64_t)missing);
        json_array_append(leftovers, pair);
    }
    if (err == OP_OK)
        err = check_keys(&own, findings, wrong);
    talloc_free(own.kv);
    return err == OP_OK ? APP_OK : app_fail_store(err, "what a record leans on");
}
