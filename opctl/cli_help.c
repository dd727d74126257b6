#include "cli_help.h"

#include <string.h>

static void add_option(struct buf *out, const struct cli_option *option)
{
    const char *value = option->value == NULL ? "" : option->value;
    char *left = mem_printf(out->ctx, "--%s%s%s", option->name, *value == '\0' ? "" : " ", value);
    buf_printf(out, "  %-38s %s", left, option->help);
    if (option->choices != NULL) {
        buf_add(out, ": ");
        for (size_t i = 0; option->choices[i] != NULL; i++)
            buf_printf(out, "%s%s", i == 0 ? "" : ", ", option->choices[i]);
    }
    buf_printf(out, "%s\n", option->repeated ? "; may be repeated" : "");
}

static void add_options(struct buf *out, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_option(out, &options[i]);
}

static void add_command(struct buf *out, const struct cli_command *command)
{
    char *left = mem_printf(out->ctx, "%s%s%s%s%s", command->noun, command->verb == NULL ? "" : " ",
                            command->verb == NULL ? "" : command->verb, command->arguments[0] == '\0' ? "" : " ",
                            command->arguments);
    buf_printf(out, "  %-38s %s\n", left, command->help);
}

static void help_command(struct buf *out, const struct cli *cli, const struct cli_command *command)
{
    buf_printf(out, "%s\n\n%s\n\n", cli_synopsis(out->ctx, cli, command), command->help);
    add_options(out, command->options, command->option_count);
    add_options(out, cli->options, cli->option_count);
}

static void help_nouns(struct buf *out, const struct cli *cli, const char *noun)
{
    if (noun == NULL)
        buf_printf(out, "%s COMMAND [ARGUMENT...] [OPTION...]\n\n%s\n\n", cli->name, cli->purpose);
    else
        buf_printf(out, "%s %s COMMAND [ARGUMENT...] [OPTION...]\n\n", cli->name, noun);
    for (size_t t = 0; cli->tables[t] != NULL; t++)
        for (const struct cli_command *c = cli->tables[t]; c->noun != NULL; c++)
            if (noun == NULL || strcmp(c->noun, noun) == 0)
                add_command(out, c);
    buf_add(out, "\n");
    add_options(out, cli->options, cli->option_count);
}

char *cli_help(const void *ctx, const struct cli *cli, const struct cli_line *line)
{
    struct buf out = buf_make(ctx);
    if (line->command != NULL)
        help_command(&out, cli, line->command);
    else
        help_nouns(&out, cli, line->noun);
    return buf_string(&out);
}

char *cli_synopsis(const void *ctx, const struct cli *cli, const struct cli_command *command)
{
    struct buf out = buf_make(ctx);
    buf_printf(&out, "%s %s", cli->name, command->noun);
    if (command->verb != NULL)
        buf_printf(&out, " %s", command->verb);
    if (command->arguments[0] != '\0')
        buf_printf(&out, " %s", command->arguments);
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        if (option->value == NULL)
            buf_printf(&out, " [--%s]", option->name);
        else
            buf_printf(&out, " [--%s %s]%s", option->name, option->value, option->repeated ? "..." : "");
    }
    return buf_string(&out);
}

/* --- completion --- */

static void offer(struct buf *out, const char *start, const char *word)
{
    if (strncmp(word, start, strlen(start)) == 0)
        buf_printf(out, "%s\n", word);
}

static void offer_options(struct buf *out, const char *start, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        offer(out, start, mem_printf(out->ctx, "--%s", options[i].name));
}

/* Nouns when noun is NULL, else its verbs. */
static void offer_names(struct buf *out, const struct cli *cli, const char *noun, const char *start)
{
    for (size_t t = 0; cli->tables[t] != NULL; t++) {
        const char *last = "";
        for (const struct cli_command *c = cli->tables[t]; c->noun != NULL; c++) {
            if (noun == NULL && strcmp(last, c->noun) != 0)
                offer(out, start, last = c->noun);
            else if (noun != NULL && strcmp(c->noun, noun) == 0 && c->verb != NULL)
                offer(out, start, c->verb);
        }
    }
}

static const struct cli_option *option_named(const struct cli_option *options, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, options[i].name) == 0)
            return &options[i];
    return NULL;
}

/* What the words before the last one have settled. */
struct position {
    const char *names[2]; /* noun and verb */
    const struct cli_command *command;
    const struct cli_option *open; /* an option that waits for its value */
};

static const struct cli_command *command_named(const struct cli *cli, const char *const names[2])
{
    for (size_t t = 0; cli->tables[t] != NULL; t++)
        for (const struct cli_command *c = cli->tables[t]; c->noun != NULL; c++)
            if (names[0] != NULL && strcmp(c->noun, names[0]) == 0 &&
                (c->verb == NULL || (names[1] != NULL && strcmp(c->verb, names[1]) == 0)))
                return c;
    return NULL;
}

static struct position find_position(const struct cli *cli, const char *const *words, size_t count)
{
    struct position at = {0};
    for (size_t i = 0; i + 1 < count; i++) {
        const struct cli_option *option = option_named(cli->options, cli->option_count, words[i]);
        if (option == NULL && at.command != NULL)
            option = option_named(at.command->options, at.command->option_count, words[i]);
        if (at.open != NULL)
            at.open = NULL;
        else if (option != NULL)
            at.open = option->value == NULL ? NULL : option;
        else if (at.names[0] == NULL)
            at.names[0] = words[i];
        else if (at.names[1] == NULL)
            at.names[1] = words[i];
        at.command = command_named(cli, at.names);
    }
    return at;
}

char *cli_complete(const void *ctx, const struct cli *cli, const char *const *words, size_t count)
{
    struct buf out = buf_make(ctx);
    const char *start = count == 0 ? "" : words[count - 1];
    struct position at = find_position(cli, words, count);
    if (at.open != NULL) {
        for (size_t i = 0; at.open->choices != NULL && at.open->choices[i] != NULL; i++)
            offer(&out, start, at.open->choices[i]);
    } else if (start[0] == '-') {
        if (at.command != NULL)
            offer_options(&out, start, at.command->options, at.command->option_count);
        offer_options(&out, start, cli->options, cli->option_count);
    } else if (at.command == NULL) {
        offer_names(&out, cli, at.names[0], start);
    }
    return buf_string(&out);
}
