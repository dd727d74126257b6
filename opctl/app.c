#include "app.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "audit.h"
#include "base/clock.h"
#include "cli_help.h"
#include "print.h"
#include "runtime/settings.h"
#include "runtime/version.h"
#include "store/format.h"

static_assert(APP_USAGE == EX_USAGE && APP_NO_CONFIG == EX_NOINPUT && APP_BAD_CONFIG == EX_CONFIG, "sysexits.h");

int app_fail(const char *format, ...)
{
    va_list args;
    fputs("opctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return APP_FAILED;
}

int app_usage(const struct app *app, const char *format, ...)
{
    const struct cli_command *command = app->line.command;
    va_list args;
    fputs("opctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (see opctl %s%s%s --help)\n", command->noun, command->verb == NULL ? "" : " ",
            command->verb == NULL ? "" : command->verb);
    return APP_USAGE;
}

int app_fail_store(enum op_err err, const char *what)
{
    switch (err) {
    case OP_ABSENT:
        return app_fail("there is no %s", what);
    case OP_EXISTS:
        return app_fail("there is a %s already", what);
    case OP_MISMATCH:
        return app_fail("%s was changed by somebody else at the same moment: try again", what);
    case OP_DENIED:
        return app_fail("%s was written by a newer version of Partita: use that version, or remove it", what);
    case OP_BUSY:
        return app_fail("%s: the store is busy, try again", what);
    case OP_FULL:
        return app_fail("%s: the environment or its disk is full: make room (opctl sweep), then try again", what);
    case OP_BROKEN:
        return app_fail("%s cannot be read or written: its environment is damaged or its disk fails", what);
    default:
        return app_fail("%s: %s", what, op_err_name(err));
    }
}

enum op_err app_write(const struct app *app, enum kv_env env, kv_work *work, void *arg)
{
    return kv_run_wait(app->kv, env, work, arg);
}

enum op_err app_read(const struct app *app, kv_work *work, void *arg)
{
    return kv_run_wait(app->kv, KV_READ_ONLY, work, arg);
}

static int finish_output(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return app_fail("standard output cannot be written: %s", strerror(errno));
    return status;
}

int app_show(const struct app *app, const json_t *object)
{
    if (app->json)
        print_json(object);
    else
        print_members(object);
    return APP_OK;
}

int app_list(const struct app *app, const json_t *array, const char *const *columns)
{
    if (app->json)
        print_json(array);
    else
        print_table(array, columns);
    return APP_OK;
}

int app_say(const struct app *app, const json_t *object, const char *format, ...)
{
    if (app->json) {
        print_json(object);
        return APP_OK;
    }
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    return APP_OK;
}

int64_t app_since(void)
{
    return clock_now() + 1;
}

void app_wait_until(int64_t since)
{
    const struct timespec until = {.tv_sec = (time_t)since};
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

/* --- configuration and environments --- */

int app_read_settings(const struct app *app)
{
    struct conf_source source = {.path = cli_value(&app->line, "config")};
    char *problems, *warnings;
    if (source.path == NULL)
        source.path = APP_DEFAULT_CONFIG;
    source.overrides = cli_values(app->ctx, &app->line, "set", &source.override_count);
    enum op_err err = conf_read(app->ctx, &source, &SETTINGS_SECTION, 1, &problems, &warnings);
    if (err == OP_ABSENT) {
        app_fail("%s cannot be read (%s): name the configuration with --config", source.path, strerror(errno));
        return APP_NO_CONFIG;
    }
    fputs(warnings, stderr);
    fputs(problems, stderr);
    return err == OP_OK ? APP_OK : APP_BAD_CONFIG;
}

struct store_check {
    const struct app *app;
    const struct kv_store *stores;
    size_t count;
    const char *why;
};

static const char *judge(const struct app *app, struct kv_txn *txn, enum kv_env env)
{
    Rec__Environment *record;
    const char *name = mem_printf(app->ctx, "environment %s", kv_env_name(env));
    enum op_err err = environment_get_any(txn, env, app->ctx, &record);
    if (err != OP_OK)
        return mem_printf(app->ctx, "%s has no usable record (%s): run opctl init%s", name, op_err_name(err),
                          kv_env_is_volatile(env) ? " --volatile" : "");
    const char *why = format_too_old(app->ctx, &FORMAT_HERE, name, record);
    if (why != NULL)
        return why;
    if (strcmp(record->issuer == NULL ? "" : record->issuer, settings.issuer) != 0)
        return mem_printf(app->ctx, "%s belongs to the issuer %s, but the configuration says %s", name,
                          record->issuer == NULL ? "(none)" : record->issuer, settings.issuer);
    return app->line.command->opens_older
               ? NULL : format_too_new(app->ctx, &FORMAT_HERE, name, kv_env_is_volatile(env), record);
}

static enum op_err judge_all(struct kv_txn *txn, void *arg)
{
    struct store_check *check = arg;
    check->why = NULL;
    for (size_t i = 0; i < check->count && check->why == NULL; i++)
        check->why = judge(check->app, txn, check->stores[i].env);
    return OP_OK;
}

int app_open(const struct app *app, const struct kv_store *stores, size_t count, struct kv **ret)
{
    const struct kv_config config = {.state_dir = settings.state_dir, .runtime_dir = settings.runtime_dir};
    struct store_check check = {.app = app, .stores = stores, .count = count};
    struct kv *kv;
    if (kv_open(app->ctx, &config, stores, count, &kv, &check.why) != OP_OK)
        return app_fail("%s", check.why);
    enum op_err err = kv_run_wait(kv, KV_READ_ONLY, judge_all, &check);
    if (err != OP_OK)
        return app_fail_store(err, "the environment record");
    if (check.why != NULL)
        return app_fail("%s", check.why);
    *ret = kv;
    return APP_OK;
}

static int run_command(struct app *app)
{
    const struct cli_command *command = app->line.command;
    int status = APP_OK;
    if (command->needs_settings || command->store_count > 0)
        status = app_read_settings(app);
    if (status == APP_OK && command->store_count > 0)
        status = app_open(app, command->stores, command->store_count, &app->kv);
    bool is_change = audit_is_change(&app->line);
    if (status == APP_OK && is_change)
        status = audit_begin(app);
    if (status != APP_OK)
        return status;
    status = command->run(app);
    if (is_change)
        audit_end(app, status);
    return status;
}

int app_run(const struct cli *cli, int argc, char **argv)
{
    struct app app = {.ctx = mem_root("opctl"), .cli = cli};
    app.facts = mem_new(app.ctx, struct audit_facts);
    const char *why;
    int status = APP_OK;
    if (cli_parse(app.ctx, cli, argc, argv, &app.line, &why) != OP_OK) {
        app_fail("%s", why);
        status = APP_USAGE;
    } else if (cli_has(&app.line, "help")) {
        fputs(cli_help(app.ctx, cli, &app.line), stdout);
    } else if (cli_has(&app.line, "version")) {
        fputs(version_text(app.ctx, "opctl"), stdout);
    } else {
        app.json = cli_has(&app.line, "json");
        status = run_command(&app);
    }
    status = finish_output(status);
    talloc_free(app.ctx);
    return status;
}
