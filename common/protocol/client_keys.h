#pragma once
/* The keys that a client publishes (RFC 7517 §5; RFC 7591 §2 jwks, jwks_uri): which of them may have signed, and what
 * may be registered. Pure. */
#include "data/jose.h"

enum { CLIENT_KEYS_MAX = 100, CLIENT_KEYS_TRIED_MAX = 8, CLIENT_KEYS_ALG_COUNT = 5 };
/* What clients may sign with. */
extern const enum jose_alg CLIENT_KEYS_ALGS[CLIENT_KEYS_ALG_COUNT];
bool client_keys_alg_is_offered(enum jose_alg alg);

/* The public keys of a JWK Set that header allows: of its alg, and its kid where it names one. Keys of other kinds, and
 * what is no key at all, are left out (§5); private ones too. At most CLIENT_KEYS_TRIED_MAX, owned by ctx.
 * OP_ABSENT: the set has none; OP_INVALID: it is no JWK Set. */
must_check enum op_err client_keys_find(const void *ctx, struct bytes jwks, const struct jose_header *header,
                                        struct jose_key ***ret, size_t *ret_count);

/* A JWK Set with a key of every kind, whose other halves were thrown away. */
struct bytes client_keys_of_nobody(void);

/* NULL when text may be registered as a client's jwks, else what is wrong (static text): no JWK Set of one to
 * CLIENT_KEYS_MAX keys, a private or symmetric one among them (RFC 7591 §2), none that can verify alg (JOSE_ALG_NONE:
 * any that is offered). */
const char *client_keys_problem(const char *text, enum jose_alg alg);
/* The same of a jwks_uri: https, without user and fragment. Whether it leads anywhere is seen at its first use. */
const char *client_keys_uri_problem(const char *text);
