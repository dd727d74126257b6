#include "status.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"
#include "base/clock.h"
#include "exposition.h"
#include "operator_socket.h"

static const char ADMIN_DIR[] = "/run/partita-admin";
enum { INSTANCES_MAX = 512, REFRESH_S = 1 };

static const char *const COLUMNS[] = {"instance", "version", "state", "age", "requests", "per_second", "5xx", "errors",
                                      "p99", "memory", NULL};

/* What one instance said the time before, to tell its rate. */
struct before {
    const char *instance;
    uint64_t requests;
    int64_t at_us;
};

struct status {
    struct app *app;
    const char *dir;
    void *ctx; /* of one look */
    struct before *before;
    size_t before_count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names below the directory, sorted; NULL: it cannot be read. */
static const char **instance_names(const struct status *status, size_t *ret_count)
{
    DIR *dir = opendir(status->dir);
    if (dir == NULL)
        return NULL;
    const char **names = mem_array(status->ctx, const char *, INSTANCES_MAX);
    size_t count = 0;
    for (struct dirent *entry; count < INSTANCES_MAX && (entry = readdir(dir)) != NULL;)
        if (strchr(entry->d_name, '@') != NULL)
            names[count++] = mem_strdup(status->ctx, entry->d_name);
    closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    *ret_count = count;
    return names;
}

/* "3 d 4 h", "12 min", "40 s": two figures say enough. */
static char *age_text(const void *ctx, int64_t seconds)
{
    long long s = seconds < 0 ? 0 : seconds;
    if (s >= 86400)
        return mem_printf(ctx, "%lld d %lld h", s / 86400, s % 86400 / 3600);
    if (s >= 3600)
        return mem_printf(ctx, "%lld h %lld min", s / 3600, s % 3600 / 60);
    return s >= 60 ? mem_printf(ctx, "%lld min", s / 60) : mem_printf(ctx, "%lld s", s);
}

static uint64_t sum_errors(const void *ctx, const char *metrics)
{
    size_t count;
    uint64_t sum = 0;
    const struct exposition_error *errors = exposition_errors(ctx, metrics, &count);
    for (size_t i = 0; i < count; i++)
        sum += errors[i].count;
    return sum;
}

/* Requests per second since the last look; -1 at the first. */
static double rate(struct status *status, const char *instance, uint64_t requests)
{
    int64_t now = clock_monotonic_us();
    double found = -1;
    size_t i = 0;
    while (i < status->before_count && strcmp(status->before[i].instance, instance) != 0)
        i++;
    if (i == status->before_count) {
        status->before = mem_grow(status->app->ctx, status->before, struct before, ++status->before_count);
        status->before[i].instance = mem_strdup(status->app->ctx, instance);
    } else if (requests >= status->before[i].requests) {
        found = (double)(requests - status->before[i].requests) * 1e6 / (double)(now - status->before[i].at_us);
    }
    status->before[i].requests = requests;
    status->before[i].at_us = now;
    return found;
}

/* "ready", or "draining", "there is no signing key of ES256 yet": what /.ready says after "not ready: ". */
static const char *state_of(const struct status *status, const char *socket)
{
    static const char prefix[] = "not ready: ";
    char *body;
    int code;
    if (operator_socket_get(status->ctx, socket, "/.ready", &code, &body) != OP_OK)
        return "silent";
    body[strcspn(body, "\n")] = '\0';
    return strncmp(body, prefix, sizeof prefix - 1) == 0 ? body + sizeof prefix - 1 : body;
}

static void set_figures(struct status *status, json_t *row, const char *instance, const char *metrics)
{
    struct exposition_requests requests = exposition_requests(metrics);
    double per_second = rate(status, instance, requests.all);
    int64_t started = (int64_t)exposition_value(metrics, "partita_start_time_seconds");
    json_set_string(row, "version", exposition_label(status->ctx, metrics, "partita_build_info", "version"));
    json_set_string(row, "age", age_text(status->ctx, clock_now() - started));
    json_set_int(row, "requests", (int64_t)requests.all);
    if (per_second >= 0)
        json_set_int(row, "per_second", (int64_t)(per_second + 0.5));
    json_set_int(row, "5xx", (int64_t)requests.server_errors);
    json_set_int(row, "errors", (int64_t)sum_errors(status->ctx, metrics));
    json_set_string(row, "p99", mem_printf(status->ctx, "%g ms", exposition_quantile(metrics, 0.99) * 1000));
    json_set_string(row, "memory", mem_printf(status->ctx, "%.1f MiB",
                                              exposition_value(metrics, "partita_memory_pss_anon_bytes") / (1 << 20)));
}

static json_t *look_at(struct status *status, const char *instance)
{
    const char *socket = mem_printf(status->ctx, "%s/%s/socket", status->dir, instance);
    json_t *row = json_make_object(status->ctx);
    char *metrics;
    int code;
    json_set_string(row, "instance", instance);
    json_set_string(row, "state", state_of(status, socket));
    if (operator_socket_get(status->ctx, socket, "/.metrics", &code, &metrics) == OP_OK && code == 200)
        set_figures(status, row, instance, metrics);
    return row;
}

static int show_all(struct status *status)
{
    size_t count;
    const char **names = instance_names(status, &count);
    if (names == NULL)
        return app_fail("%s: %s: does Partita run here, and as units or by deploy/up (--admin-dir)?", status->dir,
                        strerror(errno));
    json_t *array = json_make_array(status->ctx);
    for (size_t i = 0; i < count; i++)
        json_array_append(array, look_at(status, names[i]));
    return app_list(status->app, array, COLUMNS);
}

static struct status begin(struct app *app)
{
    const char *dir = cli_value(&app->line, "admin-dir");
    return (struct status){.app = app, .dir = dir == NULL ? ADMIN_DIR : dir, .ctx = app->ctx};
}

static int run_status(struct app *app)
{
    struct status status = begin(app);
    return show_all(&status);
}

static int run_top(struct app *app)
{
    static const char clear[] = "\033[H\033[2J";
    struct status status = begin(app);
    const struct timespec pause = {.tv_sec = REFRESH_S};
    for (;;) {
        status.ctx = mem_root("top");
        if (!app->json)
            fputs(clear, stdout);
        int result = show_all(&status);
        talloc_free(status.ctx);
        if (fflush(stdout) != 0 || result != APP_OK)
            return result;
        nanosleep(&pause, NULL);
    }
}

static const struct cli_option OPTIONS[] = {
    {"admin-dir", "DIR", false, "where the instances have their operator's sockets (default /run/partita-admin)", NULL},
};

const struct cli_command STATUS_COMMANDS[] = {
    {"status", NULL, CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(OPTIONS), .run = run_status,
     .help = "Show every instance that runs here: version, state, age, requests, errors, latency, memory."},
    {"top", NULL, CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(OPTIONS), .run = run_top,
     .help = "Keep opctl status on the screen, with requests per second."},
    {0},
};
