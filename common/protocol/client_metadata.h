#pragma once
/* Client metadata (RFC 7591 §2, OpenID Connect Dynamic Client Registration 1.0 §2): from JSON into a client's record
 * and back. Pure.
 *
 * Members that are null count as absent; those that nobody here knows, and names with a language tag
 * (client_name#de), are ignored (RFC 7591 §2, §2.2). What we know and do not offer is ignored where the client loses
 * nothing by it, and refused where it would rely on it: encrypted or signed answers, pairwise subjects, bound tokens. */
#include "data/jose.h"
#include "data/records.h"
#include "protocol/oauth_error.h"
#include "protocol/scope.h"

enum { CLIENT_LIFETIME_MAX = 10 * 365 * 86400 }; /* seconds: what the house's own settings can be */

struct client_metadata_rules {
    const struct scope_list *scopes; /* what may be registered; all of it for a client that names none. NULL: any may, and
                                        a client that names none has none */
    const enum jose_alg *id_token_algs; /* that ID tokens can be signed with */
    size_t id_token_alg_count;
    bool by_operator; /* reads the operator's members, too: audiences, first_party, refresh_token_lifetime, ... */
};
/* True for the members that are read, the operator's among them. */
bool client_metadata_knows(const char *name);

/* Reads what a client says about itself. *ret is a new record, owned by ctx, with those fields only, defaults
 * filled in: no client_id, no secret. OP_INVALID with invalid_redirect_uri, invalid_client_metadata,
 * invalid_software_statement or unapproved_software_statement and a description that names the member, owned by ctx. */
must_check enum op_err client_metadata_read(const void *ctx, const json_t *metadata,
                                            const struct client_metadata_rules *rules, Rec__Client **ret,
                                            struct oauth_error *ret_error);

/* Gives client the metadata of another record, and takes back what that one lacks (RFC 7592 §2.2: an update replaces
 * all). What is the operator's and ours (identifiers, hashes, first_party, audiences, ...) stays. The strings are
 * shared. */
void client_metadata_replace(Rec__Client *client, const Rec__Client *from);
/* The same with the operator's members. */
void client_metadata_replace_all(Rec__Client *client, const Rec__Client *from);

/* Adds the members that a client registered (RFC 7591 §3.2.1) to object; lists and strings are copied. */
void client_metadata_set(const void *ctx, json_t *object, const Rec__Client *client);
/* The same with the operator's members. */
void client_metadata_set_all(const void *ctx, json_t *object, const Rec__Client *client);
