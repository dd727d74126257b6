#pragma once
/* Changes of what environments hold, numbered, each applied once to each environment by `opctl migrate` while servers
 * run. How one is added: docs/versions.md. Nothing blocks. */
#include "store/format.h"
#include "store/inspect.h"
#include "store/kv_tools.h"

/* How far a migration has gone through one environment; begins as zeros with env, ctx and write set. */
struct migration_walk {
    enum kv_env env;
    const void *ctx; /* owns what the walk remembers until the next step */
    bool write;      /* changes; else it only counts what it would change */
    bool complete;
    uint64_t seen, changed;
    uint64_t left; /* what is wrong, and nothing tells how it should be: `opctl check` names it */
    bool survey_complete;
    struct kv_survey survey;
    size_t row; /* of the catalogue */
    struct inspection inspection;
};

struct migration {
    uint32_t number;
    const char *what;
    /* Versions below this format would misread its result, or undo it: it waits until the floor is as high. */
    uint32_t floor;
    /* Goes on for a bounded number of entries, in one transaction. Idempotent: what was changed stays as it is when it
     * comes again, so that being killed anywhere does no harm. A work that may run again begins each time with a copy
     * of the same walk. OP_FULL, OP_BROKEN. */
    enum op_err (*step)(struct kv_txn *txn, struct migration_walk *walk);
};
extern const struct migration MIGRATIONS[]; /* by number, from 1 without gaps */
extern const size_t MIGRATION_COUNT;

/* Whose environment it is: the first server that writes it, in the order of ARCHITECTURE.md's table. Who changes a
 * record of it adds its migration. */
const char *migration_owner(enum kv_env env);

/* What stands between a migration and an environment. */
enum migration_state { MIGRATION_APPLIED, MIGRATION_DUE, MIGRATION_WAITS };
/* MIGRATION_WAITS: for a higher floor, or for one with a lower number that waits. */
enum migration_state migration_state(const struct migration *migrations, size_t index, const Rec__Environment *record);
