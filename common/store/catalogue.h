#pragma once
/* Every table of tables.h and what it is: records, an index of records, or marks that say all by being there. Whoever
 * looks at everything (opctl check, opctl backup, migrations) goes by this list; a test holds it against tables.h. */
#include "store/repository.h"

struct catalogue_row {
    const struct kv_table *table;
    const struct repository *repository; /* whose records are here or are found by it; NULL: marks */
};
extern const struct catalogue_row CATALOGUE[];
extern const size_t CATALOGUE_COUNT;

/* Tables are compared by what they say: each file that includes tables.h has its own. */
bool catalogue_same_table(const struct kv_table *a, const struct kv_table *b);
/* True when the table of the row is an index of its repository. */
bool catalogue_is_index(const struct catalogue_row *row);
