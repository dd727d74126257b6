#include "runtime/key_metrics.h"

#include <stdio.h>

#include "base/clock.h"
#include "runtime/server.h"
#include "store/keyring.h"

struct look {
    void *ctx;
    struct signing_key_age *ages;
    size_t count;
};

static enum op_err load(struct kv_txn *txn, void *arg)
{
    struct look *look = arg;
    look->count = 0;
    return signing_keys_ages(txn, look->ctx, &look->ages, &look->count);
}

static void loaded(enum op_err result, void *arg)
{
    if (result != OP_OK)
        ((struct look *)arg)->count = 0;
}

static struct look look_at_keys(void)
{
    struct look look = {.ctx = mem_root("key_metrics")};
    kv_run(server_kv(), KV_READ_ONLY, load, loaded, &look);
    return look;
}

static const char *alg_label(char text[32], const struct signing_key_age *age)
{
    snprintf(text, 32, "alg=\"%s\"", jose_alg_name(age->alg));
    return text;
}

void key_metrics_age(struct metric_samples *to)
{
    char label[32];
    struct look look = look_at_keys();
    int64_t now = clock_now();
    for (size_t i = 0; i < look.count; i++)
        if (look.ages[i].has_current)
            metric_add(to, alg_label(label, &look.ages[i]),
                       now > look.ages[i].current_at ? (uint64_t)(now - look.ages[i].current_at) : 0);
    talloc_free(look.ctx);
}

void key_metrics_next(struct metric_samples *to)
{
    char label[32];
    struct look look = look_at_keys();
    for (size_t i = 0; i < look.count; i++)
        metric_add(to, alg_label(label, &look.ages[i]), look.ages[i].has_next);
    talloc_free(look.ctx);
}
