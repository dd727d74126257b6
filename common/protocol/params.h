#pragma once
/* The FIELDS table of `parse`: one row per parameter, read into a typed struct. Pure. */
#include "data/form.h"
#include "protocol/oauth_error.h"

enum param_flag {
    PARAM_OPTIONAL = 0,
    PARAM_REQUIRED = 1,
    PARAM_LIST = 2, /* may come more than once: the target is struct param_list (RFC 8707 resource) */
};

struct param_list {
    const char **items;
    size_t count;
};

struct param {
    const char *name;
    size_t offset;      /* of a const char * (or struct param_list) in the output struct */
    unsigned flags;
    size_t max;         /* bytes of the decoded value */
    bool (*check)(const char *value); /* NULL: anything printable (no control characters) */
};

#define PARAM(type, member, flags, max, check) {#member, offsetof(type, member), (flags), (max), (check)}

/* Fills out (zeroed first) from form. Unknown parameters are ignored; one without a value counts as
 * absent (RFC 6749 §3.1); one that comes twice, is too long, has control characters or fails its
 * check is invalid_request with a description that names it: OP_INVALID, out untouched. Strings point
 * into the form, lists and descriptions are of ctx. */
must_check enum op_err params_read(const void *ctx, const struct param *table, size_t count, const struct form *form,
                                   void *out, size_t out_size, struct oauth_error *ret_error);

/* Checks for tables. */
bool param_is_vschar(const char *value);        /* RFC 6749 appendix A: %x20-7E */
bool param_is_scope(const char *value);         /* scope-token *( SP scope-token ) */
bool param_is_b64url(const char *value);        /* [A-Za-z0-9_-]+ */
bool param_is_number(const char *value);        /* digits, at most 10 */
