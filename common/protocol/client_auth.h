#pragma once
/* How a client authenticates (RFC 6749 §2.3; OpenID Connect Core §9): reading and judging. Pure. */
#include "protocol/client_assertion.h"

enum client_auth_method { CLIENT_AUTH_NONE, CLIENT_AUTH_BASIC, CLIENT_AUTH_POST, CLIENT_AUTH_ASSERTION };

struct client_auth {
    enum client_auth_method method;
    const char *client_id;
    const char *client_secret; /* NULL for none; wiped with ctx */
    bool used_header;          /* the Authorization header was used: a failure is answered with WWW-Authenticate */
    const struct client_assertion *assertion; /* of CLIENT_AUTH_ASSERTION: read, not verified */
};

/* What the form says of the client; each NULL or "" when absent. */
struct client_auth_form {
    const char *client_id, *client_secret, *client_assertion_type, *client_assertion;
};

/* From the Authorization header (NULL when absent; client_secret_basic, both halves percent-decoded
 * as §2.3.1 says) and the form. invalid_request: more than one method, half an assertion, or client_ids that
 * differ; invalid_client: a malformed header or assertion, or no client_id. */
must_check enum op_err client_auth_parse(const void *ctx, const char *authorization,
                                         const struct client_auth_form *form, struct client_auth *ret,
                                         struct oauth_error *ret_error);

/* Judges against the record (NULL: unknown client; costs the same and gives the same answer).
 * OP_MISMATCH with invalid_client: unknown, disabled, another method than registered, wrong secret, another algorithm
 * than registered. OP_OK for an assertion: there is its signature still to verify. */
must_check enum op_err client_auth_decide(const struct client_auth *auth, const Rec__Client *client,
                                          struct oauth_error *ret_error);
/* The words for every failure of these, so that a stranger learns nothing. */
extern const char CLIENT_AUTH_FAILED[];

/* True when the client authenticates with a secret that it shares with us. */
bool client_has_secret(const Rec__Client *client);

/* True for the token_endpoint_auth_method (RFC 7591 §2) of a method above. */
bool client_auth_is_supported(const char *token_endpoint_auth_method);

/* True when the client is registered without a way to authenticate (RFC 6749 §2.1: public). */
bool client_is_public(const Rec__Client *client);
