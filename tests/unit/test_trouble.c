#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/trouble.h"

/* When trouble is met, in seconds, and whether that is news. */
static void trouble_is_told_when_it_begins(void **state)
{
    (void)state;
    static const struct {
        int64_t at_s;
        bool begins;
    } rows[] = {{0, true}, {0, false}, {1, false}, {10, false}, {20, false}, {30, false}, {41, true}, {42, false}, {1000, true}};
    struct trouble trouble = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(trouble_begins(&trouble, rows[i].at_s * 1000000), rows[i].begins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(trouble_is_told_when_it_begins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
