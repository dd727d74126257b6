#include "runtime/arguments.h"

#include <string.h>

#include "base/buf.h"
#include "runtime/admin.h"
#include "runtime/measures.h"

static const char DEFAULT_CONFIG[] = "/etc/partita/partita.conf";

static void add_word(const void *ctx, char ***words, size_t *count, char *word)
{
    *words = mem_grow(ctx, *words, char *, *count + 1);
    (*words)[(*count)++] = word;
}

/* The value of --NAME VALUE or --NAME=VALUE; NULL: this argument is another, or its value is missing. */
static char *option_value(const char *name, int argc, char **argv, int *i)
{
    size_t len = strlen(name);
    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    return argv[*i][len] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

static bool read_mode(const char *word, enum arguments_mode *mode)
{
    if (strcmp(word, "--check-config") == 0)
        *mode = ARGUMENTS_CHECK_CONFIG;
    else if (strcmp(word, "--version") == 0)
        *mode = ARGUMENTS_VERSION;
    else if (strcmp(word, "--help") == 0)
        *mode = ARGUMENTS_HELP;
    else
        return false;
    return true;
}

enum op_err arguments_read(const void *ctx, int argc, char **argv, struct arguments *ret, const char **ret_why)
{
    struct arguments out = {.config = DEFAULT_CONFIG};
    for (int i = 1; i < argc; i++) {
        char *value;
        if (read_mode(argv[i], &out.mode))
            continue;
        if ((value = option_value("--config", argc, argv, &i)) != NULL) {
            out.config = value;
        } else if ((value = option_value("--set", argc, argv, &i)) != NULL) {
            add_word(ctx, &out.overrides, &out.override_count, value);
        } else if ((value = option_value("--listen", argc, argv, &i)) != NULL) {
            add_word(ctx, &out.listen, &out.listen_count, value);
        } else if ((value = option_value("--admin", argc, argv, &i)) != NULL) {
            out.admin = value;
        } else {
            *ret_why = mem_printf(ctx, "%s: no such option, or its value is missing; see --help", argv[i]);
            return OP_INVALID;
        }
    }
    *ret = out;
    return OP_OK;
}

static void add_route(const void *ctx, struct buf *out, const struct route *route)
{
    buf_printf(out, "  %s %s\n      %s\n      For %s", route_methods_text(ctx, route->methods), route->path, route->what,
               route_caller_text(route->caller));
    if (route->cors != CORS_NONE)
        buf_printf(out, ", also from %s", route_cors_text(route->cors));
    if (route->body_max != 0)
        buf_printf(out, "; takes up to %zu KiB", route->body_max / 1024);
    buf_add(out, ".\n");
}

static void add_routes(const void *ctx, struct buf *out, const struct server_description *d)
{
    buf_add(out, "Serves:\n");
    for (size_t i = 0; i < d->route_count; i++)
        add_route(ctx, out, &d->routes[i]);
    for (size_t i = 0; i < ADMIN_ROUTE_COUNT + ADMIN_ONLY_ROUTE_COUNT; i++)
        add_route(ctx, out, &ADMIN_ROUTES[i]);
    buf_add(out, "\n");
}

static void add_metric(struct buf *out, const struct metric *metric)
{
    buf_printf(out, "  %s\n      %s\n      %s%s%s\n", metric->name, metric->help, metric_kind_name(metric),
               metric->labels == NULL ? "" : " by ", metric->labels == NULL ? "" : metric->labels);
}

static void add_metrics(struct buf *out, const struct server_description *d)
{
    buf_add(out, "Measures:\n");
    for (size_t i = 0; i < MEASURES_COUNT; i++)
        add_metric(out, &MEASURES[i]);
    if (d->metric_count != 0)
        buf_add(out, "\nMeasures of its own:\n");
    for (size_t i = 0; i < d->metric_count; i++)
        add_metric(out, &d->metrics[i]);
    buf_add(out, "\n");
}

static void add_stores(struct buf *out, const struct server_description *d)
{
    buf_add(out, "Environments:\n");
    for (size_t i = 0; i < d->store_count; i++)
        buf_printf(out, "  %s\n      %s, %s.\n", kv_env_name(d->stores[i].env), d->stores[i].write ? "writes" : "reads",
                   kv_env_is_volatile(d->stores[i].env) ? "volatile, in runtime_dir" : "durable, in state_dir");
    buf_add(out, "\n");
}

char *arguments_help(const void *ctx, const struct server_description *d)
{
    struct buf out = buf_make(ctx);
    buf_printf(&out, "%s - %s\n\n", d->name, d->purpose);
    buf_printf(&out, "Usage:\n  %s [--config FILE] [--set NAME=VALUE]... [--listen ADDRESS]... [--admin ADDRESS]\n",
               d->name);
    buf_printf(&out, "  %s [--config FILE] [--set NAME=VALUE]... --check-config\n  %s --version | --help\n\n", d->name,
               d->name);
    buf_printf(&out,
               "Options:\n"
               "  --config FILE\n      The configuration file; %s when absent.\n"
               "  --set NAME=VALUE\n      Overrides a setting of the file.\n"
               "  --listen ADDRESS\n      HOST:PORT or unix:PATH, beside the sockets handed over in LISTEN_FDS.\n"
               "  --admin ADDRESS\n      A socket of this one process for its operator (opctl status, opctl deploy,\n"
               "      Prometheus), which no balancer knows and which answers while the process drains.\n"
               "  --check-config\n      Judges the configuration and ends: 0, or 78 with every bad line. A setting\n"
               "      that no table knows is a bad line here, and only a warning at start.\n"
               "  --version\n      Prints the version, the release it follows, its build and the format of its records.\n"
               "  --help\n      Prints this.\n\n",
               DEFAULT_CONFIG);
    add_routes(ctx, &out, d);
    add_stores(&out, d);
    add_metrics(&out, d);
    struct conf_section sections[3] = {{d->name, d->conf, d->conf_count, false}, SETTINGS_SECTION};
    if (d->foreign_conf != NULL)
        sections[2] = *d->foreign_conf;
    buf_add(&out, conf_describe(ctx, sections, d->foreign_conf == NULL ? 2 : 3));
    buf_add(&out, "\nSignals:\n"
                  "  SIGTERM, SIGINT\n      Drain: accept nothing new, answer what was accepted, end.\n"
                  "      A second one ends at once.\n\n"
                  "Exit status:\n"
                  "  0\n      Drained.\n"
                  "  1\n      Something needed at start is missing or may not be opened; the log names it.\n"
                  "  64\n      Wrong usage.\n"
                  "  78\n      Bad configuration.\n");
    return buf_string(&out);
}
