#pragma once
/* Whether a table is whole: its records can be read, and every index finds exactly the records that say so. The
 * derivation is the repositories' own, so what is missing can be written anew. Nothing blocks. */
#include "store/catalogue.h"

enum inspect_kind {
    INSPECT_UNREADABLE, /* a record that does not parse; nothing repairs it */
    INSPECT_NEWER,      /* one that needs a newer version: not judged, not touched, nothing wrong */
    INSPECT_MISSING,    /* a line of an index that a record should have */
    INSPECT_WRONG,      /* one that leads elsewhere, or expires at another time than its record says */
    INSPECT_CONTESTED,  /* two records claim the same line; nothing repairs it */
    INSPECT_STALE,      /* one that no record has */
    INSPECT_KIND_COUNT,
};
const char *inspect_kind_name(enum inspect_kind kind); /* "unreadable" and so on */
/* Whether what is found is wrong at all; whether a repair mends it. */
bool inspect_is_wrong(enum inspect_kind kind);
bool inspect_is_mended(enum inspect_kind kind);

struct inspect_finding {
    enum inspect_kind kind;
    const struct kv_table *table; /* whose entry it is */
    struct bytes key;
};

/* How far a table has been looked at; begins as zeros with row, ctx and repair set. Freed with ctx. */
struct inspection {
    const struct catalogue_row *row;
    const void *ctx; /* owns position and findings */
    bool repair;     /* mends while it looks; then it is done inside work that writes the environment */
    struct bytes position;
    bool complete;
    uint64_t entries; /* looked at; those that have expired are as good as gone */
    struct inspect_finding *findings; /* of the last call */
    size_t finding_count;
};

/* Looks at the next entries, at most limit. A work that may run again begins each time with a copy of the same
 * inspection. OP_FULL, OP_BROKEN. */
must_check enum op_err inspect_next(struct kv_txn *txn, size_t limit, struct inspection *inspection);
