#pragma once
/* What the repositories share: records under keys, lists of them, and indexes that name an owner.
 * Only repositories include this. Nothing blocks. */
#include "data/records.h"
#include "store/kv.h"

struct repository {
    const struct kv_table *table;
    const ProtobufCMessageDescriptor *type;
    /* A record that says no more than its key does. Lists show it where a record cannot be read (it
     * needs a newer version, or is damaged), so that it can still be ended or deleted. */
    void *(*from_key)(const void *ctx, struct bytes key);
};

/* The record under key. ret is Rec__X **, owned by ctx. OP_ABSENT; OP_DENIED: it needs a newer version; OP_BROKEN. */
must_check enum op_err repository_get(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                      const void *ctx, void *ret);
/* The same whatever its needs: to end, revoke or delete it. */
must_check enum op_err repository_get_any(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                          const void *ctx, void *ret);
/* OP_EXISTS. expires_at as kv_insert. */
must_check enum op_err repository_insert(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                         const void *record, int64_t expires_at);
/* Replaces what is there; the caller has made sure that it may. */
must_check enum op_err repository_put(struct kv_txn *txn, const struct repository *repository, struct bytes key,
                                      const void *record, int64_t expires_at);

/* Records whose key starts with prefix, those after the key `after`, at most limit. ret is Rec__X ***, an
 * array owned by ctx. One that cannot be read is from_key's, with needs above RECORDS_FORMAT. */
must_check enum op_err repository_list(struct kv_txn *txn, const struct repository *repository, struct bytes prefix,
                                       struct bytes after, size_t limit, const void *ctx, void *ret, size_t *ret_count);
/* Records that the owner's entries in index name (keys made by repository_owned_key); entries whose
 * record is gone are left out. */
must_check enum op_err repository_list_owned(struct kv_txn *txn, const struct repository *repository,
                                             const struct kv_table *index, const char *owner, size_t limit,
                                             const void *ctx, void *ret, size_t *ret_count);

/* owner NUL rest, owned by ctx. */
struct bytes repository_owned_key(const void *ctx, const char *owner, struct bytes rest);
