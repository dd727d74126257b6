#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "terminal.h"

/* Gives text to standard input and reads a password from it. */
static enum op_err read_from(const void *ctx, struct bytes text, char **ret, const char **why)
{
    int pipe_fds[2], kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(write(pipe_fds[1], text.data, text.len), (ssize_t)text.len);
    close(pipe_fds[1]);
    dup2(pipe_fds[0], STDIN_FILENO);
    close(pipe_fds[0]);
    enum op_err err = terminal_new_password(ctx, "", ret, why);
    dup2(kept, STDIN_FILENO);
    close(kept);
    return err;
}

static void the_first_line_of_standard_input_is_the_password(void **state)
{
    (void)state;
    static const struct {
        const char *text, *password; /* NULL: refused */
    } rows[] = {
        {"correct horse\n", "correct horse"},
        {"correct horse", "correct horse"},
        {"correct horse\r\nmore\n", "correct horse"},
        {"  spaces stay  \n", "  spaces stay  "},
        {"p\xc3\xa4sswort\n", "p\xc3\xa4sswort"},
        {"", NULL},
        {"\n", NULL},
        {"short7!\n", NULL},
        {"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\n", NULL}, /* 8 bytes, 4 characters */
        {"not \xff UTF-8\n", NULL},
        {"tab\tinside\n", NULL},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *password = NULL;
        const char *why = NULL;
        enum op_err err = read_from(ctx, bytes_of(rows[i].text), &password, &why);
        assert_int_equal(err, rows[i].password == NULL ? OP_INVALID : OP_OK);
        if (rows[i].password != NULL)
            assert_string_equal(password, rows[i].password);
        else
            assert_non_null(why);
    }
    char *password = NULL;
    const char *why = NULL;
    assert_int_equal(read_from(ctx, bytes_from("nul \0 inside\n", 13), &password, &why), OP_INVALID);
    talloc_free(ctx);
}

static void the_length_is_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *text = mem_array(ctx, char, 1100), *password;
    const char *why;
    memset(text, 'a', 1025);
    assert_int_equal(read_from(ctx, bytes_from(text, 1025), &password, &why), OP_INVALID);
    assert_int_equal(read_from(ctx, bytes_from(text, 1024), &password, &why), OP_OK);
    assert_int_equal(strlen(password), 1024);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_of_standard_input_is_the_password),
        cmocka_unit_test(the_length_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
