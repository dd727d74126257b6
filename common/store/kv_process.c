#include "store/kv_process.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/kv_events.h"
#include "store/kv_files.h"
#include "store/kv_table.h"
#include "store/kv_writer.h"

enum { CLEAR_READERS_EVERY_US = 60 * 1000 * 1000, QUEUE_MAX = 4096, WAIT_MS = 2000 };

struct kv {
    struct kv_database *databases[KV_ENV_COUNT];
    struct kv_writer *writers[KV_ENV_COUNT];
    struct kv_snapshots *snapshots; /* the loop's */
    struct kv_events *events;
    struct kv_config config;
    const char *dirs[KV_ENV_COUNT];
    int64_t clear_readers_at;
    bool working; /* inside a read of the loop's */
};

static int kv_close(struct kv *kv)
{
    for (size_t env = 0; env < KV_ENV_COUNT; env++)
        if (kv->writers[env] != NULL)
            kv_writer_stop(kv->writers[env]);
    for (size_t env = 0; env < KV_ENV_COUNT; env++)
        while (kv->writers[env] != NULL && kv_writer_deliver(kv->writers[env]))
            ;
    if (kv->snapshots != NULL)
        kv_snapshots_free(kv->snapshots);
    return 0;
}

static enum op_err open_one(struct kv *kv, enum kv_env env, bool write, const void *ctx, const char **ret_why)
{
    const char *base = kv_env_is_volatile(env) ? kv->config.runtime_dir : kv->config.state_dir;
    const char *dir = mem_printf(kv, "%s/%s", base, kv_env_name(env));
    kv->dirs[env] = dir;
    const char *why = "";
    enum op_err err = kv_files_check(kv, dir, env, write, &why);
    if (err == OP_OK)
        err = kv_database_open(kv, dir, env, write, &kv->databases[env], &why);
    struct kv_writer_config config = {
        .queue_max = kv->config.queue_max, .wait_ms = kv->config.wait_ms, .dir = dir, .events = kv->events};
    if (err == OP_OK && write) {
        struct kv_snapshots *own = kv_snapshots_new(kv->databases);
        err = kv_writer_start(kv, kv->databases[env], own, &config, &kv->writers[env], &why);
    }
    if (err != OP_OK)
        *ret_why = mem_strdup(ctx, why); /* it outlives kv */
    return err;
}

static enum op_err open_all(struct kv *kv, const struct kv_store *stores, size_t count, const void *ctx,
                            const char **ret_why)
{
    bool wanted[KV_ENV_COUNT] = {false}, write[KV_ENV_COUNT] = {false};
    for (size_t i = 0; i < count; i++) {
        assert(stores[i].env < KV_ENV_COUNT);
        wanted[stores[i].env] = true;
        write[stores[i].env] = write[stores[i].env] || stores[i].write;
    }
    enum op_err err = OP_OK;
    for (size_t env = 0; env < KV_ENV_COUNT && err == OP_OK; env++)
        if (wanted[env])
            err = open_one(kv, (enum kv_env)env, write[env], ctx, ret_why);
    return err;
}

enum op_err kv_open(const void *ctx, const struct kv_config *config, const struct kv_store *stores, size_t count,
                    struct kv **ret, const char **ret_why)
{
    struct kv *kv = mem_new(ctx, struct kv);
    kv->config = *config;
    if (kv->config.queue_max == 0)
        kv->config.queue_max = QUEUE_MAX;
    if (kv->config.wait_ms == 0)
        kv->config.wait_ms = WAIT_MS;
    kv->snapshots = kv_snapshots_new(kv->databases);
    talloc_set_destructor(kv, kv_close);
    enum op_err err = kv_events_new(kv, &kv->events);
    if (err == OP_OK)
        err = open_all(kv, stores, count, ctx, ret_why);
    else
        *ret_why = mem_printf(ctx, "no descriptors for the store's events: %s", strerror(errno));
    if (err == OP_OK) {
        kv->clear_readers_at = clock_monotonic_us() + CLEAR_READERS_EVERY_US;
        kv_events_wake_at(kv->events, kv->clear_readers_at);
        *ret = kv;
    } else {
        talloc_free(kv);
    }
    return err;
}

static enum op_err read_now(struct kv *kv, kv_work *work, void *arg)
{
    assert(!kv->working);
    kv->working = true;
    struct kv_txn txn = {.snapshots = kv->snapshots, .write_env = KV_READ_ONLY, .now = clock_now()};
    enum op_err err = work(&txn, arg);
    kv_snapshots_end(kv->snapshots);
    kv->working = false;
    return txn.latched != OP_OK ? txn.latched : err;
}

void kv_run(struct kv *kv, enum kv_env env, kv_work *work, kv_done *done, void *arg)
{
    if (env == KV_READ_ONLY) {
        enum op_err err = read_now(kv, work, arg);
        if (done != NULL)
            done(err, arg);
        return;
    }
    assert(env < KV_ENV_COUNT && kv->writers[env] != NULL);
    kv_events_wake_at(kv->events, kv_writer_push(kv->writers[env], work, done, arg));
}

enum op_err kv_run_wait(struct kv *kv, enum kv_env env, kv_work *work, void *arg)
{
    if (env == KV_READ_ONLY)
        return read_now(kv, work, arg);
    assert(env < KV_ENV_COUNT && kv->writers[env] != NULL);
    return kv_writer_run(kv->writers[env], work, arg);
}

int kv_event_fd(const struct kv *kv)
{
    return kv_events_fd(kv->events);
}

static void raise_alarm(struct kv *kv, enum kv_env env)
{
    enum op_err what;
    char *line = kv_writer_alarm(kv->writers[env], &what);
    if (line != NULL && kv->config.alarm != NULL)
        kv->config.alarm(env, what, line, kv->config.alarm_arg);
    talloc_free(line);
}

/* Gives up what waited too long and sets the next time to look. */
static void on_time(struct kv *kv)
{
    int64_t now = clock_monotonic_us();
    for (size_t env = 0; env < KV_ENV_COUNT; env++) {
        int64_t next = kv->writers[env] == NULL ? 0 : kv_writer_expire(kv->writers[env], now);
        if (next != 0)
            kv_events_wake_at(kv->events, next);
    }
    if (now >= kv->clear_readers_at) {
        kv_clear_dead_readers(kv);
        kv->clear_readers_at = now + CLEAR_READERS_EVERY_US;
    }
    kv_events_wake_at(kv->events, kv->clear_readers_at);
}

void kv_dispatch(struct kv *kv)
{
    if (kv_events_dispatch(kv->events))
        on_time(kv);
    for (size_t env = 0; env < KV_ENV_COUNT; env++)
        if (kv->writers[env] != NULL) {
            raise_alarm(kv, (enum kv_env)env); /* before those who are told that they failed */
            kv_writer_deliver(kv->writers[env]);
        }
}

enum op_err kv_watch(struct kv *kv, enum kv_env env, kv_bell *callback, void *arg)
{
    if (env >= KV_ENV_COUNT || kv->databases[env] == NULL)
        return OP_ABSENT;
    return kv_events_watch(kv->events, kv->dirs[env], callback, arg);
}

enum op_err kv_stats(struct kv *kv, enum kv_env env, struct kv_stats *ret)
{
    if (env >= KV_ENV_COUNT || kv->databases[env] == NULL)
        return OP_ABSENT;
    struct kv_stats stats = {0};
    enum op_err err = kv_database_stats(kv->databases[env], kv->snapshots, &stats);
    if (err != OP_OK)
        return err;
    stats.writes = kv->writers[env] != NULL;
    if (stats.writes)
        kv_writer_stats(kv->writers[env], &stats);
    *ret = stats;
    return OP_OK;
}

enum op_err kv_look(struct kv *kv, enum kv_env env, const void *ctx, const char **ret_why)
{
    if (env < KV_ENV_COUNT && kv->databases[env] != NULL)
        return kv_database_look(kv->databases[env], kv->snapshots, ctx, ret_why);
    *ret_why = mem_printf(ctx, "the environment is not open");
    return OP_ABSENT;
}

unsigned kv_clear_dead_readers(struct kv *kv)
{
    unsigned cleared = 0;
    for (size_t env = 0; env < KV_ENV_COUNT; env++)
        if (kv->databases[env] != NULL)
            cleared += kv_database_clear_readers(kv->databases[env]);
    return cleared;
}
