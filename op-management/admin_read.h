#pragma once
/* What a call of the administration API says: query, preconditions, body. Pure; results are owned by ctx. */
#include "admin.h"
#include "data/form.h"

/* limit, cursor and the operation's filters, each once, nothing else. OP_INVALID with the refusal. */
must_check enum op_err admin_read_query(const void *ctx, const struct admin_operation *operation, struct bytes text,
                                        struct form *ret_form, size_t *ret_limit, const char **ret_after,
                                        struct refusal *ret_refusal);

/* A place in the list of one operation, opaque to the caller. Reading: OP_INVALID when it is none of this list. */
char *admin_cursor(const void *ctx, const struct admin_operation *operation, const char *after);
must_check enum op_err admin_read_cursor(const void *ctx, const struct admin_operation *operation, const char *text,
                                         const char **ret);

/* If-Match or If-None-Match (RFC 9110 §13.1): "*" or entity tags; field is NULL without one. A weak tag is one of
 * ours only where weak is true. OP_INVALID: malformed. */
must_check enum op_err admin_read_match(const void *ctx, const char *field, bool weak, struct admin_match *ret);
bool admin_matches(const struct admin_match *match, uint64_t version);

/* A JSON object with members of the schema that have the use (ADMIN_NEW or ADMIN_CHANGE), each of its type. OP_INVALID
 * with the refusal, which names the member. */
must_check enum op_err admin_read_body(const void *ctx, const struct admin_schema *schema, enum admin_use use,
                                       struct bytes text, json_t **ret, struct refusal *ret_refusal);
