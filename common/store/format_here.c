#include "store/format.h"

/* required grows when this version reads what a migration made; never in the release that brings the migration, whose
 * servers start beside those of the release before (docs/versions.md). */
const struct format_program FORMAT_HERE = {
    .version = PARTITA_VERSION, .format = RECORDS_FORMAT, .oldest = RECORDS_OLDEST, .required = 0};
