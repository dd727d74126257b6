#pragma once
/* Tables of rows: which one failed must be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static inline void row_equal(const char *row, long got, long want)
{
    if (got != want)
        fail_msg("%s: got %ld, want %ld", row, got, want);
}

/* NULL is equal to NULL only. */
static inline void row_string(const char *row, const char *got, const char *want)
{
    if ((got == NULL) != (want == NULL) || (got != NULL && strcmp(got, want) != 0))
        fail_msg("%s: got %s, want %s", row, got == NULL ? "nothing" : got, want == NULL ? "nothing" : want);
}
