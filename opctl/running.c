#include "running.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "operator_socket.h"

enum { INSTANCES_MAX = 512, WAIT_MS = 2000 };

const char *running_directory(const struct cli_line *line)
{
    const char *given = cli_value(line, "admin-dir");
    return given == NULL ? "/run/partita-admin" : given;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_instance(const char *name)
{
    const char *at = strchr(name, '@');
    return strncmp(name, "op-", 3) == 0 && at != NULL && at[1] != '\0' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-@")] == '\0';
}

/* The names below the directory, sorted; NULL: it cannot be read. */
static const char **names_in(const void *ctx, const char *directory, size_t *ret_count)
{
    DIR *dir = opendir(directory);
    if (dir == NULL)
        return NULL;
    const char **names = mem_array(ctx, const char *, INSTANCES_MAX);
    size_t count = 0;
    for (struct dirent *entry; count < INSTANCES_MAX && (entry = readdir(dir)) != NULL;)
        if (is_instance(entry->d_name))
            names[count++] = mem_strdup(ctx, entry->d_name);
    closedir(dir);
    qsort(names, count, sizeof *names, by_name);
    *ret_count = count;
    return names;
}

/* What /.ready says: "ready", or "not ready: draining" and the like. */
static void judge(struct running_instance *instance, const struct operator_question *ready)
{
    static const char prefix[] = "not ready: ";
    instance->state = "silent";
    instance->why = ready->err == OP_ABSENT ? "nobody listens on its socket" : "it does not answer";
    if (ready->err != OP_OK)
        return;
    ready->body[strcspn(ready->body, "\n")] = '\0';
    instance->ready = ready->status == 200;
    instance->why = strncmp(ready->body, prefix, sizeof prefix - 1) == 0 ? ready->body + sizeof prefix - 1 : "";
    instance->draining = strcmp(instance->why, "draining") == 0;
    instance->state = instance->ready ? "ready" : instance->draining ? "draining" : "not ready";
    if (instance->draining)
        instance->why = "";
}

enum op_err running_look(const void *ctx, const char *directory, struct running_instance **ret, size_t *ret_count)
{
    size_t count;
    const char **names = names_in(ctx, directory, &count);
    if (names == NULL)
        return OP_ABSENT;
    struct operator_question *questions = mem_array(ctx, struct operator_question, 2 * count + 1);
    for (size_t i = 0; i < 2 * count; i++) {
        questions[i].socket_path = mem_printf(ctx, "%s/%s/socket", directory, names[i / 2]);
        questions[i].path = i % 2 == 0 ? "/.ready" : "/.metrics";
    }
    operator_socket_ask(ctx, questions, 2 * count, WAIT_MS);
    struct running_instance *instances = mem_array(ctx, struct running_instance, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct operator_question *metrics = &questions[2 * i + 1];
        instances[i].name = names[i];
        instances[i].server = mem_strndup(ctx, names[i], strcspn(names[i], "@"));
        judge(&instances[i], &questions[2 * i]);
        if (metrics->err == OP_OK && metrics->status == 200)
            instances[i].metrics = metrics->body;
    }
    *ret = instances;
    *ret_count = count;
    return OP_OK;
}
