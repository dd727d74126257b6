/* RFC 6750 §2.1: "Bearer" 1*SP b64token; the scheme's case does not matter (RFC 9110 §11.1). */
#include "rows.h"

#include "protocol/bearer.h"

static void the_token_of_a_header(void **state)
{
    (void)state;
    static const struct {
        const char *header, *token;
    } rows[] = {
        {"Bearer abc.def-_~+/=", "abc.def-_~+/="}, {"bearer abc", "abc"}, {"BEARER   abc", "abc"}, {NULL, NULL},
        {"", NULL}, {"Bearer", NULL}, {"Bearer ", NULL}, {"Bearerabc", NULL}, {"Basic abc", NULL}, {"abc", NULL},
        {"Bearer\tabc", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_string(rows[i].header == NULL ? "no header" : rows[i].header, bearer_token(rows[i].header), rows[i].token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_token_of_a_header)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
