#include "freshness.h"

#include "rows.h"

static void as_long_as_the_answer_says_within_bounds(void **state)
{
    (void)state;
    static const struct freshness_bounds bounds = {.otherwise = 600, .min = 60, .max = 86400};
    static const struct {
        const char *cache_control, *age;
        int64_t seconds;
    } rows[] = {
        {NULL, NULL, 600},
        {"", NULL, 600},
        {"public", NULL, 600},
        {"max-age=3600", NULL, 3600},
        {"Max-Age=3600", NULL, 3600},
        {"public, max-age=3600, must-revalidate", NULL, 3600},
        {"max-age=\"3600\"", NULL, 3600},
        {"max-age=3600 , public", NULL, 3600},
        {"max-age=3600", "600", 3000},
        {"max-age=3600", "3600", 60},
        {"max-age=3600", "99999999999999999999", 60},
        {"max-age=3600", "-1", 3600},
        {"max-age=3600", "soon", 3600},
        {NULL, "100", 600},
        {"max-age=0", NULL, 60},
        {"max-age=59", NULL, 60},
        {"max-age=86401", NULL, 86400},
        {"max-age=99999999999999999999", NULL, 86400},
        {"max-age=-1", NULL, 600},
        {"max-age", NULL, 600},
        {"max-age=", NULL, 600},
        {"max-age=1h", NULL, 600},
        {"max-age = 3600", NULL, 600}, /* no white space around = (RFC 9111 §5.2) */
        {"x-max-age=3600", NULL, 600},
        {"s-maxage=3600", NULL, 600},
        {"max-age=120, max-age=3600", NULL, 120},
        {"no-store", NULL, 60},
        {"NO-CACHE, max-age=3600", NULL, 60},
        {"no-cache=\"set-cookie\", max-age=3600", NULL, 60},
        {"private=\"a, max-age=120\", max-age=3600", NULL, 3600},
        {"ext=\"a\\\", max-age=120\", max-age=3600", NULL, 3600},
        {"ext=\"open, max-age=120", NULL, 600},
        {",, ,max-age=3600,", NULL, 3600},
        {"ext=\"\\", NULL, 600},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].cache_control == NULL ? "none" : rows[i].cache_control,
                  freshness_seconds(rows[i].cache_control, rows[i].age, &bounds), rows[i].seconds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_long_as_the_answer_says_within_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
