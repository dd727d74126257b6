#pragma once
/* base64url without padding (RFC 4648 §5), base64 (§4) and hex. Strict: no white space, no stray
 * bits, no characters outside the alphabet. Results are owned by ctx. Never blocks. */
#include "base/err.h"
#include "base/mem.h"

char *codec_base64url(const void *ctx, struct bytes in);
/* OP_INVALID: not exact base64url without padding. */
must_check enum op_err codec_from_base64url(const void *ctx, struct bytes text, struct bytes *ret);

char *codec_base64(const void *ctx, struct bytes in);
/* OP_INVALID: not exact base64 with padding. */
must_check enum op_err codec_from_base64(const void *ctx, struct bytes text, struct bytes *ret);

char *codec_hex(const void *ctx, struct bytes in); /* lower case */
/* OP_INVALID: odd length or not hex digits of either case. */
must_check enum op_err codec_from_hex(const void *ctx, struct bytes text, struct bytes *ret);
