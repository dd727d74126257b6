#pragma once
/* What the repositories share: records under keys, lists of them, and indexes that name an owner.
 * Only repositories include this. Nothing blocks. */
#include "data/records.h"
#include "store/kv.h"

/* A line of an index: how a record is found by something else than its key. */
struct repository_line {
    struct bytes key, value;
    int64_t expires_at;
};

struct repository_lines {
    const void *ctx;
    struct repository_line *items;
    size_t count;
};

/* An index is what its records say: the same derivation writes it, checks it and builds it anew. */
struct repository_index {
    const struct kv_table *table;
    /* Adds the lines of a record that stands under key until expires_at. The record may lack any field. */
    void (*derive)(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines);
    /* The key of the record that a line stands for, inside key or value; empty: it stands for none. */
    struct bytes (*target)(struct bytes key, struct bytes value);
};

struct repository {
    const struct kv_table *table;
    const ProtobufCMessageDescriptor *type;
    /* A record that says no more than its key does. Lists show it where a record cannot be read (it
     * needs a newer version, or is damaged), so that it can still be ended or deleted. */
    void *(*from_key)(const void *ctx, struct bytes key);
    const struct repository_index *indexes;
    size_t index_count;
};

#define REPOSITORY_INDEXES(list) (list), sizeof(list) / sizeof *(list)

/* For derive: key and value are copied. */
void repository_add_line(struct repository_lines *lines, struct bytes key, struct bytes value, int64_t expires_at);
/* The lines that a record has in an index now, each once, without those that have expired; owned by ctx. */
struct repository_lines repository_derive(const struct kv_txn *txn, const void *ctx,
                                          const struct repository_index *index, struct bytes key, const void *record,
                                          int64_t expires_at);
/* A target: what comes after the first NUL of the line's key; the line's value. */
struct bytes repository_target_owned(struct bytes key, struct bytes value);
struct bytes repository_target_value(struct bytes key, struct bytes value);

/* The record under key. ret is Rec__X **, owned by ctx. OP_ABSENT; OP_DENIED: it needs a newer version; OP_BROKEN. */
must_check enum op_err repository_get(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                      const void *ctx, void *ret);
/* The same whatever its needs: to end, revoke or delete it. */
must_check enum op_err repository_get_any(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                          const void *ctx, void *ret);
/* The next three keep the indexes. A line that another record has taken over stays that one's. */
/* OP_EXISTS. expires_at as kv_insert. */
must_check enum op_err repository_insert(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                         const void *record, int64_t expires_at);
/* Replaces what is there; the caller has made sure that it may. */
must_check enum op_err repository_put(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                      const void *record, int64_t expires_at);
/* OP_ABSENT. Works whatever the record's needs, and on a damaged one. */
must_check enum op_err repository_delete(struct kv_txn *txn, const struct repository *repository, struct bytes key);

/* Records whose key starts with prefix, those after the key `after`, at most limit. ret is Rec__X ***, an
 * array owned by ctx. One that cannot be read is from_key's, with needs above RECORDS_FORMAT. */
must_check enum op_err repository_list(struct kv_txn *txn, const struct repository *repository, struct bytes prefix,
                                       struct bytes after, size_t limit, const void *ctx, void *ret, size_t *ret_count);
/* Records that the owner's entries in index name (keys made by repository_owned_key), those after the record's key
 * `after`; entries whose record is gone are left out. */
must_check enum op_err repository_list_owned(struct kv_txn *txn, const struct repository *repository,
                                             const struct kv_table *index, const char *owner, struct bytes after,
                                             size_t limit, const void *ctx, void *ret, size_t *ret_count);

/* owner NUL rest, owned by ctx. */
struct bytes repository_owned_key(const void *ctx, const char *owner, struct bytes rest);

/* All of them; catalogue.h lists them with their tables. */
extern const struct repository REPOSITORY_PRIVATE_KEYS, REPOSITORY_SIGNING_KEYS, REPOSITORY_ROTATION_WISH,
    REPOSITORY_CLIENTS, REPOSITORY_INITIAL_ACCESS_TOKENS, REPOSITORY_USERS, REPOSITORY_PASSWORDS, REPOSITORY_SESSIONS,
    REPOSITORY_CONSENTS, REPOSITORY_FAMILIES, REPOSITORY_MESSAGES, REPOSITORY_CODES, REPOSITORY_SPENT_CODES,
    REPOSITORY_PUSHED_REQUESTS, REPOSITORY_DEVICE_REQUESTS, REPOSITORY_WISHES, REPOSITORY_DOCUMENTS;
