#pragma once
/* What an operator does with clients. A registration is written as JSON, in the names of RFC 7591 and
 * protocol/client_metadata.h with the operator's members; a change is a merge patch of it (RFC 7396). Nothing blocks. */
#include "data/records.h"
#include "operator/listing.h"
#include "operator/refusal.h"
#include "protocol/family.h"
#include "protocol/scope.h"
#include "store/kv.h"

enum { OPERATE_CLIENT_ID_BYTES = 16, OPERATE_CLIENT_SECRET_BYTES = 32 }; /* of rand_token */

/* Where the operator is. Who came over the network neither gives nor uses powers at the administration API: a client
 * that has any is changed, enabled or given a secret on the machine only, or it could be had by who may less. */
enum operate_place { OPERATE_ON_MACHINE, OPERATE_OVER_NETWORK };

/* What a change or a new client is judged by. */
struct operate_client_rules {
    enum operate_place place;
    struct family_lifetimes house; /* no client's refresh tokens live longer than the house's */
};

/* Random strings, made before the work that may need them, which may run again. */
struct operate_client_fresh {
    const char *client_id, *secret;
};

/* True when people sign in to it, by codes or by devices. Pure. */
bool operate_client_is_for_people(const Rec__Client *client);
/* As it is shown, with state (enabled, disabled, unreadable), created_at and since; without secrets. Owned by ctx. */
json_t *operate_client_json(const void *ctx, const Rec__Client *client);

/* A new client as the document says it, not stored yet. What is left open: the grants authorization_code and
 * refresh_token, all scopes of the catalogue if people sign in to it, and what client_metadata.h says. *ret has
 * fresh's client_id, and its secret's hash where the client needs one; *ret_secret is then that secret, else NULL. All
 * owned by ctx, but the secret. OP_INVALID: *ret_refusal says why. Pure. */
must_check enum op_err operate_clients_make(const void *ctx, const json_t *document,
                                            const struct scope_catalogue *catalogue,
                                            const struct operate_client_rules *rules,
                                            const struct operate_client_fresh *fresh, Rec__Client **ret,
                                            const char **ret_secret, struct refusal *ret_refusal);

/* The rest is for inside work. All: OP_ABSENT, OP_DENIED (needs a newer version), OP_BROKEN; what is returned is owned by
 * ctx. */

/* Stores what operate_clients_make made; sets created_at. OP_EXISTS. */
must_check enum op_err operate_clients_add(struct kv_txn *txn, Rec__Client *client);
/* In the order of client_id, those after `after` (NULL: from the start). */
must_check enum op_err operate_clients_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit,
                                            struct listing *ret);
must_check enum op_err operate_clients_show(struct kv_txn *txn, const void *ctx, const char *client_id,
                                            Rec__Client **ret);
/* Changes it by the patch; a list that is given replaces the one there was, response_types follow the grants, keys by
 * value and by address replace each other. One that is given powers, or has had any, loses its registration access
 * token: that would be a way to them over the network. *ret_secret is fresh_secret when the client needs one now and had none, else
 * NULL. OP_INVALID: *ret_refusal says why, and nothing is written. */
must_check enum op_err operate_clients_change(struct kv_txn *txn, const void *ctx, const char *client_id,
                                              const json_t *patch, const struct operate_client_rules *rules,
                                              const char *fresh_secret, Rec__Client **ret, const char **ret_secret,
                                              struct refusal *ret_refusal);
/* Another secret; the old one stops working. OP_INVALID as above: it has none, being public or having keys. */
must_check enum op_err operate_clients_secret(struct kv_txn *txn, const void *ctx, const char *client_id,
                                              enum operate_place place, const char *fresh_secret,
                                              Rec__Client **ret, struct refusal *ret_refusal);
/* Refuses it everywhere from now on; what it was granted before its since, which is moved, is dead for good. */
must_check enum op_err operate_clients_disable(struct kv_txn *txn, const void *ctx, const char *client_id,
                                               Rec__Client **ret);
/* Lets it work again; its old tokens stay dead. OP_INVALID as above. */
must_check enum op_err operate_clients_enable(struct kv_txn *txn, const void *ctx, const char *client_id,
                                              enum operate_place place, Rec__Client **ret,
                                              struct refusal *ret_refusal);
/* Its tokens die with it. Works whatever the record's needs. */
must_check enum op_err operate_clients_remove(struct kv_txn *txn, const char *client_id);
