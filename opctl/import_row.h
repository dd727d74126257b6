#pragma once
/* One user of a file that is imported: read from an object or from a row of CSV, judged, and made into what is stored.
 * Pure. */
#include "base/err.h"
#include "data/json.h"
#include "import_csv.h"

struct import_rules {
    bool keep_ids;           /* the file's ids become the users' sub */
    uint32_t memory_max_kib; /* what a hash may ask for */
};

struct import_row {
    size_t line;
    const char *username;
    const char *sub;     /* NULL: a new one */
    const char *phc;     /* NULL: no password */
    json_t *claims;      /* an object; each has been judged */
    bool disabled;
    int64_t created_at;  /* 0: not known */
    const char **notes;  /* what is left out of it, in words */
    size_t note_count;
};

/* An object: username, password_hash, sub, enabled, and claims by their names; or, when it has members that only
 * Keycloak's have, a user of Keycloak's. Owned by ctx. OP_INVALID: *ret_why is why, and says nothing of a hash.
 * OP_DENIED: it is no person, *ret_why says what. */
must_check enum op_err import_row_read(const void *ctx, const json_t *object, const struct import_rules *rules,
                                       struct import_row *ret, const char **ret_why);
/* The same of one user of Keycloak's (import_row_keycloak.c). */
must_check enum op_err import_row_read_keycloak(const void *ctx, const json_t *object, const struct import_rules *rules,
                                                struct import_row *ret, const char **ret_why);

/* The names in the first row of a CSV file. OP_INVALID: *ret_why. */
must_check enum op_err import_row_check_header(const void *ctx, const struct csv_row *header, const char **ret_why);
/* A row under them, as import_row_read. Cells that are empty say nothing. A column NAME:= holds JSON. */
must_check enum op_err import_row_read_csv(const void *ctx, const struct csv_row *header, const struct csv_row *row,
                                           const struct import_rules *rules, struct import_row *ret,
                                           const char **ret_why);

/* For both shapes: username, sub and claims are fit to be stored. OP_INVALID. */
must_check enum op_err import_row_judge(const void *ctx, const struct import_row *row, const char **ret_why);
/* NULL, or why an account cannot have this claim. */
const char *import_row_claim_problem(const void *ctx, const char *name, const json_t *value);
