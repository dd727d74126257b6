#include "init.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app.h"
#include "base/clock.h"
#include "base/num.h"
#include "credentials.h"
#include "layout.h"
#include "runtime/settings.h"
#include "store/format.h"

struct init {
    const struct app *app;
    bool is_volatile, unowned;
    uint64_t sizes[KV_ENV_COUNT]; /* asked for with --map-size; 0: the default */
    json_t *made;                 /* one object per environment */
    unsigned made_count;
};

/* --- --map-size ENV=SIZE --- */

static bool parse_size(const char *text, uint64_t *ret)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    size_t digits = strspn(text, "0123456789");
    uint64_t number;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t max = (UINT64_C(1) << 46) >> units[i].shift;
        if (strcmp(text + digits, units[i].suffix) == 0 &&
            num_parse_u64(bytes_from(text, digits), max, &number) == OP_OK && number > 0) {
            *ret = number << units[i].shift;
            return true;
        }
    }
    return false;
}

static bool parse_env(const char *name, size_t len, enum kv_env *ret)
{
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        const char *known = kv_env_name((enum kv_env)e);
        if (strlen(known) == len && memcmp(known, name, len) == 0) {
            *ret = (enum kv_env)e;
            return true;
        }
    }
    return false;
}

static int read_sizes(struct init *init)
{
    size_t count;
    char **values = cli_values(init->app->ctx, &init->app->line, "map-size", &count);
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(values[i], '=');
        enum kv_env env;
        if (equals == NULL || !parse_env(values[i], (size_t)(equals - values[i]), &env))
            return app_usage(init->app, "--map-size %s: it is ENVIRONMENT=SIZE, for example clients=256MiB", values[i]);
        if (kv_env_is_volatile(env) != init->is_volatile)
            return app_usage(init->app, "--map-size %s: that environment is %s made by this command", values[i],
                             init->is_volatile ? "durable and not" : "volatile and not");
        if (!parse_size(equals + 1, &init->sizes[env]))
            return app_usage(init->app, "--map-size %s: a size is a number with KiB, MiB, GiB or TiB", values[i]);
    }
    return APP_OK;
}

/* --- one environment --- */

/* Whether all its files are there; some may be after a crash, or when somebody removed one. */
static bool is_made(const void *ctx, enum kv_env env)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "bell"};
    struct stat status;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (stat(mem_printf(ctx, "%s/%s", layout_dir(ctx, env), files[i]), &status) != 0)
            return false;
    return true;
}

struct record_job {
    enum kv_env env;
    const void *ctx;
    uint64_t map_size;
    Rec__Environment *found; /* NULL: it has no record */
};

static enum op_err read_record(struct kv_txn *txn, void *arg)
{
    struct record_job *job = arg;
    job->found = NULL;
    enum op_err err = environment_get_any(txn, job->env, job->ctx, &job->found);
    return err == OP_ABSENT ? OP_OK : err;
}

static enum op_err write_record(struct kv_txn *txn, void *arg)
{
    const struct record_job *job = arg;
    Rec__Environment *record = records_new(job->ctx, &rec__environment__descriptor);
    record->issuer = mem_strdup(record, settings.issuer);
    record->has_created_at = true;
    record->created_at = kv_now(txn);
    record->has_map_size = true;
    record->map_size = job->map_size;
    format_fill(record);
    enum op_err err = environment_insert(txn, job->env, record);
    return err == OP_EXISTS ? OP_OK : err;
}

static enum op_err open_one(const struct init *init, enum kv_env env, bool write, struct kv **ret)
{
    const struct kv_config config = {.state_dir = settings.state_dir, .runtime_dir = settings.runtime_dir};
    const struct kv_store store = {env, write};
    const char *why;
    enum op_err err = kv_open(init->app->ctx, &config, &store, 1, ret, &why);
    if (err != OP_OK)
        app_fail("%s", why);
    return err;
}

/* An environment that is there must be of this issuer and of the size asked for. */
static int check_one(const struct init *init, enum kv_env env)
{
    struct kv *kv;
    struct kv_stats stats;
    struct record_job job = {.env = env, .ctx = init->app->ctx};
    const char *why, *name = mem_printf(init->app->ctx, "environment %s", kv_env_name(env));
    if (open_one(init, env, false, &kv) != OP_OK)
        return APP_FAILED;
    int status = APP_OK;
    enum op_err err = kv_run_wait(kv, KV_READ_ONLY, read_record, &job);
    if (err == OP_OK)
        err = kv_stats(kv, env, &stats);
    if (err != OP_OK)
        status = app_fail_store(err, mem_printf(init->app->ctx, "the record of %s", name));
    else if (job.found != NULL && (why = format_too_old(init->app->ctx, &FORMAT_HERE, name, job.found)) != NULL)
        status = app_fail("%s", why);
    else if (job.found != NULL && (job.found->issuer == NULL || strcmp(job.found->issuer, settings.issuer) != 0))
        status = app_fail("%s belongs to the issuer %s, not to %s: change the configuration back, or choose another "
                          "state directory", name,
                          job.found->issuer == NULL ? "(none)" : job.found->issuer, settings.issuer);
    else if (init->sizes[env] != 0 && init->sizes[env] != stats.map_bytes)
        status = app_fail("%s is made already with a map of %ju bytes, which is fixed", name,
                          (uintmax_t)stats.map_bytes);
    talloc_free(kv);
    return status;
}

static int record_one(struct init *init, enum kv_env env, bool made)
{
    struct kv *kv;
    struct kv_stats stats;
    struct record_job job = {.env = env, .ctx = init->app->ctx};
    if (open_one(init, env, true, &kv) != OP_OK)
        return APP_FAILED;
    enum op_err err = kv_stats(kv, env, &stats);
    if (err == OP_OK) {
        job.map_size = stats.map_bytes;
        err = kv_run_wait(kv, env, write_record, &job);
    }
    talloc_free(kv);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(init->app->ctx, "the record of environment %s", kv_env_name(env)));
    json_t *entry = json_make_object(init->app->ctx);
    json_set_string(entry, "name", kv_env_name(env));
    json_set_string(entry, "path", layout_dir(init->app->ctx, env));
    json_set_int(entry, "map_size", (int64_t)stats.map_bytes);
    json_set_bool(entry, "made", made);
    json_array_append(init->made, entry);
    init->made_count += made;
    return APP_OK;
}

static int make_one(struct init *init, enum kv_env env)
{
    const void *ctx = init->app->ctx;
    const char *why = NULL;
    bool made = false;
    enum op_err err = layout_make_dir(ctx, env, init->unowned, &why);
    if (err == OP_OK) {
        err = kv_create(ctx, layout_dir(ctx, env), env, init->sizes[env], &why);
        made = err == OP_OK;
        if (err == OP_EXISTS)
            err = OP_OK;
    }
    if (err == OP_OK)
        err = layout_set_files(ctx, env, init->unowned, &why);
    if (err != OP_OK)
        return app_fail("%s", why);
    int status = check_one(init, env);
    return status != APP_OK ? status : record_one(init, env, made);
}

static int make_environments(struct init *init)
{
    const char *why;
    int status = APP_OK;
    for (unsigned e = 0; e < KV_ENV_COUNT && status == APP_OK; e++) {
        enum kv_env env = (enum kv_env)e;
        if (kv_env_is_volatile(env) != init->is_volatile)
            continue;
        if (!init->unowned && layout_check_groups(init->app->ctx, env, &why) != OP_OK)
            status = app_fail("%s", why);
        else if (is_made(init->app->ctx, env))
            status = check_one(init, env);
    }
    for (unsigned e = 0; e < KV_ENV_COUNT && status == APP_OK; e++)
        if (kv_env_is_volatile((enum kv_env)e) == init->is_volatile)
            status = make_one(init, (enum kv_env)e);
    return status;
}

int init_volatile(const struct app *app, bool unowned, const uint64_t sizes[KV_ENV_COUNT])
{
    struct init init = {.app = app, .is_volatile = true, .unowned = unowned, .made = json_make_array(app->ctx)};
    memcpy(init.sizes, sizes, sizeof init.sizes);
    return make_environments(&init);
}

/* --- the command --- */

static int make_credentials(const struct app *app, const char *dir)
{
    const char *made[3], *why;
    unsigned count;
    if (credentials_make(app->ctx, dir, made, &count, &why) != OP_OK)
        return app_fail("%s", why);
    json_t *object = json_make_object(app->ctx), *names = json_make_array(app->ctx);
    for (unsigned i = 0; i < count; i++)
        json_append_string(names, made[i]);
    json_set_string(object, "directory", dir);
    json_set(object, "made", names);
    return app_say(app, object, "credentials in %s: %u made", dir, count);
}

static int run_init(struct app *app)
{
    const char *credentials = cli_value(&app->line, "credentials");
    struct init init = {
        .app = app, .is_volatile = cli_has(&app->line, "volatile"), .unowned = cli_has(&app->line, "unowned")};
    if (credentials != NULL) {
        if (init.is_volatile || init.unowned || cli_has(&app->line, "map-size"))
            return app_usage(app, "--credentials stands alone: it makes no environments");
        return make_credentials(app, credentials);
    }
    int status = read_sizes(&init);
    if (status != APP_OK)
        return status;
    init.made = json_make_array(app->ctx);
    status = make_environments(&init);
    if (status != APP_OK)
        return status;
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "issuer", settings.issuer);
    json_set(object, "environments", init.made);
    const char *where = init.is_volatile ? settings.runtime_dir : settings.state_dir;
    return app_say(app, object, "%s environments in %s: %u made, %zu there, for the issuer %s",
                   init.is_volatile ? "volatile" : "durable", where, init.made_count, json_array_size(init.made),
                   settings.issuer);
}

static const struct cli_option OPTIONS[] = {
    {"volatile", NULL, false, "make the volatile environments in runtime_dir instead of the durable ones", NULL},
    {"map-size", "ENV=SIZE", true, "size of an environment's map, fixed when it is made: 64MiB, 1GiB", NULL},
    {"unowned", NULL, false, "leave users and groups alone: an installation of one user, for tests", NULL},
    {"credentials", "DIR", false, "make only seal-key, token-key and form-key in DIR, those that are absent", NULL},
};

const struct cli_command INIT_COMMANDS[] = {
    {.noun = "init", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(OPTIONS),
     .needs_settings = true, .changes = "", .help = "Make the environments with their owners and modes; what is there stays as it is.",
     .run = run_init},
    {0},
};
