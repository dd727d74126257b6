#pragma once
/* What every command of opctl stands on: the line, the configuration, the environments it opens, what it
 * prints and how it fails. One process runs one command. */
#include "cli.h"
#include "data/json.h"
#include "runtime/audit.h"
#include "store/kv.h"

/* Exit statuses, those of sysexits.h: the manual lists them. */
enum app_status {
    APP_OK = 0,
    APP_FAILED = 1,
    APP_USAGE = 64,
    APP_NO_CONFIG = 66, /* the configuration file cannot be read */
    APP_BAD_CONFIG = 78,
};

#define APP_DEFAULT_CONFIG "/etc/partita/partita.conf"

struct app {
    void *ctx; /* lives as long as the process */
    const struct cli *cli;
    struct cli_line line;
    bool json;     /* --json */
    struct kv *kv; /* the command's stores; NULL when it names none */
    struct audit_facts *facts; /* of its line in the audit trail: a command adds whose id it learned */
};

/* Reads the line and the configuration, opens what the command names, runs it. Returns the exit status. Blocks. */
int app_run(const struct cli *cli, int argc, char **argv);

/* One line on standard error; returns APP_FAILED. */
int app_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same about the words of the line, naming the command's help; returns APP_USAGE. */
int app_usage(const struct app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What a result of the store means for the operator; what names the thing: "user alice". Returns APP_FAILED. */
int app_fail_store(enum op_err err, const char *what);

/* Runs work with arg in the environment and says nothing. */
must_check enum op_err app_write(const struct app *app, enum kv_env env, kv_work *work, void *arg);
must_check enum op_err app_read(const struct app *app, kv_work *work, void *arg);

/* Reads the configuration, for commands that can do without it. Returns APP_OK, or an exit status after having said what
 * is wrong. */
int app_read_settings(const struct app *app);
/* Opens environments that the command table could not name and checks issuer and version contract as app_run does.
 * Returns APP_OK, or an exit status after having said why. */
int app_open(const struct app *app, const struct kv_store *stores, size_t count, struct kv **ret);

/* Prints an object, as JSON or as lines; an array, as JSON or as a table of the columns. Return APP_OK. */
int app_show(const struct app *app, const json_t *object);
int app_list(const struct app *app, const json_t *array, const char *const *columns);
/* Prints the object as JSON, or the sentence. Returns APP_OK. */
int app_say(const struct app *app, const json_t *object, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The first moment that is certainly later than everything that happened until now: what is marked with it
 * as `since` kills all that was granted before. */
int64_t app_since(void);
/* Waits until then, less than a second, so that what is granted after the command is alive. */
void app_wait_until(int64_t since);
