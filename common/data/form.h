#pragma once
/* application/x-www-form-urlencoded (WHATWG URL §5; RFC 6749 appendix B), for bodies and queries.
 * Results are owned by ctx; decoded text is wiped when freed: forms carry passwords, codes and tokens.
 * Nothing blocks. */
#include "base/buf.h"
#include "base/err.h"

struct form_pair {
    const char *name;  /* decoded, NUL-terminated, UTF-8, no NUL inside */
    const char *value; /* the same; "" when empty */
};

struct form {
    struct form_pair *pairs; /* in the order they came */
    size_t count;
};

/* Decodes text. max_pairs bounds the number of pairs. Empty text gives no pairs.
 * OP_INVALID: a bad percent escape, a NUL, or bytes that are not UTF-8; OP_TOO_LARGE: more pairs. */
must_check enum op_err form_parse(const void *ctx, struct bytes text, size_t max_pairs, struct form *ret);

/* The first value under name, or NULL. */
const char *form_get(const struct form *form, const char *name);
/* How many pairs have this name. */
size_t form_count(const struct form *form, const char *name);

/* Decodes one component, '+' as space. OP_INVALID as form_parse. */
must_check enum op_err form_decode(const void *ctx, struct bytes text, char **ret);

/* Appends name=value, percent-encoded, with '&' before it when the buffer is not empty. */
void form_add(struct buf *out, const char *name, const char *value);
/* Percent-encodes one component (unreserved characters of RFC 3986 §2.3 stay). */
void form_add_encoded(struct buf *out, const char *value);

/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool form_is_utf8(struct bytes text);
/* True when the bytes are UTF-8 that people see as it is: no controls (C0, DEL, C1), none that turn the direction
 * of writing (U+061C, U+200E, U+200F, U+202A-202E, U+2066-2069), no breaks of lines, nothing else without a shape
 * (U+FEFF, tags), with which a name would pass for another. U+200C and U+200D stay: words of Persian and Hindi
 * need them, and emoji. */
bool form_is_plain(struct bytes text);
