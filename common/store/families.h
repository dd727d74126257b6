#pragma once
/* Refresh-token families. Absent means dead for a refresh token and alive for an access token
 * (see protocol/family.h). */
#include "data/records.h"
#include "store/kv.h"

enum { FAMILY_ID_LEN = 16 };

/* OP_ABSENT, OP_DENIED, OP_BROKEN. A dead one is returned whatever its needs: then without a grant, and a needs above
 * RECORDS_FORMAT. */
must_check enum op_err families_get(struct kv_txn *txn, const void *ctx, struct bytes family_id, Rec__Family **ret);
/* The same whatever the record's needs: to kill it. */
must_check enum op_err families_get_any(struct kv_txn *txn, const void *ctx, struct bytes family_id, Rec__Family **ret);
/* OP_EXISTS: there is one, perhaps a dead one, and it stays. Expires with the earlier of
 * idle_expires_at and expires_at, and not before dead marks may be forgotten. Sets needs to what its restrictions ask
 * for: RECORDS_FORMAT_LIFETIMES where it has an idle lifetime of its own. */
must_check enum op_err families_insert(struct kv_txn *txn, Rec__Family *family);
/* Sets needs in the same way. OP_ABSENT, OP_DENIED. */
must_check enum op_err families_update(struct kv_txn *txn, Rec__Family *family);
/* Marks it dead; one that is absent is inserted dead. The mark lives at least 24 h (no access token
 * lives longer). Works whatever the record's needs. */
must_check enum op_err families_kill(struct kv_txn *txn, struct bytes family_id, const char *reason);
/* Those after the family_id `after` (empty: from the start), dead ones too. One that cannot be read is listed with its
 * family_id only, what families_get tells of its death, and a needs above RECORDS_FORMAT. */
must_check enum op_err families_list_of_user(struct kv_txn *txn, const void *ctx, const char *user_id,
                                             struct bytes after, size_t limit, Rec__Family ***ret, size_t *ret_count);
must_check enum op_err families_list(struct kv_txn *txn, const void *ctx, struct bytes after, size_t limit,
                                     Rec__Family ***ret, size_t *ret_count);
