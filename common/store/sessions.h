#pragma once
/* Sign-on sessions: by sid, by the hash of the cookie's secret, by user. Expired ones are absent. */
#include "data/records.h"
#include "store/kv.h"

must_check enum op_err sessions_get(struct kv_txn *txn, const void *ctx, const char *sid, Rec__Session **ret);
/* cookie is the secret as the browser sent it; only its SHA-256 is stored. */
must_check enum op_err sessions_find(struct kv_txn *txn, const void *ctx, const char *cookie, Rec__Session **ret);
/* OP_EXISTS: the sid is taken. Indexes by cookie_hash and user_id; expires with the earlier of
 * idle_expires_at and expires_at. */
must_check enum op_err sessions_insert(struct kv_txn *txn, const Rec__Session *session);
/* Writes a changed session back (its cookie_hash may be a new one: the old cookie stops working).
 * OP_ABSENT: it ended meanwhile and stays ended. */
must_check enum op_err sessions_update(struct kv_txn *txn, const Rec__Session *session);
/* OP_ABSENT. Works whatever the record's needs. */
must_check enum op_err sessions_end(struct kv_txn *txn, const char *sid);
/* The same, of this user's sessions only. OP_ABSENT: it is not among them. */
must_check enum op_err sessions_end_of_user(struct kv_txn *txn, const char *user_id, const char *sid);
/* Those after sid `after` (NULL: from the start). One that cannot be read is listed with its sid only, and a needs above
 * RECORDS_FORMAT. */
must_check enum op_err sessions_list_of_user(struct kv_txn *txn, const void *ctx, const char *user_id,
                                             const char *after, size_t limit, Rec__Session ***ret, size_t *ret_count);
/* All sessions after sid `after` (NULL: from the start). */
must_check enum op_err sessions_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit,
                                     Rec__Session ***ret, size_t *ret_count);
