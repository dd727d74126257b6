#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/conf.h"
#include "runtime/conf_value.h"
#include "runtime/settings.h"

static struct {
    const char *text, *path, *word;
    int64_t number, duration, ms, size;
    bool flag;
    int choice;
    struct conf_list list;
} got;

static const char *const COLOURS[] = {"red", "green", "blue", NULL};

static const char *no_x(const char *text)
{
    return strchr(text, 'x') != NULL ? "has an x" : NULL;
}

static const struct conf_item ITEMS[] = {
    {"text", CONF_STRING, "default", 1, 10, NULL, &got.text, "A text.", NULL, no_x},
    {"path", CONF_PATH, "", 0, 20, NULL, &got.path, "A path."},
    {"number", CONF_NUMBER, "7", -5, 100, "things", &got.number, "A number."},
    {"duration", CONF_DURATION, "10min", 1, 365 * 86400, "s", &got.duration, "A duration."},
    {"ms", CONF_DURATION, "500ms", 1, 60000, "ms", &got.ms, "Milliseconds."},
    {"size", CONF_SIZE, "64KiB", 0, 1LL << 40, "bytes", &got.size, "A size."},
    {"flag", CONF_BOOL, "no", 0, 0, NULL, &got.flag, "A flag."},
    {"list", CONF_LIST, "", 0, 3, NULL, &got.list, "A list."},
    {"choice", CONF_ENUM, "red", 0, 0, NULL, &got.choice, "A choice.", COLOURS},
    {"word", CONF_WORD, "red", 0, 0, NULL, &got.word, "A word.", COLOURS},
};
static const struct conf_section SECTIONS[] = {{"ours", ITEMS, sizeof ITEMS / sizeof *ITEMS, false}};

static const struct conf_item *item_of(const char *name)
{
    for (size_t i = 0; i < sizeof ITEMS / sizeof *ITEMS; i++)
        if (strcmp(ITEMS[i].name, name) == 0)
            return &ITEMS[i];
    fail_msg("no item %s", name);
    return NULL;
}

static void values_are_read_by_type(void **state)
{
    (void)state;
    static const struct {
        const char *item, *text;
        int64_t value;
        bool refused;
    } rows[] = {
        {"number", "0", 0},
        {"number", "-5", -5},
        {"number", "100", 100},
        {"number", "101", .refused = true},
        {"number", "-6", .refused = true},
        {"number", "+1", .refused = true},
        {"number", " 1", .refused = true},
        {"number", "1 ", .refused = true},
        {"number", "0x10", .refused = true},
        {"number", "", .refused = true},
        {"number", "99999999999999999999", .refused = true},
        {"duration", "60s", 60},
        {"duration", "10min", 600},
        {"duration", "12h", 43200},
        {"duration", "30d", 30 * 86400},
        {"duration", "2w", 14 * 86400},
        {"duration", "1y", 365 * 86400},
        {"duration", "2y", .refused = true},
        {"duration", "0s", .refused = true},
        {"duration", "60", .refused = true},
        {"duration", "1m", .refused = true},
        {"duration", "1.5h", .refused = true},
        {"duration", "-1s", .refused = true},
        {"duration", "s", .refused = true},
        {"duration", "500ms", .refused = true},
        {"duration", "9223372036854775807y", .refused = true},
        {"ms", "250ms", 250},
        {"ms", "2s", 2000},
        {"ms", "1min", 60000},
        {"ms", "1h", .refused = true},
        {"size", "0", 0},
        {"size", "4096", 4096},
        {"size", "64KiB", 65536},
        {"size", "16MiB", 16 << 20},
        {"size", "1GiB", 1 << 30},
        {"size", "1kb", .refused = true},
        {"size", "1025GiB", .refused = true},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct conf_item *item = item_of(rows[i].item);
        *(int64_t *)item->target = -77;
        const char *wrong = conf_value_read(ctx, item, rows[i].text);
        if ((wrong != NULL) != rows[i].refused)
            fail_msg("%s = %s: %s", rows[i].item, rows[i].text, wrong == NULL ? "accepted" : wrong);
        assert_int_equal(*(int64_t *)item->target, rows[i].refused ? -77 : rows[i].value);
    }
    talloc_free(ctx);
}

static void words_are_read_by_type(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    assert_null(conf_value_read(ctx, item_of("text"), "hello"));
    assert_string_equal(got.text, "hello");
    assert_non_null(conf_value_read(ctx, item_of("text"), ""));
    assert_non_null(conf_value_read(ctx, item_of("text"), "0123456789a"));
    assert_non_null(strstr(conf_value_read(ctx, item_of("text"), "axe"), "has an x"));
    assert_string_equal(got.text, "hello");
    assert_null(conf_value_read(ctx, item_of("path"), "/a/b"));
    assert_non_null(conf_value_read(ctx, item_of("path"), "a/b"));
    assert_string_equal(got.path, "/a/b");
    assert_null(conf_value_read(ctx, item_of("path"), ""));
    for (size_t i = 0; i < 4; i++) {
        static const char *const texts[] = {"yes", "true", "no", "false"};
        assert_null(conf_value_read(ctx, item_of("flag"), texts[i]));
        assert_int_equal(got.flag, i < 2);
    }
    assert_non_null(conf_value_read(ctx, item_of("flag"), "1"));
    assert_null(conf_value_read(ctx, item_of("choice"), "blue"));
    assert_int_equal(got.choice, 2);
    assert_non_null(strstr(conf_value_read(ctx, item_of("choice"), "pink"), "red, green or blue"));
    assert_null(conf_value_read(ctx, item_of("word"), "green"));
    assert_string_equal(got.word, "green");
    assert_null(conf_value_read(ctx, item_of("list"), " a, b  c,"));
    assert_int_equal(got.list.count, 3);
    assert_string_equal(got.list.items[2], "c");
    assert_non_null(conf_value_read(ctx, item_of("list"), "a b c d"));
    talloc_free(ctx);
}

/* Writes text to a file of its own, reads it, and gives back the problems. */
static enum op_err read_text(void *ctx, struct bytes text, bool unknown_is_error, char *const *overrides,
                             size_t override_count, char **problems, char **warnings)
{
    char path[] = "/tmp/test_conf.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.data, text.len), text.len);
    close(fd);
    static const char *const programs[] = {"theirs", "also-theirs", NULL};
    struct conf_source source = {path, overrides, override_count, unknown_is_error, programs};
    enum op_err err = conf_read(ctx, &source, SECTIONS, 1, problems, warnings);
    unlink(path);
    /* without the path: what a row of a table can name */
    for (char *p; (p = strstr(*problems, path)) != NULL;)
        memmove(p, p + strlen(path), strlen(p + strlen(path)) + 1);
    return err;
}

static void every_bad_line_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problems;
    } rows[] = {
        {"[ours]\nnumber = 8\n", ""},
        {"", ""},
        {"\xef\xbb\xbf[ours]\nnumber = 8\n", ""},
        {"[ours]\r\nnumber = 8\r\n", ""},
        {"# a comment\n; another\n\n[ours] \n  # indented\nnumber = 8", ""},
        {"[theirs]\nnumber = x\nwhatever = 1\n[ours]\nnumber = 8\n", ""},
        {"[theres]\nnumber = x\n[also-theirs]\nx = y\n[Ours]\nnumber = 8\n",
         ":2: [theres] is the section of no program\n:6: [Ours] is the section of no program\n"},
        {"[ours]\nnumber = x\n\nduration = 5\n",
         ":2: number: \"x\" is not a number of things, -5 to 100\n"
         ":4: duration: \"5\" is not a duration such as 60s, 10min, 12h, 30d or 1y, 1s to 1y\n"},
        {"[ours]\nnumber = 8\nnonsense\nflag = maybe\n", ":3: neither NAME = VALUE nor [section] nor # comment\n"
                                                         ":4: flag: \"maybe\" is not yes or no\n"},
        {"[ours\nnumber = 8\n",
         ":1: neither NAME = VALUE nor [section] nor # comment\n:2: a setting before the first [section]\n"},
        {"number = 8\n", ":1: a setting before the first [section]\n"},
        {"[ours]\nnumber = 8\nnumber = 9\n", ":3: number is already set on line 2\n"},
        {"[ours]\nnumber = 101\n", ":2: number: \"101\" is out of bounds: -5 to 100\n"},
        {"[ours]\ntext = a\n  b\n", ":3: neither NAME = VALUE nor [section] nor # comment\n"},
        {"[ours]\nnumbr = 8\n", ":2: [ours] has no setting \"numbr\"\n"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *problems, *warnings;
        enum op_err err = read_text(ctx, bytes_of(rows[i].text), true, NULL, 0, &problems, &warnings);
        assert_string_equal(problems, rows[i].problems);
        assert_int_equal(err, rows[i].problems[0] == '\0' ? OP_OK : OP_INVALID);
        assert_string_equal(warnings, "");
    }
    talloc_free(ctx);
}

static void long_lines_and_nul_bytes_are_refused(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *problems, *warnings, *text = mem_printf(ctx, "[ours]\ntext = %05000d\nnumber = 9\n", 1);
    assert_int_equal(read_text(ctx, bytes_of(text), true, NULL, 0, &problems, &warnings), OP_INVALID);
    assert_string_equal(problems, ":2: the line is too long\n");
    assert_int_equal(got.number, 9);
    assert_int_equal(read_text(ctx, bytes_from("[ours]\ntext = a\0b\n", 18), true, NULL, 0, &problems, &warnings),
                     OP_INVALID);
    assert_string_equal(problems, ":2: a NUL byte\n");
    talloc_free(ctx);
}

static void a_newer_file_only_warns_at_start(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *problems, *warnings;
    struct bytes text = bytes_of("[ours]\nfuture = 1\nnumber = 9\n[op-future]\nx = 1\n");
    assert_int_equal(read_text(ctx, text, false, NULL, 0, &problems, &warnings), OP_OK);
    assert_non_null(strstr(warnings, ":2: [ours] has no setting \"future\"\n"));
    assert_non_null(strstr(warnings, ":5: [op-future] is the section of no program\n"));
    assert_int_equal(got.number, 9);
    assert_int_equal(got.duration, 600);
    talloc_free(ctx);
}

static void overrides_come_last(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *problems, *warnings, *set[] = {"number=10", "ours.duration=1h", "text=a=b"};
    assert_int_equal(read_text(ctx, bytes_of("[ours]\nnumber = 8\n"), true, set, 3, &problems, &warnings), OP_OK);
    assert_int_equal(got.number, 10);
    assert_int_equal(got.duration, 3600);
    assert_string_equal(got.text, "a=b");
    char *bad[] = {"number=x", "nothing=1", "number"};
    assert_int_equal(read_text(ctx, bytes_of(""), false, bad, 3, &problems, &warnings), OP_INVALID);
    assert_string_equal(problems, "--set number: \"x\" is not a number of things, -5 to 100\n"
                                  "--set nothing: there is no such setting\n--set number: the form is NAME=VALUE\n");
    talloc_free(ctx);
}

/* One setting of another program's section: the rest of it is not judged here, and --set must name it. */
static void of_another_programs_section_some_settings_are_read(void **state)
{
    (void)state;
    static int64_t theirs;
    static const struct conf_item items[] = {
        {.name = "shared", .type = CONF_NUMBER, .def = "1", .min = 0, .max = 9, .target = &theirs}};
    static const struct conf_section sections[] = {{"theirs", items, 1, true}};
    static const struct {
        const char *text, *set;
        enum op_err err;
        int64_t value;
    } rows[] = {
        {"[theirs]\nshared = 2\nunknown = x\n", NULL, OP_OK, 2},
        {"[other]\nshared = 2\n", NULL, OP_OK, 1},
        {"", "theirs.shared=3", OP_OK, 3},
        {"", "shared=3", OP_INVALID, 0},
        {"[theirs]\nshared = x\n", NULL, OP_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        char path[] = "/tmp/partita-conf-XXXXXX", *problems, *warnings, *set[] = {(char *)(uintptr_t)rows[i].set};
        int fd = mkstemp(path);
        assert_true(fd >= 0 && write(fd, rows[i].text, strlen(rows[i].text)) == (ssize_t)strlen(rows[i].text));
        close(fd);
        struct conf_source source = {path, set, rows[i].set != NULL ? 1 : 0, true};
        assert_int_equal(conf_read(ctx, &source, sections, 1, &problems, &warnings), rows[i].err);
        if (rows[i].err == OP_OK)
            assert_int_equal(theirs, rows[i].value);
        unlink(path);
        talloc_free(ctx);
    }
}

static void a_missing_file_and_a_missing_setting_are_named(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *problems, *warnings;
    struct conf_source absent = {.path = "/nonexistent/partita.conf"};
    assert_int_equal(conf_read(ctx, &absent, SECTIONS, 1, &problems, &warnings), OP_ABSENT);
    assert_string_equal(problems, "/nonexistent/partita.conf: cannot be read: No such file or directory\n");
    struct conf_source empty = {.path = "/dev/null"};
    assert_int_equal(conf_read(ctx, &empty, &SETTINGS_SECTION, 1, &problems, &warnings), OP_INVALID);
    assert_non_null(strstr(problems, "/dev/null: [all] lacks issuer, which is required"));
    talloc_free(ctx);
}

static void issuers_and_scopes_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        bool fine;
    } rows[] = {
        {"issuer=https://op.example", true},
        {"issuer=https://op.example:8443/tenant", true},
        {"issuer=http://localhost:8080", true},
        {"issuer=http://127.0.0.1", true},
        {"issuer=http://op.example", false},
        {"issuer=https://op.example/", false},
        {"issuer=https://op.example?x", false},
        {"issuer=https://op.example#x", false},
        {"issuer=https://user@op.example", false},
        {"issuer=ftp://op.example", false},
        {"issuer=op.example", false},
        {"issuer=", false},
        {"custom_scopes=groups:groups", true},
        {"custom_scopes=groups:groups, hr:title:department", true},
        {"custom_scopes=", true},
        {"custom_scopes=groups", false},
        {"custom_scopes=groups:", false},
        {"custom_scopes=:groups", false},
        {"custom_scopes=a::b", false},
        {"custom_scopes=a:b c", false},
        {"custom_scopes=a\"b:c", false},
        {"access_token_lifetime=24h", true},
        {"access_token_lifetime=25h", false},
        {"id_token_lifetime=25h", false},
        {"access_token_alg=HS256", false},
        {"log_level=debug", true},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *problems, *warnings, *set[] = {"issuer=https://op.example", (char *)(uintptr_t)rows[i].set};
        struct conf_source source = {"/dev/null", set, 2, true};
        enum op_err err = conf_read(ctx, &source, &SETTINGS_SECTION, 1, &problems, &warnings);
        if ((err == OP_OK) != rows[i].fine)
            fail_msg("%s: %s", rows[i].set, problems);
    }
    talloc_free(ctx);
}

static void the_tables_describe_themselves(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *text = conf_describe(ctx, SECTIONS, 1);
    assert_non_null(strstr(text, "Settings of [ours]:\n"));
    assert_non_null(strstr(text, "  duration = 10min\n"
                                 "      A duration. Takes a duration such as 60s, 10min, 12h, 30d or 1y, 1s to 1y.\n"));
    assert_non_null(strstr(text, "  choice = red\n      A choice. Takes red, green or blue.\n"));
    assert_non_null(strstr(conf_describe(ctx, &SETTINGS_SECTION, 1), "  issuer = (required)\n"));
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_by_type),
        cmocka_unit_test(words_are_read_by_type),
        cmocka_unit_test(every_bad_line_is_named),
        cmocka_unit_test(long_lines_and_nul_bytes_are_refused),
        cmocka_unit_test(a_newer_file_only_warns_at_start),
        cmocka_unit_test(overrides_come_last),
        cmocka_unit_test(of_another_programs_section_some_settings_are_read),
        cmocka_unit_test(a_missing_file_and_a_missing_setting_are_named),
        cmocka_unit_test(issuers_and_scopes_are_judged),
        cmocka_unit_test(the_tables_describe_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
