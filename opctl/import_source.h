#pragma once
/* The characters of a file that is imported, one after the other, with the line they stand on. Blocks when the file
 * does. */
#include <stdio.h>

#include "base/mem.h"

/* What one user may take in a file; what is longer is refused, and read no further than to its end. */
enum { IMPORT_RECORD_MAX = 256 * 1024 };

struct import_source {
    FILE *file;
    size_t line;        /* of the next character, from 1 */
    size_t record_line; /* where what was read last begins */
};

/* Leaves out a byte order mark. The file stays the caller's. */
void import_source_start(struct import_source *source, FILE *file);
/* The next character, or EOF; peek leaves it there. */
int import_peek(struct import_source *source);
int import_take(struct import_source *source);
/* Leaves out spaces, tabs and ends of lines; the character after them, which stays there. */
int import_skip_space(struct import_source *source);
/* Leaves out the rest of the line with its end. */
void import_skip_line(struct import_source *source);
