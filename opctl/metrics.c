#include "metrics.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"
#include "base/buf.h"
#include "base/clock.h"
#include "exposition_merge.h"
#include "running.h"

enum { HEAD_MAX = 16384, HEAD_WAIT_MS = 5000 };

/* NULL: the directory cannot be read. */
static char *all_metrics(struct app *app)
{
    struct running_instance *instances;
    size_t count;
    if (running_look(app->ctx, running_directory(&app->line), &instances, &count) != OP_OK)
        return NULL;
    struct exposition_part *parts = mem_array(app->ctx, struct exposition_part, count + 1);
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct exposition_part){instances[i].server, instances[i].name, instances[i].metrics};
    return exposition_merge(app->ctx, parts, count);
}

/* --- one request on standard input, as systemd hands over a connection --- */

/* The head of a request, to its empty line; NULL: it did not come in time, or is too long. */
static const char *read_head(const void *ctx)
{
    struct buf head = buf_make(ctx);
    int64_t deadline = clock_monotonic_us() + HEAD_WAIT_MS * INT64_C(1000), left;
    while ((left = deadline - clock_monotonic_us()) > 0 && head.len < HEAD_MAX) {
        char part[4096];
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&in, 1, (int)(left / 1000) + 1) <= 0)
            continue;
        ssize_t got = read(STDIN_FILENO, part, sizeof part);
        if (got <= 0)
            return NULL;
        buf_add_bytes(&head, bytes_from(part, (size_t)got));
        if (strstr(buf_string(&head), "\r\n\r\n") != NULL)
            return buf_string(&head);
    }
    return NULL;
}

static void answer(const char *status, const char *body)
{
    printf("HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n"
           "Cache-Control: no-store\r\nConnection: close\r\n\r\n%s",
           status, strlen(body), body);
}

static int serve_one(struct app *app)
{
    const char *head = read_head(app->ctx);
    if (head == NULL)
        return APP_FAILED;
    if (strncmp(head, "GET /metrics ", 13) != 0) {
        answer("404 Not Found", "GET /metrics\n");
        return APP_OK;
    }
    char *text = all_metrics(app);
    answer("200 OK", text == NULL ? exposition_merge(app->ctx, NULL, 0) : text); /* where no instance ever ran */
    return APP_OK;
}

/* {"name": ..., "labels": {...}, "value": ...} of a line of exposition_merge, which is as strict as this is not. */
static json_t *sample_object(const void *ctx, char *line)
{
    json_t *sample = json_make_object(ctx), *labels = json_make_object(ctx);
    char *at = strchr(line, '{'), *value = strrchr(line, ' ');
    *at++ = '\0';
    while (*at != '}') {
        char *text = strchr(at, '"') + 1, *end = strchr(text, '"');
        text[-2] = *end = '\0';
        json_set_string(labels, at, text);
        at = end[1] == ',' ? end + 2 : end + 1;
    }
    json_set_string(sample, "name", line);
    json_set(sample, "labels", labels);
    json_set(sample, "value", json_own(ctx, json_real(strtod(value, NULL))));
    return sample;
}

static json_t *samples_array(const void *ctx, char *text)
{
    json_t *samples = json_make_array(ctx);
    for (char *line; (line = strsep(&text, "\n")) != NULL;)
        if (*line != '\0' && *line != '#')
            json_array_append(samples, sample_object(ctx, line));
    return samples;
}

static int run_metrics(struct app *app)
{
    if (cli_has(&app->line, "http"))
        return serve_one(app);
    char *text = all_metrics(app);
    if (text == NULL)
        return app_fail("%s: %s: does Partita run here, and as units or by deploy/up (--admin-dir)?",
                        running_directory(&app->line), strerror(errno));
    if (app->json)
        return app_list(app, samples_array(app->ctx, text), NULL);
    fputs(text, stdout);
    return APP_OK;
}

static const struct cli_option OPTIONS[] = {
    {"http", NULL, false, "answer one HTTP request for /metrics on standard input and output: partita-metrics.socket", NULL},
    RUNNING_OPTIONS,
};

const struct cli_command METRICS_COMMANDS[] = {
    {"metrics", NULL, CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(OPTIONS), .run = run_metrics,
     .help = "Print the metrics of every instance that runs here as one text for Prometheus, each with its server and "
             "instance."},
    {0},
};
