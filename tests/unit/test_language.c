#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/language.h"

static void the_best_language_is_chosen(void **state)
{
    (void)state;
    static char *const offered[] = {"en", "de", "pt-BR"};
    static const struct { const char *ui_locales, *accept, *result; } rows[] = {
        {NULL, NULL, "en"},
        {NULL, "de", "de"},
        {NULL, "DE-at", "de"},
        {NULL, "pt", "pt-BR"},
        {NULL, "pt-PT,de;q=0.9", "pt-BR"},
        {NULL, "fr,it;q=0.9", "en"},
        {NULL, "fr;q=0.9, en;q=0.4, de;q=0.5", "de"},
        {NULL, "en;q=0.8,de;q=0.8", "en"},
        {NULL, "de;q=0, en;q=0.1", "en"},
        {NULL, "de;q=rubbish,en;q=0.1", "en"},
        {NULL, ",,;;,", "en"},
        {NULL, "*", "en"},
        {"de", "en", "de"},
        {"fr de", "en", "de"},
        {"fr", "de", "de"},
        {"  de-CH   en ", NULL, "de"},
        {"", "de", "de"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(language_choose(offered, 3, rows[i].ui_locales, rows[i].accept), rows[i].result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_best_language_is_chosen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
