#pragma once
/* A client manages its own registration (RFC 7592): GET, PUT and DELETE of /register/CLIENT_ID, with the
 * registration access token that it got when it registered.
 *
 * The token stays the same for the life of the registration: RFC 7592 §2.2 would allow another one at each update, but
 * whoever loses that answer could never manage its client again, and a thief would take the next one as well. */
#include "data/json.h"
#include "protocol/client_metadata.h"
#include "runtime/http.h"
#include "store/kv.h"

enum { REGISTRATION_ALGS_MAX = 8 };

/* What may be registered just now: owned by the request. */
struct registration_rules {
    struct scope_list scopes;
    enum jose_alg algs[REGISTRATION_ALGS_MAX]; /* those that there are current keys of */
    size_t alg_count;
};
/* Loads them. extra is the record that the client has: what the operator gave it may be kept; NULL none. */
must_check enum op_err registration_load_rules(struct kv_txn *txn, const void *ctx, const Rec__Client *extra,
                                               struct registration_rules *ret);

/* Reads the body, a JSON object, by the rules. OP_INVALID with invalid_request or an error of client_metadata_read. */
must_check enum op_err registration_read(struct http_request *req, const struct registration_rules *rules,
                                         json_t **ret_metadata, Rec__Client **ret, struct oauth_error *ret_error);

/* Gives the client the secret if it needs one and has none, and takes it away if it needs none. True when given. */
bool registration_settle_secret(const void *ctx, Rec__Client *client, const char *fresh);

/* The client information response (RFC 7591 §3.2.1), owned by ctx. secret is NULL unless it is shown now. Pure. */
json_t *registration_members(const void *ctx, const Rec__Client *client, const char *issuer, const char *token,
                             const char *secret);

/* True when the token is that of this client (NULL: there is none), which is not disabled and has no
 * powers at the administration API: who has any is changed on the machine only. Pure. */
bool registration_is_managed_by(const Rec__Client *client, const char *token);

/* What RFC 7592 §2.2 asks of an update beside its metadata: the client_id, no secret but the present one, nothing
 * that is ours to say. OP_INVALID with invalid_client_metadata. Pure. */
must_check enum op_err registration_check_update(const json_t *metadata, const Rec__Client *client,
                                                 struct oauth_error *ret_error);

void registration_handle(struct http_request *req);
