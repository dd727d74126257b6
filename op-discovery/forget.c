#include "forget.h"

#include "base/log.h"
#include "store/keyring.h"

struct forget {
    char **kids;
    size_t count;
};

struct forget *forget_new(void)
{
    return mem_new(NULL, struct forget);
}

void forget_add(struct forget *forget, const char *kid)
{
    forget->kids = mem_grow(forget, forget->kids, char *, forget->count + 1);
    forget->kids[forget->count++] = mem_strdup(forget, kid);
}

static enum op_err delete_private(struct kv_txn *txn, void *arg)
{
    const struct forget *forget = arg;
    for (size_t i = 0; i < forget->count; i++) {
        enum op_err err = private_keys_delete(txn, forget->kids[i]);
        if (err != OP_OK && err != OP_ABSENT)
            return err;
    }
    return OP_OK;
}

static void deleted(enum op_err result, void *arg)
{
    if (result != OP_OK)
        log_event(LOG_LEVEL_ERROR, "keys_failed", NULL, NULL, "what", "removing private halves", "result",
                  op_err_name(result), NULL);
    talloc_free(arg);
}

void forget_run(struct forget *forget, struct kv *kv)
{
    if (forget->count != 0)
        kv_run(kv, KV_KEYS, delete_private, deleted, forget);
    else
        talloc_free(forget);
}
