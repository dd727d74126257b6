#pragma once
/* Numbers from text and to bytes. Nothing blocks or allocates. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

/* Reads decimal digits only (no sign, no space, at least one) into *ret.
 * OP_INVALID: anything else in the text; OP_TOO_LARGE: over max. */
must_check enum op_err num_parse_u64(struct bytes text, uint64_t max, uint64_t *ret);

/* Reads an optional '-' and digits. OP_INVALID as above; OP_TOO_LARGE: outside min..max. */
must_check enum op_err num_parse_i64(struct bytes text, int64_t min, int64_t max, int64_t *ret);

/* Big-endian integers, so that keys sort as the numbers do. */
void num_put_be32(uint8_t out[4], uint32_t value);
void num_put_be64(uint8_t out[8], uint64_t value);
uint32_t num_get_be32(const uint8_t in[4]);
uint64_t num_get_be64(const uint8_t in[8]);
