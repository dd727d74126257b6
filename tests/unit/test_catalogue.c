#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/catalogue.h"

static unsigned rows_of(const struct kv_table *table)
{
    unsigned count = 0;
    for (size_t i = 0; i < CATALOGUE_COUNT; i++)
        count += catalogue_same_table(CATALOGUE[i].table, table);
    return count;
}

static bool repository_has_index(const struct repository *repository, const struct kv_table *table)
{
    for (size_t i = 0; i < repository->index_count; i++)
        if (catalogue_same_table(repository->indexes[i].table, table))
            return true;
    return false;
}

static void every_table_has_one_row_and_a_key_prefix_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < CATALOGUE_COUNT; i++) {
        assert_int_equal(rows_of(CATALOGUE[i].table), 1);
        assert_in_range(CATALOGUE[i].table->prefix, 1, 237);
    }
}

static void indexes_are_those_of_their_repository(void **state)
{
    (void)state;
    unsigned indexes = 0;
    for (size_t i = 0; i < CATALOGUE_COUNT; i++) {
        const struct catalogue_row *row = &CATALOGUE[i];
        if (row->repository == NULL)
            continue;
        assert_int_equal(row->repository->table->env, row->table->env);
        assert_int_equal(rows_of(row->repository->table), 1);
        assert_int_equal(catalogue_is_index(row), repository_has_index(row->repository, row->table));
        indexes += catalogue_is_index(row);
        for (size_t n = 0; n < row->repository->index_count; n++)
            assert_int_equal(rows_of(row->repository->indexes[n].table), 1);
    }
    assert_true(indexes >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_has_one_row_and_a_key_prefix_of_its_own),
        cmocka_unit_test(indexes_are_those_of_their_repository),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
