#pragma once
/* Scopes: lists, subsets, and the claims each one carries (RFC 6749 §3.3, OpenID Connect Core §5.4). Pure. */
#include "base/err.h"
#include "base/mem.h"

struct scope_list {
    char **items;
    size_t count;
};

/* Splits at spaces, duplicates dropped, order kept; owned by ctx. NULL text gives none. */
struct scope_list scope_parse(const void *ctx, const char *text);
char *scope_text(const void *ctx, char *const *items, size_t count); /* joined by single spaces */
bool scope_has(const struct scope_list *list, const char *scope);
bool scope_is_subset(const struct scope_list *part, const struct scope_list *whole);
/* The items of `asked` that are in `allowed`. */
struct scope_list scope_intersect(const void *ctx, const struct scope_list *asked, const struct scope_list *allowed);

/* A scope and its claims: the standard ones and the operator's. */
struct scope_definition {
    const char *scope;
    char **claims;
    size_t claim_count;
};
struct scope_catalogue {
    struct scope_definition *items;
    size_t count;
};
/* openid, profile, email, address, phone, offline_access with their claims, and the operator's from
 * lines SCOPE:CLAIM[:CLAIM...] (one for a scope that is there adds claims to it).
 * OP_INVALID with *ret_why: a line that is none. Owned by ctx. */
must_check enum op_err scope_catalogue_make(const void *ctx, char *const *custom, size_t custom_count,
                                            struct scope_catalogue *ret, const char **ret_why);
const struct scope_definition *scope_find(const struct scope_catalogue *catalogue, const char *scope); /* NULL */
