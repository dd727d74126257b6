#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "base/clock.h"
#include "exposition.h"
#include "print.h"
#include "running.h"

enum { REFRESH_S = 1, SCREEN_WIDTH = 80 };

/* The terminal's eighty columns hold them. */
static const char *const STATUS_COLUMNS[] = {"instance", "version", "state", "age", "requests", "5xx", "errors", "p99",
                                             "memory", NULL};
static const char *const TOP_COLUMNS[] = {"instance", "version", "state", "age", "req/s", "5xx", "errors", "p99",
                                          "memory", NULL};

/* What one instance said the time before. */
struct before {
    char *instance, *metrics;
    int64_t at_us;
};

struct status {
    struct app *app;
    bool is_top;
    void *ctx; /* of one look */
    struct before *before;
    size_t before_count;
};

/* What is shown of an instance that told its metrics. */
struct figures {
    char *version;
    int64_t age;
    uint64_t requests, server_errors, errors, memory;
    double per_second; /* since the look before; -1: this is the first */
    double p99;        /* seconds, since then or since it started; -1: there were no requests */
};

/* --- looking --- */

static uint64_t sum_errors(const void *ctx, const char *metrics)
{
    size_t count;
    uint64_t sum = 0;
    const struct exposition_error *errors = exposition_errors(ctx, metrics, &count);
    for (size_t i = 0; i < count; i++)
        sum += errors[i].count;
    return sum;
}

static struct before *before_of(struct status *status, const char *instance)
{
    for (size_t i = 0; i < status->before_count; i++)
        if (strcmp(status->before[i].instance, instance) == 0)
            return &status->before[i];
    status->before = mem_grow(status->app->ctx, status->before, struct before, status->before_count + 1);
    struct before *fresh = &status->before[status->before_count++];
    *fresh = (struct before){.instance = mem_strdup(status->app->ctx, instance)};
    return fresh;
}

/* What happened since the look before, which this one then is. */
static void measure_interval(struct status *status, const struct running_instance *instance, struct figures *figures)
{
    struct before *before = before_of(status, instance->name);
    int64_t now = clock_monotonic_us();
    if (before->metrics != NULL) {
        uint64_t then = exposition_requests(before->metrics).all;
        uint64_t grown = figures->requests >= then ? figures->requests - then : figures->requests;
        figures->per_second = (double)grown * 1e6 / (double)(now - before->at_us);
        figures->p99 = exposition_quantile(before->metrics, instance->metrics, 0.99);
    }
    talloc_free(before->metrics);
    before->metrics = mem_strdup(status->app->ctx, instance->metrics);
    before->at_us = now;
}

static struct figures figures_of(struct status *status, const struct running_instance *instance)
{
    const char *text = instance->metrics;
    struct exposition_requests requests = exposition_requests(text);
    int64_t age = clock_now() - (int64_t)exposition_value(text, "partita_start_time_seconds");
    struct figures figures = {
        .version = exposition_label(status->ctx, text, "partita_build_info", "version"),
        .age = age < 0 ? 0 : age,
        .requests = requests.all,
        .server_errors = requests.server_errors,
        .errors = sum_errors(status->ctx, text),
        .memory = (uint64_t)exposition_value(text, "partita_memory_pss_anon_bytes"),
        .per_second = -1,
        .p99 = exposition_quantile("", text, 0.99),
    };
    if (status->is_top)
        measure_interval(status, instance, &figures);
    return figures;
}

/* --- showing --- */

/* "3d4h", "12min", "40s": two figures say enough. */
static char *age_text(const void *ctx, int64_t s)
{
    if (s >= 86400)
        return mem_printf(ctx, "%lldd%lldh", (long long)s / 86400, (long long)s % 86400 / 3600);
    if (s >= 3600)
        return mem_printf(ctx, "%lldh%lldm", (long long)s / 3600, (long long)s % 3600 / 60);
    return s >= 60 ? mem_printf(ctx, "%lldmin", (long long)s / 60) : mem_printf(ctx, "%llds", (long long)s);
}

/* At most five characters: "99999", "123k", "45M". */
static char *count_text(const void *ctx, uint64_t count)
{
    unsigned long long n = count;
    if (n < 100000)
        return mem_printf(ctx, "%llu", n);
    if (n < 10000000)
        return mem_printf(ctx, "%lluk", n / 1000);
    return n < 10000000000 ? mem_printf(ctx, "%lluM", n / 1000000) : mem_printf(ctx, "%lluG", n / 1000000000);
}

static char *seconds_text(const void *ctx, double seconds)
{
    if (seconds < 0)
        return mem_strdup(ctx, "-");
    return seconds < 1 ? mem_printf(ctx, "%gms", seconds * 1000) : mem_printf(ctx, "%gs", seconds);
}

static char *memory_text(const void *ctx, uint64_t bytes)
{
    double mib = (double)bytes / (1 << 20);
    return mib < 1000 ? mem_printf(ctx, "%.1fM", mib) : mem_printf(ctx, "%.1fG", mib / 1024);
}

/* For people: a row of the table. */
static json_t *line_of(struct status *status, const struct running_instance *instance)
{
    void *ctx = status->ctx;
    json_t *row = json_make_object(ctx);
    json_set_string(row, "instance", instance->name);
    json_set_string(row, "state", instance->state);
    if (instance->metrics == NULL)
        return row;
    struct figures figures = figures_of(status, instance);
    json_set_string(row, "version", figures.version);
    json_set_string(row, "age", age_text(ctx, figures.age));
    json_set_string(row, "requests", count_text(ctx, figures.requests));
    if (figures.per_second >= 0)
        json_set_string(row, "req/s", count_text(ctx, (uint64_t)(figures.per_second + 0.5)));
    json_set_string(row, "5xx", count_text(ctx, figures.server_errors));
    json_set_string(row, "errors", count_text(ctx, figures.errors));
    json_set_string(row, "p99", seconds_text(ctx, figures.p99));
    json_set_string(row, "memory", memory_text(ctx, figures.memory));
    return row;
}

static void set_real(json_t *row, const void *ctx, const char *name, double value)
{
    if (value >= 0)
        json_set(row, name, json_own(ctx, json_real(value)));
}

/* For programs: numbers in seconds and bytes. */
static json_t *object_of(struct status *status, const struct running_instance *instance)
{
    json_t *row = json_make_object(status->ctx);
    json_set_string(row, "instance", instance->name);
    json_set_string(row, "server", instance->server);
    json_set_string(row, "state", instance->state);
    if (*instance->why != '\0')
        json_set_string(row, "why", instance->why);
    json_set_bool(row, "ready", instance->ready);
    json_set_bool(row, "draining", instance->draining);
    if (instance->metrics == NULL)
        return row;
    struct figures figures = figures_of(status, instance);
    json_set_string(row, "version", figures.version);
    json_set_int(row, "age", figures.age);
    json_set_int(row, "requests", (int64_t)figures.requests);
    set_real(row, status->ctx, "per_second", figures.per_second);
    json_set_int(row, "5xx", (int64_t)figures.server_errors);
    json_set_int(row, "errors", (int64_t)figures.errors);
    set_real(row, status->ctx, "p99", figures.p99);
    json_set_int(row, "memory", (int64_t)figures.memory);
    return row;
}

static void show_lines(struct status *status, const struct running_instance *instances, size_t count)
{
    json_t *rows = json_make_array(status->ctx);
    for (size_t i = 0; i < count; i++)
        json_array_append(rows, line_of(status, &instances[i]));
    print_table_within(rows, status->is_top ? TOP_COLUMNS : STATUS_COLUMNS, SCREEN_WIDTH);
    for (size_t i = 0; i < count; i++)
        if (*instances[i].why != '\0')
            printf("%s: %s\n", instances[i].name,
                   print_text(status->ctx, json_own(status->ctx, json_string_nocheck(instances[i].why))));
    if (count == 0)
        printf("no instance runs: %s is empty\n", running_directory(&status->app->line));
}

static void show_objects(struct status *status, const struct running_instance *instances, size_t count)
{
    json_t *rows = json_make_array(status->ctx);
    for (size_t i = 0; i < count; i++)
        json_array_append(rows, object_of(status, &instances[i]));
    if (status->is_top)
        print_json_line(rows);
    else
        print_json(rows);
}

static int show_all(struct status *status)
{
    struct running_instance *instances;
    size_t count;
    const char *directory = running_directory(&status->app->line);
    if (running_look(status->ctx, directory, &instances, &count) != OP_OK)
        return app_fail("%s: %s: does Partita run here, and as units or by deploy/up (--admin-dir)?", directory,
                        strerror(errno));
    if (status->app->json)
        show_objects(status, instances, count);
    else
        show_lines(status, instances, count);
    return APP_OK;
}

static int run_status(struct app *app)
{
    struct status status = {.app = app, .ctx = app->ctx};
    return show_all(&status);
}

static int run_top(struct app *app)
{
    struct status status = {.app = app, .is_top = true};
    const struct timespec pause = {.tv_sec = REFRESH_S};
    bool on_screen = !app->json && isatty(STDOUT_FILENO) == 1;
    for (;;) {
        status.ctx = mem_root("top");
        if (on_screen)
            fputs("\033[H\033[2J", stdout); /* to the first line, and nothing below */
        int result = show_all(&status);
        talloc_free(status.ctx);
        if (fflush(stdout) != 0 || result != APP_OK)
            return result;
        nanosleep(&pause, NULL);
    }
}

static const struct cli_option OPTIONS[] = {
    RUNNING_OPTIONS,
};

const struct cli_command STATUS_COMMANDS[] = {
    {"status", NULL, CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(OPTIONS), .run = run_status,
     .help = "Show every instance that runs here: version, state (ready, draining, not ready, silent), age, requests, 5xx, "
             "errors that answers named, 99th percentile of latency since it started, memory of its own."},
    {"top", NULL, CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(OPTIONS), .run = run_top,
     .help = "Keep opctl status on the screen, with requests per second and latency since the look before, a second ago; "
             "with --json a line a look."},
    {0},
};
