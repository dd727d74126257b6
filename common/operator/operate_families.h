#pragma once
/* What an operator does with families of refresh tokens: all that one sign-in at one client was given. Inside work;
 * nothing blocks. */
#include "data/records.h"
#include "operator/listing.h"
#include "store/kv.h"

/* A family as people name it: base64url of its family_id. OP_INVALID: it is none. Owned by ctx. */
must_check enum op_err operate_family_id(const void *ctx, const char *family, struct bytes *ret);
char *operate_family_name(const void *ctx, const Rec__Family *family);

/* As it is shown. state is where it stands by itself (alive, expired, dead, unreadable), as its client's lifetimes of
 * today make it (NULL: as it was granted); whether its session, user, client and consent are still there is not asked.
 * Owned by ctx. */
json_t *operate_family_json(const void *ctx, const Rec__Family *family, const Rec__Client *client, int64_t now);

struct operate_families_filter {
    const char *user_id, *client_id; /* only those; NULL: any */
};
/* Dead ones too, in the order of their family_id, those after the family `after` (as people name it; NULL: from the
 * start). At most limit, and perhaps fewer though more follow: of other clients' families no more than a few thousand
 * are looked at at once. Reads clients, too. OP_INVALID: `after` names no family. Owned by ctx. */
must_check enum op_err operate_families_list(struct kv_txn *txn, const void *ctx,
                                             const struct operate_families_filter *filter, const char *after,
                                             size_t limit, struct listing *ret);
/* Reads clients, too. OP_INVALID: it is no name of one; OP_ABSENT, OP_DENIED, OP_BROKEN. Owned by ctx. */
must_check enum op_err operate_families_show(struct kv_txn *txn, const void *ctx, const char *family, json_t **ret);
/* Its refresh and access tokens are refused from now on. One that is not there is marked dead too: an access token may
 * name it. OP_INVALID: it is no name of one. */
must_check enum op_err operate_families_revoke(struct kv_txn *txn, const void *ctx, const char *family);

/* Revokes those of the filter that live, those that a newer version must read among them, by name after `after` (NULL: from the start), looking at a few thousand at
 * most. *ret_revoked is an array of their names; *ret_next what to go on after, NULL when all were looked at. Both
 * owned by ctx. */
must_check enum op_err operate_families_revoke_all(struct kv_txn *txn, const void *ctx,
                                                   const struct operate_families_filter *filter, const char *reason,
                                                   const char *after, json_t **ret_revoked, const char **ret_next);
