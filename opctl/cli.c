#include "cli.h"

#include <string.h>

const char *const CLI_YES_NO[] = {"yes", "no", NULL};

static const struct cli_option *find_in(const struct cli_option *options, size_t count, const char *name, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static const struct cli_option *find_option(const struct cli *cli, const struct cli_command *command, const char *name,
                                            size_t len)
{
    const struct cli_option *option = find_in(cli->options, cli->option_count, name, len);
    if (option == NULL && command != NULL)
        option = find_in(command->options, command->option_count, name, len);
    return option;
}

static bool noun_exists(const struct cli *cli, const char *noun)
{
    for (size_t t = 0; cli->tables[t] != NULL; t++)
        for (const struct cli_command *c = cli->tables[t]; c->noun != NULL; c++)
            if (strcmp(c->noun, noun) == 0)
                return true;
    return false;
}

static const struct cli_command *find_command(const struct cli *cli, const char *noun, const char *verb)
{
    for (size_t t = 0; cli->tables[t] != NULL; t++)
        for (const struct cli_command *c = cli->tables[t]; c->noun != NULL; c++)
            if (strcmp(c->noun, noun) == 0 && (c->verb == NULL || (verb != NULL && strcmp(c->verb, verb) == 0)))
                return c;
    return NULL;
}

/* Words that are no options, until "--" makes all words such. */
struct words {
    const char **items;
    size_t count;
};

struct parser {
    const void *ctx;
    const struct cli *cli;
    const struct cli_command *command; /* NULL while it is not known: the noun and verb come first */
    struct cli_line *line;
    struct words words;
    const char *why;
};

static bool refuse(struct parser *parser, const char *why)
{
    parser->why = why;
    return false;
}

static bool is_choice(const struct cli_option *option, const char *value)
{
    if (option->choices == NULL)
        return true;
    for (size_t i = 0; option->choices[i] != NULL; i++)
        if (strcmp(option->choices[i], value) == 0)
            return true;
    return false;
}

static char *choices_text(const void *ctx, const struct cli_option *option)
{
    struct buf text = buf_make(ctx);
    for (size_t i = 0; option->choices[i] != NULL; i++)
        buf_printf(&text, "%s%s", i == 0 ? "" : ", ", option->choices[i]);
    return buf_string(&text);
}

static bool add_setting(struct parser *parser, const struct cli_option *option, const char *value)
{
    struct cli_line *line = parser->line;
    if (!option->repeated && cli_has(line, option->name))
        return refuse(parser, mem_printf(parser->ctx, "--%s is given twice", option->name));
    if (value != NULL && !is_choice(option, value))
        return refuse(parser, mem_printf(parser->ctx, "--%s is one of: %s", option->name,
                                         choices_text(parser->ctx, option)));
    line->settings = mem_grow(parser->ctx, line->settings, struct cli_setting, line->setting_count + 1);
    line->settings[line->setting_count++] = (struct cli_setting){.name = option->name, .value = value};
    return true;
}

/* One --option at argv[*i]; takes the next word too when that is its value. */
static bool read_option(struct parser *parser, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t len = equals == NULL ? strlen(name) : (size_t)(equals - name);
    const struct cli_option *option = find_option(parser->cli, parser->command, name, len);
    if (option == NULL)
        return refuse(parser, mem_printf(parser->ctx, "there is no option --%.*s here", (int)len, name));
    if (option->value == NULL) {
        if (equals != NULL)
            return refuse(parser, mem_printf(parser->ctx, "--%s takes no value", option->name));
        return add_setting(parser, option, NULL);
    }
    if (equals != NULL)
        return add_setting(parser, option, equals + 1);
    if (*i + 1 >= argc)
        return refuse(parser, mem_printf(parser->ctx, "--%s needs %s after it", option->name, option->value));
    return add_setting(parser, option, argv[++*i]);
}

static bool read_words(struct parser *parser, int argc, char **argv)
{
    bool options_ended = false;
    for (int i = 1; i < argc; i++) {
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && strcmp(argv[i], "-h") == 0) {
            if (!add_setting(parser, find_option(parser->cli, NULL, "help", 4), NULL))
                return false;
        } else if (!options_ended && argv[i][0] == '-' && argv[i][1] == '-') {
            if (!read_option(parser, argc, argv, &i))
                return false;
        } else {
            parser->words.items = mem_grow(parser->ctx, parser->words.items, const char *, parser->words.count + 1);
            parser->words.items[parser->words.count++] = argv[i];
        }
    }
    return true;
}

/* The first one or two words that are neither options nor values of the options of every command. */
static void find_names(const struct cli *cli, int argc, char **argv, const char *names[2])
{
    size_t count = 0;
    for (int i = 1; i < argc && count < 2 && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] != '-') {
            names[count++] = argv[i];
        } else if (argv[i][1] == '-') {
            const struct cli_option *option = find_option(cli, NULL, argv[i] + 2, strlen(argv[i] + 2));
            if (option == NULL && count > 0)
                return; /* an option of the command: what follows may be its value */
            if (option != NULL && option->value != NULL)
                i++;
        }
    }
}

static bool check_names(struct parser *parser, const char *names[2])
{
    if (names[0] == NULL)
        return refuse(parser, "name a command");
    if (!noun_exists(parser->cli, names[0]))
        return refuse(parser, mem_printf(parser->ctx, "there is no command %s", names[0]));
    if (names[1] == NULL)
        return refuse(parser, mem_printf(parser->ctx, "say what to do with a %s", names[0]));
    return refuse(parser, mem_printf(parser->ctx, "%s has no verb %s", names[0], names[1]));
}

static bool check_arguments(struct parser *parser)
{
    const struct cli_command *command = parser->command;
    size_t names = command->verb == NULL ? 1 : 2;
    parser->line->arguments = parser->words.items + names;
    parser->line->argument_count = parser->words.count - names;
    if (parser->line->argument_count < command->min_arguments)
        return refuse(parser, mem_printf(parser->ctx, "%s is missing", command->arguments));
    if (parser->line->argument_count > command->max_arguments)
        return refuse(parser, mem_printf(parser->ctx, "%s is one word too many",
                                         parser->line->arguments[command->max_arguments]));
    return true;
}

static bool parse(struct parser *parser, int argc, char **argv)
{
    const char *names[2] = {NULL, NULL};
    find_names(parser->cli, argc, argv, names);
    if (names[0] != NULL)
        parser->command = find_command(parser->cli, names[0], names[1]);
    parser->line->command = parser->command;
    if (names[0] != NULL && noun_exists(parser->cli, names[0]))
        parser->line->noun = names[0];
    if (!read_words(parser, argc, argv))
        return false;
    if (cli_has(parser->line, "help") || cli_has(parser->line, "version"))
        return true;
    if (parser->command == NULL)
        return check_names(parser, names);
    return check_arguments(parser);
}

static char *where_to_look(const void *ctx, const struct cli *cli, const struct cli_line *line)
{
    if (line->command != NULL && line->command->verb != NULL)
        return mem_printf(ctx, "%s %s %s --help", cli->name, line->command->noun, line->command->verb);
    if (line->noun != NULL)
        return mem_printf(ctx, "%s %s --help", cli->name, line->noun);
    return mem_printf(ctx, "%s --help", cli->name);
}

enum op_err cli_parse(const void *ctx, const struct cli *cli, int argc, char **argv, struct cli_line *ret,
                      const char **ret_why)
{
    struct cli_line line = {0};
    struct parser parser = {.ctx = ctx, .cli = cli, .line = &line};
    if (!parse(&parser, argc, argv)) {
        *ret_why = mem_printf(ctx, "%s (see %s)", parser.why, where_to_look(ctx, cli, &line));
        return OP_INVALID;
    }
    *ret = line;
    return OP_OK;
}

bool cli_has(const struct cli_line *line, const char *name)
{
    for (size_t i = 0; i < line->setting_count; i++)
        if (strcmp(line->settings[i].name, name) == 0)
            return true;
    return false;
}

const char *cli_value(const struct cli_line *line, const char *name)
{
    for (size_t i = 0; i < line->setting_count; i++)
        if (strcmp(line->settings[i].name, name) == 0)
            return line->settings[i].value;
    return NULL;
}

char **cli_values(const void *ctx, const struct cli_line *line, const char *name, size_t *ret_count)
{
    char **values = mem_array(ctx, char *, line->setting_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < line->setting_count; i++)
        if (strcmp(line->settings[i].name, name) == 0)
            values[count++] = mem_strdup(values, line->settings[i].value);
    *ret_count = count;
    return values;
}

bool cli_yes(const struct cli_line *line, const char *name, bool otherwise)
{
    const char *value = cli_value(line, name);
    return value == NULL ? otherwise : strcmp(value, "yes") == 0;
}
