#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "layout.h"
#include "runtime/settings.h"

/* The groups of this test's machine: all but the one named here (linked with --wrap=getgrnam). */
static const char *missing_group;
enum { READERS = 40001, WRITERS = 40002 };

struct group *__wrap_getgrnam(const char *name);
struct group *__wrap_getgrnam(const char *name)
{
    static struct group group;
    size_t len = strlen(name);
    group.gr_gid = len > 2 && strcmp(name + len - 2, "-w") == 0 ? WRITERS : READERS;
    return missing_group != NULL && strcmp(name, missing_group) == 0 ? NULL : &group;
}

static void a_missing_group_is_named(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    const char *why = NULL;
    missing_group = NULL;
    assert_int_equal(layout_check_groups(ctx, KV_TOKENS, &why), OP_OK);
    missing_group = "partita-tokens";
    assert_int_equal(layout_check_groups(ctx, KV_TOKENS, &why), OP_ABSENT);
    assert_non_null(strstr(why, "no group partita-tokens:"));
    missing_group = "partita-tokens-w";
    assert_int_equal(layout_check_groups(ctx, KV_TOKENS, &why), OP_ABSENT);
    assert_true(strstr(why, "no group partita-tokens-w:") != NULL && strstr(why, "sysusers.d") != NULL);
    assert_int_equal(layout_check_groups(ctx, KV_USERS, &why), OP_OK);
    talloc_free(ctx);
}

/* Makes tokens below a directory of its own and tells what became of it. */
static struct stat made(const void *ctx, const char *root, const char *file, bool unowned)
{
    const char *why = "";
    struct stat status;
    char *path = mem_printf(ctx, "%s/deep/state/tokens/%s", root, file);
    settings.state_dir = mem_printf(ctx, "%s/deep/state", root);
    if (layout_make_dir(ctx, KV_TOKENS, unowned, &why) != OP_OK)
        fail_msg("%s", why);
    static const char *const files[] = {"data.mdb", "lock.mdb", "bell"};
    for (size_t i = 0; i < 3; i++) {
        FILE *out = fopen(mem_printf(ctx, "%s/%s", layout_dir(ctx, KV_TOKENS), files[i]), "w");
        assert_non_null(out);
        fclose(out);
    }
    if (layout_set_files(ctx, KV_TOKENS, unowned, &why) != OP_OK)
        fail_msg("%s", why);
    assert_int_equal(stat(path, &status), 0);
    return status;
}

static void modes_and_groups_are_those_of_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        mode_t mode, mode_unowned;
        gid_t group;
    } rows[] = {
        {"", 0750, 0700, READERS}, {"data.mdb", 0664, 0600, WRITERS}, {"bell", 0664, 0600, WRITERS}, {"lock.mdb", 0660, 0600, READERS},
    };
    void *ctx = mem_root("test");
    char root[] = "/tmp/test_layout_XXXXXX";
    assert_non_null(mkdtemp(root));
    missing_group = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(made(ctx, root, rows[i].file, true).st_mode & 07777, rows[i].mode_unowned);
        if (geteuid() != 0)
            continue; /* only root gives files away; the end-to-end tests run as root */
        struct stat status = made(ctx, root, rows[i].file, false);
        assert_int_equal(status.st_mode & 07777, rows[i].mode);
        assert_true(status.st_uid == 0 && status.st_gid == rows[i].group);
    }
    assert_int_equal(system(mem_printf(ctx, "rm -r %s", root)), 0);
    talloc_free(ctx);
}

static void what_cannot_be_made_is_named(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    const char *why = NULL;
    settings.state_dir = "/proc/none/state";
    assert_int_equal(layout_make_dir(ctx, KV_TOKENS, true, &why), OP_BROKEN);
    assert_non_null(strstr(why, "/proc/none cannot be made"));
    assert_int_equal(layout_set_files(ctx, KV_TOKENS, true, &why), OP_BROKEN);
    assert_non_null(strstr(why, "/proc/none/state/tokens/data.mdb"));
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_group_is_named),
        cmocka_unit_test(modes_and_groups_are_those_of_the_table),
        cmocka_unit_test(what_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
