#pragma once
/* A client's assertion of who it is, a JWT signed with its own key: private_key_jwt (RFC 7521 §4.2, RFC 7523 §2.2 and §3,
 * OpenID Connect Core §9). Reading, judging, verifying. Pure: keys and times are the caller's to bring. */
#include "data/jose.h"
#include "data/records.h"
#include "protocol/oauth_error.h"

#define CLIENT_ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
enum { CLIENT_ASSERTION_MAX = 8192, CLIENT_ASSERTION_JTI_MAX = 256 };

/* What an assertion says; nothing of it is believed before client_assertion_verify. */
struct client_assertion {
    const char *token;
    struct jose_header header;
    const char *client_id; /* iss and sub */
    char **audiences;
    size_t audience_count;
    const char *jti;
    int64_t exp;
    bool has_nbf, has_iat;
    int64_t nbf, iat;
};

/* All strings are of ctx. OP_INVALID with invalid_client: another type; no signed JWT (RFC 7523 §3 no. 9), a type of
 * JWT that is for something else (RFC 8725 §3.11), an algorithm that is no asymmetric one of ours; iss, sub, aud, exp or
 * jti missing or malformed, iss other than sub. */
must_check enum op_err client_assertion_read(const void *ctx, const char *type, const char *token,
                                             struct client_assertion *ret, struct oauth_error *ret_error);

struct client_assertion_rules {
    const char *const *audiences; /* we are any of these: the issuer, the endpoints' addresses */
    size_t audience_count;
    int64_t now, clock_skew;
    int64_t age_max;          /* seconds after iat in which it is accepted; without iat, those before exp */
    int64_t lifetime_max;     /* seconds from iat to exp */
    int64_t remembered_since; /* what was issued before might have been used already (store/guard.h, guard_made_at) */
};
/* What can be judged without the client's keys (RFC 7523 §3 no. 3 to 6). OP_MISMATCH with invalid_client. */
must_check enum op_err client_assertion_decide(const struct client_assertion *assertion,
                                               const struct client_assertion_rules *rules,
                                               struct oauth_error *ret_error);

/* Until when it is accepted, apart from clock_skew: so long its jti must be remembered. */
int64_t client_assertion_ends_at(const struct client_assertion *assertion, const struct client_assertion_rules *rules);

/* True when the client registered another algorithm than the assertion's (OpenID Connect Registration §2,
 * token_endpoint_auth_signing_alg). */
bool client_assertion_alg_differs(const struct client_assertion *assertion, const Rec__Client *client);

/* Verifies the signature with the keys of a JWK Set. OP_ABSENT: newer keys may know better: none of these has its kid
 * (where it names none: none of these verifies), which takes as long as a wrong signature; OP_MISMATCH: the signature is
 * wrong; OP_INVALID: it is no JWK Set. Up to a millisecond of CPU. */
must_check enum op_err client_assertion_verify(const struct client_assertion *assertion, struct bytes jwks);

/* The same work where there is no client or no key, so that nobody learns that by the clock. */
void client_assertion_verify_in_vain(const struct client_assertion *assertion);
