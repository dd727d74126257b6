#pragma once
/* JSON through jansson: strict reading of untrusted bytes, typed access, json_t values that live in
 * a talloc context. Nothing blocks. */
#include <jansson.h>

#include "base/err.h"
#include "base/mem.h"

/* Parses untrusted text: duplicate keys refused, depth and size bounded (256 KiB, 32 deep).
 * Any JSON value, not only objects. It is owned by ctx (json_decref when ctx is freed).
 * OP_INVALID, OP_TOO_LARGE. */
must_check enum op_err json_read(const void *ctx, struct bytes text, json_t **ret);

/* The same, and in words what is wrong (no value is repeated in them): *ret_why is part of a sentence, owned by ctx;
 * *ret_member is the name that an object has twice, owned by ctx, and *ret_why then stands after it; else it is left. */
must_check enum op_err json_read_explained(const void *ctx, struct bytes text, json_t **ret, const char **ret_why,
                                           const char **ret_member);

/* Hands one reference of value to ctx. Returns value; aborts when value is NULL (out of memory). */
json_t *json_own(const void *ctx, json_t *value);

/* A new empty object or array owned by ctx. */
json_t *json_make_object(const void *ctx);
json_t *json_make_array(const void *ctx);

/* Sets a member. A NULL string or value leaves the object as it was. Bytes of a string that is not
 * UTF-8 become U+FFFD. Abort when memory runs out. */
void json_set_string(json_t *object, const char *key, const char *value);
void json_set_int(json_t *object, const char *key, int64_t value);
void json_set_bool(json_t *object, const char *key, bool value);
void json_set(json_t *object, const char *key, json_t *value);         /* keeps the caller's reference */
void json_set_strings(json_t *object, const char *key, char *const *values, size_t count); /* an array */
void json_append_string(json_t *array, const char *value);
/* A time as RFC 3339 text in UTC; 0 is left out. */
void json_set_time(json_t *object, const char *key, int64_t seconds);

/* Changes object by a merge patch (RFC 7396), an object: null takes a member back, an object changes the member that
 * is one, any other value takes its place. The patch stays as it was. */
void json_merge(json_t *object, const json_t *patch);

/* Typed reads. OP_ABSENT: no such member (or null); OP_INVALID: another type. */
must_check enum op_err json_get_string(const json_t *object, const char *key, const char **ret);
must_check enum op_err json_get_int(const json_t *object, const char *key, int64_t *ret);
must_check enum op_err json_get_bool(const json_t *object, const char *key, bool *ret);

/* Compact text, keys in insertion order, owned by ctx. */
char *json_text(const void *ctx, const json_t *value);
