#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli.h"
#include "cli_help.h"

static int run_nothing(struct app *app)
{
    (void)app;
    return 0;
}

static const char *const COLOURS[] = {"red", "green", NULL};
static const struct cli_option COMMON[] = {
    {"config", "FILE", false, "the file", NULL}, {"json", NULL, false, "JSON", NULL}, {"help", NULL, false, "help", NULL},
    {"version", NULL, false, "version", NULL}};
static const struct cli_option ADD[] = {
    {"tag", "TEXT", true, "a tag", NULL}, {"colour", "COLOUR", false, "a colour", COLOURS},
    {"sweet", "YES-NO", false, "sweet", CLI_YES_NO}, {"ripe", NULL, false, "ripe", NULL}};
static const struct cli_command FRUIT[] = {
    {"fruit", "add", CLI_ARGUMENTS("NAME", 1, 2), CLI_OPTIONS(ADD), .run = run_nothing, .help = "Add a fruit."},
    {"fruit", "list", CLI_ARGUMENTS("", 0, 0), .run = run_nothing, .help = "List fruit."},
    {0}};
static const struct cli_command EAT[] = {
    {"eat", NULL, CLI_ARGUMENTS("[NAME...]", 0, 3), .run = run_nothing, .help = "Eat."}, {0}};
static const struct cli_command *const TABLES[] = {FRUIT, EAT, NULL};
static const struct cli CLI = {"shop", "Sells.", COMMON, sizeof COMMON / sizeof *COMMON, TABLES};

enum { WORDS_MAX = 12 };

static enum op_err parse(const void *ctx, const char *const *words, struct cli_line *line, const char **why)
{
    char *argv[WORDS_MAX + 2] = {mem_strdup(ctx, "shop")};
    int argc = 1;
    for (; argc <= WORDS_MAX && words[argc - 1] != NULL; argc++)
        argv[argc] = mem_strdup(ctx, words[argc - 1]);
    return cli_parse(ctx, &CLI, argc, argv, line, why);
}

static void lines_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *help; /* of the command that it is */
        const char *arguments[3];
    } rows[] = {
        {{"fruit", "list"}, "List fruit.", {NULL}},
        {{"--config", "fruit", "fruit", "list"}, "List fruit.", {NULL}},
        {{"fruit", "--json", "list"}, "List fruit.", {NULL}},
        {{"fruit", "add", "apple"}, "Add a fruit.", {"apple"}},
        {{"fruit", "add", "--tag", "list", "apple"}, "Add a fruit.", {"apple"}},
        {{"fruit", "add", "--tag=list", "apple", "pear"}, "Add a fruit.", {"apple", "pear"}},
        {{"fruit", "add", "--", "--tag"}, "Add a fruit.", {"--tag"}},
        {{"fruit", "add", "-x"}, "Add a fruit.", {"-x"}},
        {{"eat", "add", "list"}, "Eat.", {"add", "list"}},
        {{"eat"}, "Eat.", {NULL}},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cli_line line;
        const char *why = NULL;
        if (parse(ctx, rows[i].words, &line, &why) != OP_OK)
            fail_msg("row %zu: %s", i, why);
        assert_string_equal(line.command->help, rows[i].help);
        size_t count = 0;
        for (; count < 3 && rows[i].arguments[count] != NULL; count++)
            assert_string_equal(line.arguments[count], rows[i].arguments[count]);
        assert_int_equal(line.argument_count, count);
    }
    talloc_free(ctx);
}

static void wrong_lines_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *why;
    } rows[] = {
        {{NULL}, "name a command (see shop --help)"},
        {{"--json"}, "name a command (see shop --help)"},
        {{"meat"}, "there is no command meat (see shop --help)"},
        {{"fruit"}, "say what to do with a fruit (see shop fruit --help)"},
        {{"fruit", "peel"}, "fruit has no verb peel (see shop fruit --help)"},
        {{"fruit", "add"}, "NAME is missing (see shop fruit add --help)"},
        {{"fruit", "add", "a", "b", "c"}, "c is one word too many (see shop fruit add --help)"},
        {{"fruit", "list", "a"}, "a is one word too many (see shop fruit list --help)"},
        {{"fruit", "list", "--tag", "x"}, "there is no option --tag here (see shop fruit list --help)"},
        {{"fruit", "add", "a", "--ta", "x"}, "there is no option --ta here (see shop fruit add --help)"},
        {{"fruit", "add", "a", "--tag"}, "--tag needs TEXT after it (see shop fruit add --help)"},
        {{"fruit", "add", "a", "--ripe=yes"}, "--ripe takes no value (see shop fruit add --help)"},
        {{"fruit", "add", "a", "--colour", "blue"}, "--colour is one of: red, green (see shop fruit add --help)"},
        {{"fruit", "add", "a", "--colour", "red", "--colour", "red"}, "--colour is given twice (see shop fruit add --help)"},
        {{"fruit", "add", "a", "--json", "--json"}, "--json is given twice (see shop fruit add --help)"},
        {{"eat", "1", "2", "3", "4"}, "4 is one word too many (see shop eat --help)"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cli_line line;
        const char *why = "";
        assert_int_equal(parse(ctx, rows[i].words, &line, &why), OP_INVALID);
        assert_string_equal(why, rows[i].why);
    }
    talloc_free(ctx);
}

static void values_come_back(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct cli_line line;
    const char *why, *words[] = {"fruit", "add", "a", "--tag", "x", "--tag=y=z", "--tag", "", "--sweet", "no", NULL};
    assert_int_equal(parse(ctx, words, &line, &why), OP_OK);
    size_t count;
    char **tags = cli_values(ctx, &line, "tag", &count);
    assert_int_equal(count, 3);
    assert_string_equal(tags[0], "x");
    assert_string_equal(tags[1], "y=z");
    assert_string_equal(tags[2], "");
    assert_true(!cli_yes(&line, "sweet", true) && cli_yes(&line, "other", true));
    assert_true(cli_has(&line, "sweet") && !cli_has(&line, "ripe"));
    assert_null(cli_value(&line, "colour"));
    assert_string_equal(cli_value(&line, "sweet"), "no");
    talloc_free(ctx);
}

static void help_asks_for_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *holds, *lacks;
    } rows[] = {
        {{"--help"}, "eat [NAME...]", "a colour"},
        {{"fruit", "--help"}, "List fruit.", "Eat."},
        {{"fruit", "add", "--help"}, "a colour: red, green", "List fruit."},
        {{"fruit", "add", "-h"}, "[--tag TEXT]...", "List fruit."},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cli_line line;
        const char *why;
        assert_int_equal(parse(ctx, rows[i].words, &line, &why), OP_OK);
        char *help = cli_help(ctx, &CLI, &line);
        assert_non_null(strstr(help, rows[i].holds));
        assert_null(strstr(help, rows[i].lacks));
    }
    talloc_free(ctx);
}

static void words_are_completed(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *offers;
    } rows[] = {
        {{""}, "fruit\neat\n"},
        {{"f"}, "fruit\n"},
        {{"x"}, ""},
        {{"fruit", ""}, "add\nlist\n"},
        {{"--config", "fruit", "fruit", "l"}, "list\n"},
        {{"fruit", "add", ""}, ""},
        {{"fruit", "add", "--t"}, "--tag\n"},
        {{"fruit", "add", "--"}, "--tag\n--colour\n--sweet\n--ripe\n--config\n--json\n--help\n--version\n"},
        {{"fruit", "add", "--colour", ""}, "red\ngreen\n"},
        {{"fruit", "add", "--colour", "g"}, "green\n"},
        {{"fruit", "add", "--tag", "--"}, ""},
        {{"--j"}, "--json\n"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t count = 0;
        while (rows[i].words[count] != NULL)
            count++;
        assert_string_equal(cli_complete(ctx, &CLI, rows[i].words, count), rows[i].offers);
    }
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(wrong_lines_say_what_is_wrong),
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(help_asks_for_nothing_else),
        cmocka_unit_test(words_are_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
