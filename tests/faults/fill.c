/* Fills an environment until nothing more goes in: fill STATE_DIR RUNTIME_DIR ENV SECONDS. What it puts there expires
 * after SECONDS. With 0 seconds it takes out again what it once put there. Prints how many entries. For tests of a full
 * map. With "hold" instead of SECONDS it says "held" and keeps the writer lock until its standard input ends. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/rand.h"
#include "store/kv.h"

enum { PREFIX = 238, KEY_LEN = 16, VALUE_MAX = 2048, ENTRIES_MAX = 1000000, AT_ONCE = 16 };

struct filling {
    struct kv_table table;
    size_t value_len, at_once;
    int64_t seconds;
};

static enum op_err add_some(struct kv_txn *txn, void *arg)
{
    static const uint8_t value[VALUE_MAX];
    const struct filling *filling = arg;
    uint8_t key[KEY_LEN];
    enum op_err err = OP_OK;
    for (size_t i = 0; i < filling->at_once && err == OP_OK; i++) {
        rand_bytes(key, sizeof key);
        err = kv_insert(txn, &filling->table, bytes_from(key, sizeof key), bytes_from(value, filling->value_len),
                        kv_now(txn) + filling->seconds);
    }
    return err;
}

/* Many first, then one by one; large values first, then such as fit into what they left. Returns how many. */
static unsigned fill(struct kv *kv, struct filling *filling)
{
    unsigned count = 0;
    for (filling->value_len = VALUE_MAX; filling->value_len > 0; filling->value_len /= 4)
        for (filling->at_once = AT_ONCE; filling->at_once > 0; filling->at_once /= AT_ONCE)
            while (count < ENTRIES_MAX && kv_run_wait(kv, filling->table.env, add_some, filling) == OP_OK)
                count += (unsigned)filling->at_once;
    return count;
}

struct emptying {
    const struct kv_table *table;
    uint8_t keys[AT_ONCE][KEY_LEN];
    unsigned count;
};

static bool note_key(struct bytes key, struct bytes value, void *arg)
{
    struct emptying *emptying = arg;
    (void)value;
    memcpy(emptying->keys[emptying->count++], key.data, KEY_LEN);
    return true;
}

static enum op_err remove_some(struct kv_txn *txn, void *arg)
{
    struct emptying *emptying = arg;
    emptying->count = 0;
    enum op_err err = kv_scan(txn, emptying->table, bytes_of(NULL), bytes_of(NULL), AT_ONCE, note_key, emptying);
    for (unsigned i = 0; i < emptying->count && err == OP_OK; i++)
        err = kv_delete(txn, emptying->table, bytes_from(emptying->keys[i], KEY_LEN));
    return err;
}

static unsigned empty(struct kv *kv, const struct kv_table *table)
{
    unsigned count = 0;
    struct emptying emptying = {.table = table};
    while (kv_run_wait(kv, table->env, remove_some, &emptying) == OP_OK && emptying.count > 0)
        count += emptying.count;
    return count;
}

static enum op_err hold_lock(struct kv_txn *txn, void *arg)
{
    (void)txn, (void)arg;
    puts("held");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return OP_OK;
}

static bool find_env(const char *name, enum kv_env *ret)
{
    for (unsigned env = 0; env < KV_ENV_COUNT; env++)
        if (strcmp(kv_env_name((enum kv_env)env), name) == 0) {
            *ret = (enum kv_env)env;
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    struct filling filling = {.table = {.prefix = PREFIX, .name = "filling"}};
    uint64_t seconds = 0;
    bool holds = argc == 5 && strcmp(argv[4], "hold") == 0;
    if (argc != 5 || !find_env(argv[3], &filling.table.env) ||
        (!holds && num_parse_u64(bytes_of(argv[4]), 100000, &seconds) != OP_OK)) {
        fprintf(stderr, "usage: fill STATE_DIR RUNTIME_DIR ENV SECONDS|hold\n");
        return 64;
    }
    filling.seconds = (int64_t)seconds;
    void *ctx = mem_root("fill");
    struct kv *kv;
    const char *why;
    const struct kv_store store = {filling.table.env, true};
    if (kv_open(ctx, &(struct kv_config){.state_dir = argv[1], .runtime_dir = argv[2]}, &store, 1, &kv, &why) != OP_OK) {
        fprintf(stderr, "fill: %s\n", why);
        return 1;
    }
    if (holds)
        return kv_run_wait(kv, filling.table.env, hold_lock, NULL) == OP_OK ? 0 : 1;
    printf("%u\n", seconds == 0 ? empty(kv, &filling.table) : fill(kv, &filling));
    talloc_free(ctx);
    return 0;
}
