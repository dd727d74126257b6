#pragma once
/* Rows of comma-separated values (RFC 4180): fields in double quotes may hold commas, quotes (doubled) and ends of
 * lines. UTF-8; lines end with LF or CRLF. Empty lines are left out. */
#include "base/err.h"
#include "import_source.h"

enum { CSV_FIELDS_MAX = 256 };

struct csv_row {
    char **fields;
    size_t count;
};

/* The next row, owned by ctx; source->record_line is where it begins. OP_ABSENT: there is none left. OP_INVALID: the
 * row is no such thing, *ret_why (static) says why; the call after that goes on behind it. */
must_check enum op_err csv_read(struct import_source *source, const void *ctx, struct csv_row *ret,
                                const char **ret_why);
