#include "import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "import_csv.h"
#include "import_json.h"
#include "import_store.h"
#include "print.h"
#include "runtime/settings.h"

enum {
    BATCH_ROWS = 500,
    BATCH_BYTES = 4 * 1024 * 1024, /* of the file */
    USERS_MAX = 1000000,           /* of one file: their names are kept, to find those that come twice */
};

struct import {
    const struct app *app;
    const char *name; /* of the file, for people */
    struct import_source source;
    bool is_csv, dry_run;
    struct import_rules rules;
    struct csv_row header;
    struct import_json json;
    struct import_batch batch;
    void *arena; /* of the batch */
    size_t batch_bytes, read, counts[IMPORT_OUTCOMES];
    json_t *seen_names, *seen_subs; /* each with its line */
    json_t *problems, *notes;
};

static const char *const OUTCOMES[IMPORT_OUTCOMES] = {"added", "updated", "completed", "unchanged", "skipped", "refused"};

/* --- what is said of single users --- */

static void say(const struct import *import, json_t *list, size_t line, const char *username, const char *what)
{
    json_t *object = json_make_object(import->app->ctx);
    json_set_int(object, "line", (int64_t)line);
    json_set_string(object, "username", username);
    json_set_string(object, "what", what);
    json_array_append(list, object);
    void *scratch = mem_root("say");
    app_fail("%s:%zu: %s%s%s%s", import->name, line, username == NULL ? "" : "user ",
             username == NULL ? "" : print_text(scratch, json_object_get(object, "username")),
             username == NULL ? "" : ": ", print_text(scratch, json_object_get(object, "what")));
    talloc_free(scratch);
}

static void refuse(struct import *import, size_t line, const char *username, const char *why)
{
    import->counts[IMPORT_REFUSED]++;
    say(import, import->problems, line, username, why);
}

/* --- a batch --- */

static void start_batch(struct import *import)
{
    talloc_free(import->arena);
    import->arena = talloc_new(import->app->ctx);
    import->batch.ctx = import->arena;
    import->batch.items = mem_array(import->arena, struct import_item, BATCH_ROWS);
    import->batch.count = import->batch_bytes = 0;
}

static enum op_err run_batch(struct import *import)
{
    if (import->dry_run)
        return app_read(import->app, import_decide, &import->batch);
    enum op_err err = app_write(import->app, KV_USERS, import_write_users, &import->batch);
    return err != OP_OK ? err : app_write(import->app, KV_CREDENTIALS, import_write_passwords, &import->batch);
}

static void count_item(struct import *import, const struct import_item *item)
{
    const struct import_row *row = &item->row;
    if (item->outcome == IMPORT_REFUSED) {
        refuse(import, row->line, row->username, item->why);
        return;
    }
    import->counts[item->outcome]++;
    if (item->outcome == IMPORT_ADDED || item->outcome == IMPORT_UPDATED)
        for (size_t i = 0; i < row->note_count; i++)
            say(import, import->notes, row->line, row->username, row->notes[i]);
}

static int flush(struct import *import)
{
    if (import->batch.count == 0)
        return APP_OK;
    enum op_err err = run_batch(import);
    if (err != OP_OK) {
        const struct import_item *items = import->batch.items;
        return app_fail_store(err, mem_printf(import->app->ctx, "users of lines %zu to %zu", items[0].row.line,
                                              items[import->batch.count - 1].row.line));
    }
    for (size_t i = 0; i < import->batch.count; i++)
        count_item(import, &import->batch.items[i]);
    start_batch(import);
    return APP_OK;
}

/* --- a user --- */

static char *folded(const void *ctx, const char *username)
{
    char *copy = mem_strdup(ctx, username);
    for (char *p = copy; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return copy;
}

/* True when it was seen before, on *ret_line. */
static bool is_seen(json_t *seen, const char *key, size_t line, size_t *ret_line)
{
    const json_t *before = json_object_get(seen, key);
    if (before != NULL)
        *ret_line = (size_t)json_integer_value(before);
    else
        json_set_int(seen, key, (int64_t)line);
    return before != NULL;
}

static void add(struct import *import, const struct import_row *row)
{
    size_t line;
    const char *which = NULL;
    if (is_seen(import->seen_names, folded(import->arena, row->username), row->line, &line))
        which = "this username";
    else if (row->sub != NULL && is_seen(import->seen_subs, row->sub, row->line, &line))
        which = "this id";
    if (which != NULL)
        refuse(import, row->line, row->username, mem_printf(import->arena, "%s stands on line %zu already", which, line));
    else
        import->batch.items[import->batch.count++].row = *row;
}

static enum op_err next_json(struct import *import, struct import_row *ret, const char **ret_why)
{
    struct bytes text;
    json_t *object;
    enum op_err err = import_json_next(&import->json, import->arena, &text, ret_why);
    if (err != OP_OK)
        return err;
    import->batch_bytes += text.len;
    err = json_read(import->arena, text, &object);
    if (err == OP_INVALID)
        *ret_why = "it is not JSON, or names a member twice";
    return err != OP_OK ? err : import_row_read(import->arena, object, &import->rules, ret, ret_why);
}

static enum op_err next_csv(struct import *import, struct import_row *ret, const char **ret_why)
{
    struct csv_row row;
    enum op_err err = csv_read(&import->source, import->arena, &row, ret_why);
    if (err != OP_OK)
        return err;
    for (size_t i = 0; i < row.count; i++)
        import->batch_bytes += strlen(row.fields[i]);
    return import_row_read_csv(import->arena, &import->header, &row, &import->rules, ret, ret_why);
}

/* OP_ABSENT: the file has ended. A user that cannot be read is said and counted. */
static enum op_err next(struct import *import)
{
    struct import_row row;
    const char *why = "it is longer than 256 KiB, or nested deeper than 32";
    enum op_err err = import->is_csv ? next_csv(import, &row, &why) : next_json(import, &row, &why);
    if (err == OP_ABSENT)
        return err;
    import->read++;
    if (err == OP_OK) {
        row.line = import->source.record_line;
        add(import, &row);
    } else if (err == OP_DENIED) {
        import->counts[IMPORT_SKIPPED]++;
        say(import, import->notes, import->source.record_line, NULL, why);
    } else {
        refuse(import, import->source.record_line, NULL, why);
    }
    if (import->json.broken)
        say(import, import->problems, import->source.record_line, NULL, "what follows is not read");
    return OP_OK;
}

static int read_all(struct import *import)
{
    int status = APP_OK;
    start_batch(import);
    while (status == APP_OK && next(import) == OP_OK) {
        if (import->read > USERS_MAX)
            status = app_fail("%s holds more than %d users: split it", import->name, USERS_MAX);
        else if (import->batch.count == BATCH_ROWS || import->batch_bytes > BATCH_BYTES)
            status = flush(import);
    }
    if (status == APP_OK)
        status = flush(import);
    if (status == APP_OK && ferror(import->source.file))
        return app_fail("%s cannot be read: %s", import->name, strerror(errno));
    return status;
}

/* --- the verb --- */

static int start_reading(struct import *import)
{
    const char *format = cli_value(&import->app->line, "format"), *why;
    int first = import_skip_space(&import->source);
    if (first == EOF && ferror(import->source.file))
        return app_fail("%s cannot be read: %s", import->name, strerror(errno));
    import->is_csv = format == NULL ? first != '{' && first != '[' : strcmp(format, "csv") == 0;
    import_json_start(&import->json, &import->source);
    if (!import->is_csv || first == EOF)
        return APP_OK;
    enum op_err err = csv_read(&import->source, import->app->ctx, &import->header, &why);
    if (err == OP_OK)
        err = import_row_check_header(import->app->ctx, &import->header, &why);
    return err == OP_OK ? APP_OK : app_fail("%s:1: %s", import->name, why);
}

static int report(const struct import *import)
{
    const struct app *app = import->app;
    json_t *object = json_make_object(app->ctx);
    struct buf sentence = buf_make(app->ctx);
    json_set_bool(object, "dry_run", import->dry_run);
    json_set_int(object, "read", (int64_t)import->read);
    buf_printf(&sentence, "%zu users read: ", import->read);
    for (size_t i = 0; i < IMPORT_OUTCOMES; i++) {
        json_set_int(object, OUTCOMES[i], (int64_t)import->counts[i]);
        buf_printf(&sentence, "%s%zu %s", i == 0 ? "" : ", ", import->counts[i], OUTCOMES[i]);
    }
    json_set(object, "problems", import->problems);
    json_set(object, "notes", import->notes);
    if (import->dry_run)
        buf_add(&sentence, " (this is what would be; nothing was written)");
    return app_say(app, object, "%s", buf_string(&sentence));
}

static int run_from(struct import *import)
{
    int status = start_reading(import);
    if (status == APP_OK)
        status = read_all(import);
    if (status != APP_OK)
        return status;
    if (import->counts[IMPORT_UPDATED] > 0 && !import->dry_run)
        app_wait_until(app_since()); /* whoever was signed out may sign in again */
    report(import);
    return json_array_size(import->problems) == 0 ? APP_OK : APP_FAILED;
}

static enum import_existing existing_of(const struct app *app)
{
    const char *value = cli_value(&app->line, "existing");
    return value == NULL ? IMPORT_REFUSE : strcmp(value, "skip") == 0 ? IMPORT_SKIP : IMPORT_UPDATE;
}

static int run_import(struct app *app)
{
    const char *path = app->line.arguments[0];
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (file == NULL)
        return app_fail("%s cannot be read: %s", path, strerror(errno));
    struct import import = {
        .app = app,
        .name = standard ? "standard input" : path,
        .dry_run = cli_has(&app->line, "dry-run"),
        .rules = {
            .keep_ids = cli_has(&app->line, "keep-ids"),
            .memory_max_kib = (uint32_t)(settings.imported_password_memory / 1024),
        },
        .batch = {.existing = existing_of(app)},
        .seen_names = json_make_object(app->ctx),
        .seen_subs = json_make_object(app->ctx),
        .problems = json_make_array(app->ctx),
        .notes = json_make_array(app->ctx),
    };
    import_source_start(&import.source, file);
    int status = run_from(&import);
    if (!standard)
        fclose(file);
    return status;
}

static const char *const FORMATS[] = {"csv", "json", NULL};
static const char *const EXISTING[] = {"skip", "update", NULL};

static const struct cli_option IMPORT_OPTIONS[] = {
    {"format", "FORMAT", false, "what the file is; else its first character tells", FORMATS},
    {"dry-run", NULL, false, "say what would become of each user, and write nothing", NULL},
    {"keep-ids", NULL, false, "the users' ids in the file become their sub, so that applications know them again", NULL},
    {"existing", "WHAT", false, "what to do with a user who is there and differs, instead of refusing that line", EXISTING},
};

static const struct kv_store IMPORT_STORES[] = {{KV_USERS, true}, {KV_CREDENTIALS, true}};

const struct cli_command IMPORT_COMMANDS[] = {
    {"import", NULL, CLI_ARGUMENTS("FILE", 1, 1), CLI_OPTIONS(IMPORT_OPTIONS), CLI_STORES(IMPORT_STORES),
     .run = run_import,
     .help = "Add the users of another provider, with their password hashes, from a file (- for standard input): JSON, "
             "CSV or a realm's export of Keycloak."},
    {0},
};
