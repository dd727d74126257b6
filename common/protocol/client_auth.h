#pragma once
/* How a client authenticates (RFC 6749 §2.3; OpenID Connect Core §9): reading and judging. Pure. */
#include "data/records.h"
#include "protocol/oauth_error.h"

enum client_auth_method { CLIENT_AUTH_NONE, CLIENT_AUTH_BASIC, CLIENT_AUTH_POST };

struct client_auth {
    enum client_auth_method method;
    const char *client_id;
    const char *client_secret; /* NULL for none; wiped with ctx */
    bool used_header;          /* the Authorization header was used: a failure is answered with WWW-Authenticate */
};

/* From the Authorization header (NULL when absent; client_secret_basic, both halves percent-decoded
 * as §2.3.1 says) and the form's client_id and client_secret. invalid_request: more than one method,
 * or client_ids that differ; invalid_client: a malformed header or no client_id. */
must_check enum op_err client_auth_parse(const void *ctx, const char *authorization, const char *form_client_id,
                                         const char *form_client_secret, struct client_auth *ret,
                                         struct oauth_error *ret_error);

/* Judges against the record (NULL: unknown client; costs the same and gives the same answer).
 * OP_MISMATCH with invalid_client: unknown, disabled, another method than registered, wrong secret. */
must_check enum op_err client_auth_decide(const struct client_auth *auth, const Rec__Client *client,
                                          struct oauth_error *ret_error);

/* True when the client is registered without a way to authenticate (RFC 6749 §2.1: public). */
bool client_is_public(const Rec__Client *client);
