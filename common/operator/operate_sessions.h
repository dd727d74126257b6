#pragma once
/* What an operator does with sign-on sessions. Inside work; nothing blocks. */
#include "data/records.h"
#include "operator/listing.h"
#include "store/kv.h"

/* As it is shown; state is "unreadable" where it needs a newer version. Owned by ctx. */
json_t *operate_session_json(const void *ctx, const Rec__Session *session);

/* At most limit, in the order of sid: the user's, or everybody's (user_id is NULL), those after sid `after` (NULL: from
 * the start). Owned by ctx. */
must_check enum op_err operate_sessions_list(struct kv_txn *txn, const void *ctx, const char *user_id,
                                             const char *after, size_t limit, struct listing *ret);
/* OP_ABSENT, OP_DENIED, OP_BROKEN. Owned by ctx. */
must_check enum op_err operate_sessions_show(struct kv_txn *txn, const void *ctx, const char *sid, json_t **ret);
/* Tokens without offline_access die with it. OP_ABSENT. */
must_check enum op_err operate_sessions_end(struct kv_txn *txn, const char *sid);

enum { OPERATE_SESSIONS_AT_ONCE = 256 };
/* Ends the user's, at most OPERATE_SESSIONS_AT_ONCE of them: when that many were ended there may be more. Whoever signs
 * a user out everywhere has moved the user's since before, and revokes the families after. */
must_check enum op_err operate_sessions_end_of_user(struct kv_txn *txn, const void *ctx, const char *user_id,
                                                    size_t *ret_count);
