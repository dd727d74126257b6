#include "audit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "file.h"
#include "runtime/settings.h"

enum { SUDO_USER_MAX = 64, OBJECT_MAX = 512, LOGIN_UID_NONE = -1 };

static const char DEFAULT_DIR[] = "/var/log/partita/audit";

/* --- is it one --- */

static bool writes_stores(const struct cli_command *command)
{
    for (size_t i = 0; i < command->store_count; i++)
        if (command->stores[i].write)
            return true;
    return false;
}

bool audit_is_change(const struct cli_line *line)
{
    const struct cli_command *command = line->command;
    if (cli_has(line, "dry-run") || cli_has(line, "verify"))
        return false;
    if (command->changes == NULL)
        return writes_stores(command);
    return *command->changes == '\0' || cli_has(line, command->changes);
}

/* --- who --- */

/* The user that logged in, which neither su nor sudo changes; -1: unknown. */
static long login_uid(const void *ctx)
{
    const char *why;
    char *text;
    uint64_t uid;
    if (file_read_text(ctx, "/proc/self/loginuid", 32, &text, &why) != OP_OK)
        return LOGIN_UID_NONE;
    bool known = num_parse_u64(bytes_from(text, strspn(text, "0123456789")), UINT32_MAX - 1, &uid) == OP_OK;
    return known ? (long)uid : LOGIN_UID_NONE;
}

static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(text);
    return len > 0 && len <= SUDO_USER_MAX && strspn(text, allowed) == len;
}

static const char *actor(const void *ctx)
{
    struct buf out = buf_make(ctx);
    long login = login_uid(ctx);
    const char *sudo = getenv("SUDO_USER");
    buf_printf(&out, "uid:%u", (unsigned)getuid());
    if (login != LOGIN_UID_NONE)
        buf_printf(&out, " login:%ld", login);
    if (sudo != NULL && is_name(sudo))
        buf_printf(&out, " sudo:%s", sudo);
    return buf_string(&out);
}

/* --- what --- */

static const char *operation(const void *ctx, const struct cli_command *command)
{
    char *name = command->verb == NULL ? mem_strdup(ctx, command->noun)
                                       : mem_printf(ctx, "%s_%s", command->noun, command->verb);
    for (char *at = name; *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
    return name;
}

/* The options of the command's own; values only where they are words of a table. */
static const char *changed(const void *ctx, const struct cli_line *line)
{
    const struct cli_command *command = line->command;
    struct buf out = buf_make(ctx);
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        if (!cli_has(line, option->name))
            continue;
        buf_printf(&out, "%s%s", out.len == 0 ? "" : " ", option->name);
        if (option->choices != NULL)
            buf_printf(&out, "=%s", cli_value(line, option->name));
    }
    return out.len == 0 ? NULL : buf_string(&out);
}

static bool takes(const struct cli_command *command, const char *word)
{
    return strstr(command->arguments, word) != NULL;
}

/* NAME of an account: what somebody typed. */
static bool takes_person(const struct cli_command *command)
{
    return strncmp(command->arguments, "NAME", 4) == 0;
}

static const char *all_arguments(const void *ctx, const struct cli_line *line)
{
    struct buf out = buf_make(ctx);
    for (size_t i = 0; i < line->argument_count; i++) {
        if (out.len + strlen(line->arguments[i]) > OBJECT_MAX) {
            buf_add(&out, " ...");
            break;
        }
        buf_printf(&out, "%s%s", i == 0 ? "" : " ", line->arguments[i]);
    }
    return out.len == 0 ? NULL : buf_string(&out);
}

static void describe_object(const struct app *app, struct audit_facts *facts)
{
    const struct cli_line *line = &app->line;
    const char *last = line->argument_count == 0 ? NULL : line->arguments[line->argument_count - 1];
    if (last != NULL && takes(line->command, "CLIENT_ID"))
        facts->client_id = last;
    else if (last != NULL && takes(line->command, "[SID") && line->argument_count == 1)
        facts->sid = last;
    if (facts->object == NULL && !takes_person(line->command) && !takes(line->command, "CLIENT_ID"))
        facts->object = all_arguments(app->ctx, line);
}

/* --- the line --- */

/* Of commands that read no configuration: nothing that is wrong with it keeps them from being run. */
static const char *directory(const struct app *app)
{
    struct conf_source source = {.path = cli_value(&app->line, "config")};
    char *problems, *warnings;
    if (settings.audit_dir != NULL)
        return settings.audit_dir;
    if (source.path == NULL)
        source.path = APP_DEFAULT_CONFIG;
    source.overrides = cli_values(app->ctx, &app->line, "set", &source.override_count);
    if (conf_read(app->ctx, &source, &SETTINGS_SECTION, 1, &problems, &warnings) == OP_OK)
        return settings.audit_dir;
    return DEFAULT_DIR;
}

int audit_begin(struct app *app)
{
    const struct cli_command *command = app->line.command;
    const char *why;
    bool reads_settings = command->needs_settings || command->store_count > 0;
    enum op_err err = audit_open(app->ctx, directory(app), "opctl", 0, &why);
    if (err == OP_OK)
        return APP_OK;
    app_fail("%s", why);
    return err == OP_FULL || !reads_settings ? APP_OK : APP_FAILED;
}

void audit_end(struct app *app, int status)
{
    struct audit_facts *facts = app->facts;
    facts->actor = actor(app->ctx);
    facts->operation = operation(app->ctx, app->line.command);
    facts->changed = changed(app->ctx, &app->line);
    facts->result = status == APP_OK ? "done" : "failed";
    if (status != APP_OK)
        facts->reason = mem_printf(app->ctx, "exit status %d", status);
    describe_object(app, facts);
    const char *why = audit_append(AUDIT_ADMINISTRATION, facts);
    if (why != NULL)
        app_fail("the audit trail does not know of this: %s", why);
    audit_close();
}

/* --- the list of names --- */

static int run_events(struct app *app)
{
    static const char *const columns[] = {"event", "meaning", NULL};
    json_t *events = json_make_array(app->ctx);
    for (unsigned event = 0; event < AUDIT_EVENT_COUNT; event++) {
        json_t *row = json_make_object(app->ctx);
        json_set_string(row, "event", audit_name((enum audit_event)event));
        json_set_string(row, "meaning", audit_meaning((enum audit_event)event));
        json_array_append(events, row);
    }
    return app_list(app, events, columns);
}

const struct cli_command AUDIT_COMMANDS[] = {
    {"audit", "events", CLI_ARGUMENTS("", 0, 0), .run = run_events,
     .help = "List the names of the events in the audit trail, and what each of them says."},
    {0},
};
