#include "migrate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "base/num.h"
#include "floor.h"
#include "instances.h"
#include "print.h"
#include "store/migration.h"

enum { STEPS_MAX = 100000000, BUSY_TRIES = 60, BUSY_WAIT_MS = 500 };

struct migrate {
    struct app *app;
    struct app own; /* the same with the environment that is looked at */
    enum kv_env env;
    bool apply;
    uint32_t floor; /* to be raised to; 0: stays */
    Rec__Environment *record;
};

/* --- what is said --- */

/* A line for people, or a JSON object on a line of its own. */
static void say(const struct migrate *migrate, json_t *object, const char *state, const char *line)
{
    json_set_string(object, "environment", kv_env_name(migrate->env));
    json_set_string(object, "state", state);
    if (migrate->app->json)
        print_json_line(object);
    else
        printf("%s: %s\n", kv_env_name(migrate->env), line);
    fflush(stdout);
}

static void say_migration(const struct migrate *migrate, const struct migration *migration, const char *state,
                          const struct migration_walk *walk)
{
    const void *ctx = migrate->app->ctx;
    json_t *object = json_make_object(ctx);
    const char *owner = migration_owner(migrate->env), *counts = "", *left = "";
    json_set_int(object, "migration", migration->number);
    json_set_string(object, "what", migration->what);
    json_set_string(object, "owner", owner);
    json_set_int(object, "floor", format_floor(migrate->record));
    if (walk != NULL) {
        json_set_int(object, "entries", (int64_t)walk->seen);
        json_set_int(object, "changed", (int64_t)walk->changed);
        json_set_int(object, "left", (int64_t)walk->left);
        counts = mem_printf(ctx, ", %ju entries seen, %ju %s", (uintmax_t)walk->seen, (uintmax_t)walk->changed,
                            walk->write ? "changed" : "to be changed");
        if (walk->left > 0)
            left = mem_printf(ctx, ", %ju wrong that nothing tells how to mend (opctl check)", (uintmax_t)walk->left);
    }
    say(migrate, object, state, mem_printf(ctx, "migration %u (%s; of %s): %s%s%s", migration->number, migration->what,
                                           owner, state, counts, left));
}

static void say_floor(const struct migrate *migrate, uint32_t from, uint32_t floor, const char *state)
{
    const void *ctx = migrate->app->ctx;
    json_t *object = json_make_object(ctx);
    json_set_int(object, "floor", floor);
    json_set_int(object, "before", from);
    say(migrate, object, state, mem_printf(ctx, "floor %u: %s", floor, state));
}

/* --- one environment --- */

/* The store is busy while servers write; a long migration waits for its turn. */
static enum op_err write_patiently(const struct migrate *migrate, kv_work *work, void *arg)
{
    const struct timespec pause = {.tv_nsec = BUSY_WAIT_MS * 1000000};
    enum op_err err = app_write(&migrate->own, migrate->env, work, arg);
    for (unsigned i = 0; i < BUSY_TRIES && err == OP_BUSY; i++) {
        nanosleep(&pause, NULL);
        err = app_write(&migrate->own, migrate->env, work, arg);
    }
    return err;
}

struct walk_job {
    const struct migration *migration;
    struct migration_walk before, now;
};

static enum op_err step(struct kv_txn *txn, void *arg)
{
    struct walk_job *job = arg;
    job->now = job->before;
    return job->migration->step(txn, &job->now);
}

/* Reads; only where something is to be changed the writer looks again, and changes it. */
static enum op_err walk(const struct migrate *migrate, struct walk_job *job)
{
    enum op_err err = OP_OK;
    void *old = NULL;
    job->before.env = migrate->env;
    for (unsigned n = 0; n < STEPS_MAX && err == OP_OK && !job->before.complete; n++) {
        void *ctx = mem_root("walk");
        job->before.ctx = ctx;
        job->before.write = false;
        err = app_read(&migrate->own, step, job);
        if (err == OP_OK && migrate->apply && job->now.changed > job->before.changed) {
            job->before.write = true;
            err = write_patiently(migrate, step, job);
        }
        job->before = job->now;
        talloc_free(old);
        old = ctx;
    }
    job->before.write = migrate->apply;
    talloc_free(old);
    return err;
}

struct mark_job {
    enum kv_env env;
    uint32_t number;
};

static enum op_err note_applied(struct kv_txn *txn, void *arg)
{
    const struct mark_job *job = arg;
    enum op_err err = format_add_migration(txn, job->env, job->number);
    return err == OP_EXISTS ? OP_OK : err;
}

static enum op_err raise_it(struct kv_txn *txn, void *arg)
{
    const struct mark_job *job = arg;
    enum op_err err = format_raise_floor(txn, job->env, job->number);
    return err == OP_EXISTS ? OP_OK : err;
}

static enum op_err apply_one(const struct migrate *migrate, size_t index)
{
    const struct migration *migration = &MIGRATIONS[index];
    enum migration_state state = migration_state(MIGRATIONS, index, migrate->record);
    if (state != MIGRATION_DUE) {
        say_migration(migrate, migration, state == MIGRATION_APPLIED ? "applied before"
                      : mem_printf(migrate->app->ctx, "waits for the floor %u", migration->floor), NULL);
        return OP_OK;
    }
    struct walk_job *job = mem_new(migrate->app->ctx, struct walk_job);
    job->migration = migration;
    enum op_err err = walk(migrate, job);
    struct mark_job mark = {migrate->env, migration->number};
    if (err == OP_OK && migrate->apply)
        err = write_patiently(migrate, note_applied, &mark);
    if (err == OP_OK)
        say_migration(migrate, migration, migrate->apply ? "applied" : "would be applied", &job->before);
    return err;
}

static enum op_err raise_floor(struct migrate *migrate)
{
    uint32_t from = format_floor(migrate->record);
    struct mark_job mark = {migrate->env, migrate->floor};
    if (from >= migrate->floor) {
        say_floor(migrate, from, from, "stands");
        return OP_OK;
    }
    enum op_err err = migrate->apply ? write_patiently(migrate, raise_it, &mark) : OP_OK;
    if (err == OP_OK)
        say_floor(migrate, from, migrate->floor, migrate->apply ? "raised" : "would be raised");
    return err;
}

static enum op_err read_record(struct kv_txn *txn, void *arg)
{
    struct migrate *migrate = arg;
    return environment_get(txn, migrate->env, migrate->app->ctx, &migrate->record);
}

static int in_env(struct migrate *migrate, enum kv_env env, enum op_err (*act)(struct migrate *migrate))
{
    const struct kv_store store = {env, migrate->apply};
    migrate->env = env;
    migrate->own = *migrate->app;
    int status = app_open(migrate->app, &store, 1, &migrate->own.kv);
    if (status != APP_OK)
        return status;
    enum op_err err = app_read(&migrate->own, read_record, migrate);
    if (err == OP_OK)
        err = act(migrate);
    talloc_free(migrate->own.kv);
    return err == OP_OK ? APP_OK : app_fail_store(err, mem_printf(migrate->app->ctx, "environment %s", kv_env_name(env)));
}

/* A dry run goes on as if the floor had been raised. */
static enum op_err apply_above_floor(struct migrate *migrate)
{
    if (!kv_env_is_volatile(migrate->env) && format_floor(migrate->record) < migrate->floor)
        migrate->record->needs = migrate->floor;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < MIGRATION_COUNT && err == OP_OK; i++)
        err = apply_one(migrate, i);
    return err;
}

/* --- the command --- */

static const char *const ENV_NAMES[] = {"keys", "jwks", "clients", "users", "credentials", "sessions", "tokens",
                                        "outbox", "codes", "async", "guard", "remote", NULL};

static void read_envs(const struct app *app, bool wanted[KV_ENV_COUNT])
{
    size_t count;
    char **names = cli_values(app->ctx, &app->line, "env", &count);
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        wanted[e] = count == 0;
        for (size_t i = 0; i < count; i++)
            wanted[e] = wanted[e] || strcmp(names[i], kv_env_name((enum kv_env)e)) == 0;
    }
}

static int read_line(struct migrate *migrate)
{
    const struct app *app = migrate->app;
    const char *text = cli_value(&app->line, "raise-floor"), *why;
    uint64_t floor;
    migrate->apply = cli_has(&app->line, "apply");
    if (migrate->apply == cli_has(&app->line, "dry-run"))
        return app_usage(app, "say --dry-run, or --apply");
    if (text == NULL)
        return APP_OK;
    if (cli_has(&app->line, "env"))
        return app_usage(app, "--raise-floor is for all durable environments: leave --env away");
    if (num_parse_u64(bytes_of(text), UINT32_MAX, &floor) != OP_OK || floor == 0)
        return app_usage(app, "--raise-floor %s: it is a record format, as --version tells", text);
    migrate->floor = (uint32_t)floor;
    if (migrate->apply && instances_lock(&why) == OP_BUSY)
        return app_fail("%s", why);
    return floor_may_be(app->ctx, migrate->floor, &why) == OP_OK ? APP_OK : app_fail("%s", why);
}

static int run_migrate(struct app *app)
{
    struct migrate migrate = {.app = app};
    bool wanted[KV_ENV_COUNT];
    int status = read_line(&migrate);
    read_envs(app, wanted);
    for (unsigned e = 0; e < KV_ENV_COUNT && status == APP_OK && migrate.floor > 0; e++)
        if (!kv_env_is_volatile((enum kv_env)e))
            status = in_env(&migrate, (enum kv_env)e, raise_floor);
    for (unsigned e = 0; e < KV_ENV_COUNT && status == APP_OK; e++)
        if (wanted[e])
            status = in_env(&migrate, (enum kv_env)e, apply_above_floor);
    return status;
}

static const struct cli_option OPTIONS[] = {
    {"dry-run", NULL, false, "say what would be done and change nothing", NULL},
    {"apply", NULL, false, "do it; servers may run, and what was broken off is done again", NULL},
    {"env", "ENV", true, "only this environment", ENV_NAMES},
    {"raise-floor", "N", false, "first let no version open the durable environments that knows record formats below N "
     "only: there is no going back; refused while such a version is installed or runs", NULL},
};

const struct cli_command MIGRATE_COMMANDS[] = {
    {"migrate", NULL, CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(OPTIONS), .needs_settings = true, .opens_older = true,
     .changes = "apply", .run = run_migrate,
     .help = "Apply the changes of data that this version brings to each environment that lacks them, a line for each."},
    {0},
};
