/* Who is in the way of a higher floor, word by word. */
#include "floor.h"
#include "rows.h"

static const struct row {
    const char *name;
    uint32_t floor;
    struct floor_version versions[3];
    const char *why;
} ROWS[] = {
    {"nobody", 2, {{0}}, NULL},
    {"all know it", 2, {{"op-token", "0.2.0", 2, 0}, {"op-auth", "0.3.0", 3, 77}}, NULL},
    {"a roll-back target", 2, {{"op-token", "0.2.0", 2, 0}, {"op-token", "0.1.0", 1, 0}},
     "the floor cannot be 2: op-token 0.1.0 knows record formats up to 1, and is installed, so that it could be started or "
     "rolled back to: remove partita-op-token-0.1.0 first"},
    {"the first of several", 3, {{"op-auth", "0.2.0", 2, 0}, {"op-token", "0.1.0", 1, 0}},
     "the floor cannot be 3: op-auth 0.2.0 knows record formats up to 2, and is installed, so that it could be started or "
     "rolled back to: remove partita-op-auth-0.2.0 first"},
    {"one that says nothing", 1, {{"op-token", "0.0.1", 0, 0}},
     "the floor cannot be 1: op-token 0.0.1 does not say which record formats it knows, and is installed, so that it could "
     "be started or rolled back to: remove partita-op-token-0.0.1 first"},
    {"a process", 2, {{"op-token", "0.1.0", 1, 4711}},
     "the floor cannot be 2: process 4711 (op-token 0.1.0) knows record formats up to 1, and has an environment open: end "
     "it first"},
    {"a process of another kind", 2, {{"mdb_copy", NULL, 0, 4711}},
     "the floor cannot be 2: process 4711 (mdb_copy) does not say which record formats it knows, and has an environment "
     "open: end it first"},
};

static void who_is_in_the_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        void *ctx = mem_root("test");
        size_t count = 0;
        while (count < COUNT(ROWS[i].versions) && ROWS[i].versions[count].server != NULL)
            count++;
        row_string(ROWS[i].name, floor_judge(ctx, ROWS[i].floor, ROWS[i].versions, count), ROWS[i].why);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_in_the_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
