#pragma once
/* Records that lean on records of other environments, which are written one after the other: what may be missing after
 * a crash, and what may not. */
#include "app.h"

/* Adds to leftovers what lacks the record it leans on and does no harm (one object per pair of tables: from, to,
 * count), to findings what is wrong, counted in *wrong. Opens what it reads. Returns an exit status. Blocks. */
int leaning_check(const struct app *app, json_t *leftovers, json_t *findings, uint64_t *wrong);
