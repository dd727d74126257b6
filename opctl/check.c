#include "check.h"

#include <string.h>

#include "app.h"
#include "base/codec.h"
#include "env_names.h"
#include "leaning.h"
#include "print.h"
#include "store/inspect.h"
#include "store/kv_tools.h"

/* Small transactions: neither do readers keep pages from being used again, nor do the servers' writes wait. */
enum { ENTRIES_AT_ONCE = 256, ROUNDS_MAX = 100000000, EXAMPLES_MAX = 5, ENVIRONMENT_PREFIX = 239 };

struct check {
    const struct app *app; /* kv is that of the environment which is looked at */
    bool repair;
    json_t *tables;   /* how much was looked at */
    json_t *findings; /* one object per table and kind */
    uint64_t left;     /* what is wrong and was not mended */
    uint64_t mendable; /* of that, what --repair would mend */
    uint64_t mended;
};

/* --- what was found --- */

/* Text as it is, its parts apart; anything else in hexadecimal digits. */
static char *key_text(const void *ctx, struct bytes key)
{
    bool printable = true;
    struct buf text = buf_make(ctx);
    for (size_t i = 0; i < key.len; i++)
        printable = printable && (key.data[i] == '\0' || (key.data[i] > ' ' && key.data[i] < 0x7f));
    for (size_t i = 0; i < key.len; i++)
        if (!printable)
            buf_printf(&text, "%02x", key.data[i]);
        else
            buf_add_char(&text, key.data[i] == '\0' ? '/' : (char)key.data[i]);
    return buf_string(&text);
}

struct tally {
    uint64_t counts[INSPECT_KIND_COUNT];
    json_t *examples[INSPECT_KIND_COUNT];
    const struct kv_table *tables[INSPECT_KIND_COUNT];
};

static void report(struct check *check, enum kv_env env, const char *table, const char *kind, uint64_t count,
                   bool mended, json_t *examples)
{
    if (count == 0)
        return;
    json_t *finding = json_make_object(check->app->ctx);
    json_set_string(finding, "environment", kv_env_name(env));
    json_set_string(finding, "table", table);
    json_set_string(finding, "kind", kind);
    json_set_int(finding, "count", (int64_t)count);
    json_set_bool(finding, "repaired", mended);
    if (examples != NULL)
        json_set(finding, "examples", examples);
    json_array_append(check->findings, finding);
}

static void count_wrong(struct check *check, uint64_t count, bool mendable)
{
    bool mended = mendable && check->repair;
    *(mended ? &check->mended : &check->left) += count;
    check->mendable += mendable && !mended ? count : 0;
}

static void add_findings(const struct check *check, struct tally *tally, const struct inspection *seen)
{
    for (size_t i = 0; i < seen->finding_count; i++) {
        const struct inspect_finding *finding = &seen->findings[i];
        tally->counts[finding->kind]++;
        tally->tables[finding->kind] = finding->table;
        if (tally->examples[finding->kind] == NULL)
            tally->examples[finding->kind] = json_make_array(check->app->ctx);
        if (json_array_size(tally->examples[finding->kind]) < EXAMPLES_MAX)
            json_append_string(tally->examples[finding->kind], key_text(seen->ctx, finding->key));
    }
}

/* --- tables --- */

struct table_job {
    struct inspection before, seen;
};

static enum op_err inspect_some(struct kv_txn *txn, void *arg)
{
    struct table_job *job = arg;
    job->seen = job->before;
    return inspect_next(txn, ENTRIES_AT_ONCE, &job->seen);
}

static bool can_be_mended(const struct inspection *seen)
{
    for (size_t i = 0; i < seen->finding_count; i++)
        if (inspect_is_mended(seen->findings[i].kind))
            return true;
    return false;
}

/* Reads; only what is found to be wrong is then looked at again by the writer, and mended. */
static enum op_err inspect_table(struct check *check, const struct catalogue_row *row, struct tally *tally,
                                 uint64_t *ret_entries)
{
    struct table_job job = {.before = {.row = row}};
    enum op_err err = OP_OK;
    void *old = NULL;
    for (unsigned round = 0; round < ROUNDS_MAX && err == OP_OK && !job.before.complete; round++) {
        void *ctx = mem_root("inspect_table");
        job.before.ctx = ctx;
        job.before.repair = false;
        err = app_read(check->app, inspect_some, &job);
        if (err == OP_OK && check->repair && can_be_mended(&job.seen)) {
            job.before.repair = true;
            err = app_write(check->app, row->table->env, inspect_some, &job);
        }
        if (err == OP_OK) {
            add_findings(check, tally, &job.seen);
            job.before = job.seen;
        }
        talloc_free(old);
        old = ctx;
    }
    talloc_free(old);
    *ret_entries = job.before.entries;
    return err;
}

static enum op_err check_table(struct check *check, const struct catalogue_row *row)
{
    struct tally tally = {0};
    uint64_t entries = 0;
    enum op_err err = inspect_table(check, row, &tally, &entries);
    for (unsigned kind = 0; kind < INSPECT_KIND_COUNT && err == OP_OK; kind++) {
        bool mended = check->repair && inspect_is_mended(kind);
        if (inspect_is_wrong(kind))
            count_wrong(check, tally.counts[kind], inspect_is_mended(kind));
        if (tally.counts[kind] > 0)
            report(check, row->table->env, tally.tables[kind]->name, inspect_kind_name(kind), tally.counts[kind],
                   mended, tally.examples[kind]);
    }
    json_t *table = json_make_object(check->app->ctx);
    json_set_string(table, "environment", kv_env_name(row->table->env));
    json_set_string(table, "table", row->table->name);
    json_set_string(table, "holds", row->repository == NULL ? "marks" : catalogue_is_index(row) ? "index" : "records");
    json_set_int(table, "entries", (int64_t)entries);
    json_array_append(check->tables, table);
    return err;
}

/* --- what lies below the tables --- */

struct survey_job {
    enum kv_env env;
    bool repair;
    struct kv_survey before, seen;
};

static enum op_err survey_some(struct kv_txn *txn, void *arg)
{
    struct survey_job *job = arg;
    job->seen = job->before;
    return kv_survey(txn, job->env, ENTRIES_AT_ONCE, job->repair, &job->seen);
}

static bool survey_found(const struct survey_job *job)
{
    return job->seen.unindexed > job->before.unindexed || job->seen.misindexed > job->before.misindexed;
}

static bool is_known(enum kv_env env, unsigned prefix)
{
    for (size_t i = 0; i < CATALOGUE_COUNT; i++)
        if (CATALOGUE[i].table->env == env && CATALOGUE[i].table->prefix == prefix)
            return true;
    return prefix == ENVIRONMENT_PREFIX;
}

static enum op_err survey_env(struct check *check, enum kv_env env)
{
    struct survey_job *job = mem_new(check->app->ctx, struct survey_job);
    enum op_err err;
    unsigned round = 0;
    job->env = env;
    do {
        job->repair = false;
        err = app_read(check->app, survey_some, job);
        if (err == OP_OK && check->repair && survey_found(job)) {
            job->repair = true;
            err = app_write(check->app, env, survey_some, job);
        }
        job->before = job->seen;
    } while (err == OP_OK && job->seen.position_len > 0 && ++round < ROUNDS_MAX);
    if (err != OP_OK)
        return err;
    report(check, env, "(expiry)", "missing", job->seen.unindexed, check->repair, NULL);
    report(check, env, "(expiry)", "stale", job->seen.misindexed, check->repair, NULL);
    report(check, env, "(any)", "damaged", job->seen.damaged, false, NULL);
    count_wrong(check, job->seen.unindexed + job->seen.misindexed, true);
    count_wrong(check, job->seen.damaged, false);
    for (unsigned prefix = 1; prefix <= ENVIRONMENT_PREFIX; prefix++)
        if (!is_known(env, prefix))
            report(check, env, mem_printf(check->app->ctx, "(%u)", prefix), "unknown", job->seen.entries[prefix], false,
                   NULL);
    return OP_OK;
}

static int check_env(struct check *check, enum kv_env env)
{
    const struct kv_store store = {env, check->repair};
    struct app own = *check->app;
    int status = app_open(check->app, &store, 1, &own.kv);
    if (status != APP_OK)
        return status;
    const struct app *shared = check->app;
    check->app = &own;
    enum op_err err = survey_env(check, env);
    for (size_t i = 0; i < CATALOGUE_COUNT && err == OP_OK; i++)
        if (CATALOGUE[i].table->env == env)
            err = check_table(check, &CATALOGUE[i]);
    check->app = shared;
    talloc_free(own.kv);
    return err == OP_OK ? APP_OK : app_fail_store(err, mem_printf(shared->ctx, "environment %s", kv_env_name(env)));
}

/* --- the command --- */

static void print_findings(const struct check *check, const json_t *leftovers)
{
    static const char *const columns[] = {"environment", "table", "kind", "count", "repaired", "examples", NULL};
    size_t i;
    json_t *pair;
    app_list(check->app, check->findings, columns);
    json_array_foreach(leftovers, i, pair)
        app_say(check->app, pair, "%s of %s lack their %s: left by an end or a beginning that was cut short, no harm",
                print_text(check->app->ctx, json_object_get(pair, "count")),
                json_string_value(json_object_get(pair, "from")), json_string_value(json_object_get(pair, "to")));
    if (check->left == 0)
        app_say(check->app, check->findings, "%zu tables: %s", json_array_size(check->tables),
                check->mended == 0 ? "nothing is wrong" : "all that was wrong has been repaired");
}

static int say_findings(const struct check *check, json_t *leftovers)
{
    const struct app *app = check->app;
    json_t *object = json_make_object(app->ctx);
    json_set_bool(object, "clean", check->left == 0);
    json_set(object, "findings", check->findings);
    json_set(object, "leftovers", leftovers);
    json_set(object, "tables", check->tables);
    if (app->json)
        app_show(app, object);
    else
        print_findings(check, leftovers);
    if (check->left == 0)
        return APP_OK;
    return app_fail("wrong: %ju; %s", (uintmax_t)check->left,
                    check->mendable > 0 ? "opctl check --repair writes anew what the records tell"
                                        : "nothing tells what should be there (docs/backup.md says what to do)");
}

static int run_check(struct app *app)
{
    struct check check = {.app = app, .repair = cli_has(&app->line, "repair")};
    bool wanted[KV_ENV_COUNT];
    json_t *leftovers = json_make_array(app->ctx);
    check.tables = json_make_array(app->ctx);
    check.findings = json_make_array(app->ctx);
    int status = env_names_read(app, wanted);
    for (unsigned e = 0; e < KV_ENV_COUNT && status == APP_OK; e++)
        if (wanted[e])
            status = check_env(&check, (enum kv_env)e);
    if (status == APP_OK && app->line.argument_count == 0)
        status = leaning_check(app, leftovers, check.findings, &check.left);
    return status != APP_OK ? status : say_findings(&check, leftovers);
}

static const struct cli_option OPTIONS[] = {
    {"repair", NULL, false, "write anew what can be derived from the records; servers may run", NULL},
};

const struct cli_command CHECK_COMMANDS[] = {
    {"check", NULL, CLI_ARGUMENTS("[ENV...]", 0, KV_ENV_COUNT), CLI_OPTIONS(OPTIONS), .needs_settings = true, .opens_older = true, .changes = "repair",
     .run = run_check,
     .help = "Hold every index against its records, in both directions, and every record against its format. Exit "
             "status 1 when something is wrong and was not repaired."},
    {0},
};
