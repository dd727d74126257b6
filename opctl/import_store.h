#pragma once
/* Users that are imported, many in one transaction: what each becomes, and the works that make it so. Users first,
 * then their passwords; an import that is cut short between them is finished by doing it again. */
#include "import_row.h"
#include "store/kv.h"

enum import_existing {
    IMPORT_REFUSE, /* one who is there already, and differs, is refused */
    IMPORT_SKIP,   /* ... is left as he is */
    IMPORT_UPDATE, /* ... is changed to what the file says */
};

enum import_outcome {
    IMPORT_ADDED,
    IMPORT_UPDATED,
    IMPORT_COMPLETED, /* was there without the password: an import had been cut short */
    IMPORT_UNCHANGED,
    IMPORT_SKIPPED,
    IMPORT_REFUSED, /* item->why */
    IMPORT_OUTCOMES,
};

struct import_item {
    struct import_row row;
    enum import_outcome outcome;
    const char *why;
    const char *user_id;
    bool set_password;   /* to the row's; ... */
    const char *old_phc; /* ... in place of this one; NULL: there was none */
};

struct import_batch {
    const void *ctx;
    enum import_existing existing;
    struct import_item *items;
    size_t count;
};

/* kv_work with struct import_batch *. The first writes nothing; the second writes users, the third credentials. All
 * read both. */
enum op_err import_decide(struct kv_txn *txn, void *arg);
enum op_err import_write_users(struct kv_txn *txn, void *arg);
enum op_err import_write_passwords(struct kv_txn *txn, void *arg);
