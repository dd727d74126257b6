#pragma once
/* The compact form of a JWS (RFC 7515 §7.1), read but not believed: for jose.c. Nothing blocks. */
#include "data/jose.h"

struct jws {
    struct jose_header header;
    struct bytes input; /* what was signed: the token up to its second dot */
    struct bytes payload, signature; /* decoded */
};

/* Takes a token apart into memory of ctx. input points into token.
 * OP_INVALID, OP_TOO_LARGE: as jose_peek. */
must_check enum op_err jws_take_apart(const void *ctx, const char *token, struct jws *ret);
