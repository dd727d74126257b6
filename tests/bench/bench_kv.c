/* What the store costs on this machine: durable commits one after another and 64 at once, volatile ones,
 * reads. Prints a name and a figure per second on each line (and how many writes shared a commit).
 * usage: bench_kv [DIR [SECONDS]]: DIR is made and removed again; the volatile environment is in it too. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rand.h"
#include "store/kv.h"

enum { WIDTH = 64, VALUE_LEN = 400 };

static const struct kv_table DURABLE = {KV_TOKENS, 1, "durable"}, VOLATILE = {KV_CODES, 1, "volatile"};
static const struct kv_store STORES[] = {{KV_TOKENS, true}, {KV_CODES, true}};

struct bench {
    struct kv *kv;
    const struct kv_table *table;
    int64_t end;
    unsigned done, waiting;
};

struct write_one {
    struct bench *bench;
    uint8_t key[16], value[VALUE_LEN];
};

static void must(enum op_err err, const char *what)
{
    if (err != OP_OK) {
        fprintf(stderr, "bench_kv: %s: %s\n", what, op_err_name(err));
        exit(1);
    }
}

static enum op_err write_work(struct kv_txn *txn, void *arg)
{
    const struct write_one *one = arg;
    return kv_put(txn, one->bench->table, bytes_from(one->key, sizeof one->key), bytes_from(one->value, VALUE_LEN),
                  kv_now(txn) + 3600);
}

static void write_done(enum op_err result, void *arg)
{
    struct write_one *one = arg;
    struct bench *bench = one->bench;
    must(result, "write");
    bench->done++;
    if (clock_monotonic_us() >= bench->end) {
        bench->waiting--;
        return;
    }
    rand_bytes(one->key, sizeof one->key);
    one->key[0] &= 1; /* so that the map does not grow for ever */
    one->key[1] = 0;
    memset(one->key + 3, 0, sizeof one->key - 3);
    kv_run(bench->kv, bench->table->env, write_work, write_done, one);
}

/* Width writes at a time, each followed by the next. Returns writes a second. */
static double write_rate(struct kv *kv, const struct kv_table *table, unsigned width, double seconds,
                         double *ret_per_commit)
{
    static struct write_one writes[WIDTH];
    struct kv_stats before, after;
    int64_t start = clock_monotonic_us();
    struct bench bench = {.kv = kv, .table = table, .end = start + (int64_t)(seconds * 1e6), .waiting = width};
    must(kv_stats(kv, table->env, &before), "stats");
    for (unsigned i = 0; i < width; i++) {
        writes[i].bench = &bench;
        kv_run(kv, table->env, write_work, write_done, &writes[i]);
    }
    while (bench.waiting > 0) {
        struct pollfd fd = {.fd = kv_event_fd(kv), .events = POLLIN};
        poll(&fd, 1, 1000);
        kv_dispatch(kv);
    }
    must(kv_stats(kv, table->env, &after), "stats");
    *ret_per_commit = (double)bench.done / (double)(after.commits - before.commits);
    return bench.done / ((double)(clock_monotonic_us() - start) / 1e6);
}

static enum op_err read_work(struct kv_txn *txn, void *arg)
{
    struct write_one *one = arg;
    void *ctx = mem_root("read");
    struct bytes value;
    enum op_err err = kv_get(txn, one->bench->table, bytes_from(one->key, sizeof one->key), ctx, &value);
    talloc_free(ctx);
    return err == OP_ABSENT ? OP_OK : err;
}

static double read_rate(struct kv *kv, double seconds)
{
    struct bench bench = {.kv = kv, .table = &DURABLE};
    struct write_one one = {.bench = &bench};
    int64_t start = clock_monotonic_us(), end = start + (int64_t)(seconds * 1e6);
    unsigned done = 0;
    for (; clock_monotonic_us() < end; done++) {
        one.key[2] = (uint8_t)done;
        must(kv_run_wait(kv, KV_READ_ONLY, read_work, &one), "read");
    }
    return done / ((double)(clock_monotonic_us() - start) / 1e6);
}

static void make(const char *dir, enum kv_env env)
{
    char path[4096];
    const char *why = "";
    snprintf(path, sizeof path, "%s/%s", dir, kv_env_name(env));
    if (mkdir(path, 0755) != 0 || kv_create(NULL, path, env, 0, &why) != OP_OK) {
        fprintf(stderr, "bench_kv: %s %s\n", path, why);
        exit(1);
    }
}

static void remove_all(const char *dir)
{
    static const char *const names[] = {"tokens/data.mdb", "tokens/lock.mdb", "tokens/bell", "codes/data.mdb",
                                        "codes/lock.mdb",  "codes/bell"};
    char path[4096];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, kv_env_name(STORES[i].env));
        rmdir(path);
    }
    rmdir(dir);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "/var/tmp/partita-bench-kv", *why = "";
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
    if (mkdir(dir, 0700) != 0) {
        perror(dir);
        return 1;
    }
    make(dir, KV_TOKENS);
    make(dir, KV_CODES);
    struct kv_config config = {.state_dir = dir, .runtime_dir = dir};
    struct kv *kv;
    if (kv_open(NULL, &config, STORES, 2, &kv, &why) != OP_OK) {
        fprintf(stderr, "bench_kv: %s\n", why);
        return 1;
    }
    double per_commit, volatile_per_commit, unused;
    double alone = write_rate(kv, &DURABLE, 1, seconds, &unused);
    double batched = write_rate(kv, &DURABLE, WIDTH, seconds, &per_commit);
    double volatile_alone = write_rate(kv, &VOLATILE, 1, seconds, &unused);
    double volatile_batched = write_rate(kv, &VOLATILE, WIDTH, seconds, &volatile_per_commit);
    double reads = read_rate(kv, seconds);
    printf("durable_alone %.0f\ndurable_batched %.0f\ndurable_writes_per_commit %.1f\n", alone, batched, per_commit);
    printf("volatile_alone %.0f\nvolatile_batched %.0f\nvolatile_writes_per_commit %.1f\n", volatile_alone,
           volatile_batched, volatile_per_commit);
    printf("reads %.0f\n", reads);
    talloc_free(kv);
    remove_all(dir);
    return 0;
}
