#include "base/mem.h"
#include "rows.h"
#include "runtime/page.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A share directory of the test's own. */
static char dir[64];

static void put(const char *name, const char *content)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void make_directory(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/partita-page-XXXXXX");
    assert_non_null(mkdtemp(dir));
    make_directory("pages");
    make_directory("locales");
    make_directory("assets");
    put("pages/hello.html", "<html lang=\"{{lang}}\">{{t:hello}}{{>part}}</html>");
    put("pages/part.html", "[{{t:only_english}}]");
    put("pages/README", "not a template: {{");
    put("locales/en.ini", "# comment\n; comment\n\nhello = Hello {name}\nonly_english = English = yes\n");
    put("locales/de.ini", "hello = Hallo {name}\r\n");
    put("assets/x.css", "body {}");
    put("assets/secret.txt", "no");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"pages/hello.html", "pages/part.html", "pages/README", "pages/bad.html",
                                        "locales/en.ini",
                                        "locales/de.ini", "locales/xx.ini", "assets/x.css", "assets/secret.txt",
                                            "pages", "locales",
                                        "assets", "logo.svg", "logo.exe", ""};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)remove(path);
    }
    return 0;
}

static char *const LOCALES[] = {"en", "de", "xx"};

static void pages_speak_the_languages_asked_for(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct page_set *pages = NULL;
    const char *why = NULL;
    assert_int_equal(page_load(ctx, dir, LOCALES, 2, &pages, &why), OP_OK);
    json_t *values = json_make_object(ctx);
    json_set_string(values, "name", "<Ann>");
    assert_string_equal(page_render(ctx, pages, "hello", "en", values),
                        "<html lang=\"en\">Hello &lt;Ann&gt;[English = yes]</html>");
    assert_string_equal(page_render(ctx, pages, "hello", "de", values),
                        "<html lang=\"de\">Hallo &lt;Ann&gt;[English = yes]</html>");
    assert_string_equal(page_render(ctx, pages, "hello", "fr", values),
                        "<html lang=\"en\">Hello &lt;Ann&gt;[English = yes]</html>");
    assert_string_equal(page_render(ctx, pages, "nothing", "en", values), "");
    assert_string_equal(page_message(ctx, pages, "de", "hello", values), "Hallo <Ann>");
    assert_string_equal(page_message(ctx, pages, "de", "nothing", NULL), "");
    assert_string_equal(page_language(pages, NULL, "fr, de;q=0.2"), "de");
    talloc_free(ctx);
}

static void slips_are_named_with_file_and_line(void **state)
{
    (void)state;
    static const struct { const char *file, *content, *why; } rows[] = {
        {"pages/bad.html", "a\n{{#x}}", "pages/bad.html:2: section x is not closed"},
        {"pages/bad.html", "a\n{{t:no.such}}", "pages/bad.html:2: no message no.such"},
        {"pages/bad.html", "{{>no-such}}", "pages/bad.html:1: no part no-such"},
        {"locales/xx.ini", "hello = x\nno equals sign\n", "locales/xx.ini:2: not of the form key = text"},
        {"locales/xx.ini", "hello = x\nhello = y\n", "locales/xx.ini:2: this key was here before"},
        {"locales/xx.ini", "hello = \xff\n", "locales/xx.ini:1: not UTF-8"},
        {"locales/xx.ini", "helo = x\n", "locales/xx.ini: helo is no key of en.ini"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct page_set *pages = NULL;
        const char *why = NULL;
        put("pages/bad.html", "");
        put("locales/xx.ini", "");
        put(rows[i].file, rows[i].content);
        assert_int_equal(page_load(ctx, dir, LOCALES, 3, &pages, &why), OP_INVALID);
        row_string(rows[i].content, why + strlen(dir) + 1, rows[i].why);
        assert_null(pages);
        talloc_free(ctx);
    }
}

static void what_is_not_there_is_named(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct page_set *pages = NULL;
    const char *why = NULL;
    assert_int_equal(page_load(ctx, dir, LOCALES, 3, &pages, &why), OP_ABSENT); /* no xx.ini */
    assert_non_null(strstr(why, "locales/xx.ini"));
    assert_int_equal(page_load(ctx, "/nonexistent", LOCALES, 1, &pages, &why), OP_ABSENT);
    assert_non_null(strstr(why, "/nonexistent/pages"));
    assert_int_equal(page_load(ctx, dir, LOCALES, 0, &pages, &why), OP_INVALID);
    static char *const outside[] = {"../en"};
    assert_int_equal(page_load(ctx, dir, outside, 1, &pages, &why), OP_INVALID);
    talloc_free(ctx);
}

static void a_logo_is_a_picture(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct page_set *pages = NULL;
    const char *why = NULL, *name = NULL;
    put("logo.svg", "<svg/>");
    put("logo.exe", "x");
    assert_int_equal(page_load(ctx, dir, LOCALES, 2, &pages, &why), OP_OK);
    assert_int_equal(page_add_asset(pages, "logo", mem_printf(ctx, "%s/logo.svg", dir), &name, &why), OP_OK);
    assert_string_equal(name, "logo.svg");
    assert_int_equal(page_add_asset(pages, "logo", mem_printf(ctx, "%s/logo.exe", dir), &name, &why), OP_INVALID);
    assert_int_equal(page_add_asset(pages, "logo", mem_printf(ctx, "%s/none.png", dir), &name, &why), OP_ABSENT);
    assert_non_null(strstr(why, "none.png"));
    talloc_free(ctx);
}

/* The pages and catalogues that are shipped. */
static void what_is_shipped_loads(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct page_set *pages = NULL;
    const char *why = "";
    if (page_load(ctx, SHARE_DIR, LOCALES, 2, &pages, &why) != OP_OK)
        fail_msg("%s", why);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_speak_the_languages_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(slips_are_named_with_file_and_line, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_logo_is_a_picture, setup, teardown),
        cmocka_unit_test(what_is_shipped_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
