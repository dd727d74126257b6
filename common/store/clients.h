#pragma once
/* Clients, and the index of origins their redirect URIs have (for CORS). */
#include "data/records.h"
#include "store/kv.h"

/* OP_ABSENT, OP_DENIED (needs a newer version), OP_BROKEN. A disabled client is returned: the
 * caller judges. */
must_check enum op_err clients_get(struct kv_txn *txn, const void *ctx, const char *client_id, Rec__Client **ret);
/* OP_EXISTS: the client_id is taken. Sets version to 1, and needs as clients_update does. */
must_check enum op_err clients_insert(struct kv_txn *txn, Rec__Client *client);
/* Writes a changed client when its version is still the one that was read, and raises it by one (in
 * client too: read, change and update in the same `work`, which may run again).
 * Sets needs to what its restrictions ask for: RECORDS_FORMAT_LIFETIMES where it has lifetimes of its own.
 * OP_MISMATCH: somebody changed it meanwhile; OP_ABSENT; OP_DENIED: the stored one needs a newer version. */
must_check enum op_err clients_update(struct kv_txn *txn, Rec__Client *client);
/* OP_ABSENT. Works whatever the record's needs. */
must_check enum op_err clients_delete(struct kv_txn *txn, const char *client_id);
/* True when a client that is not disabled has a redirect URI of this origin. */
bool clients_know_origin(struct kv_txn *txn, const char *origin);
/* Clients after `after` (NULL: from the start), at most limit, into an array owned by ctx. Those
 * that a newer version must read, and damaged ones, are listed with client_id only and a needs above
 * RECORDS_FORMAT. */
must_check enum op_err clients_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit,
                                    Rec__Client ***ret, size_t *ret_count);
