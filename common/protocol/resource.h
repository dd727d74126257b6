#pragma once
/* Resource indicators (RFC 8707): which protected resources an access token is asked for. Pure. */
#include "data/records.h"
#include "protocol/oauth_error.h"
#include "protocol/params.h"
#include "protocol/scope.h"

/* The row of a parameter table; the member is a struct param_list named resource. What is wrong with a value is
 * invalid_target (§2), which params_read does not know: resource_select() judges. */
#define RESOURCE_PARAM(type) PARAM(type, resource, PARAM_LIST, RESOURCE_BYTES_MAX, resource_is_any)
enum { RESOURCE_BYTES_MAX = 64 * 1024 }; /* more than any body */
bool resource_is_any(const char *value);

#define RESOURCE_NOT_REGISTERED "resource has one that this client is not registered for"

/* NULL when a client may be registered for this resource: an absolute URI without a fragment (§2); else what is
 * wrong, to stand after its name. */
const char *resource_problem(const char *resource);

/* The resources asked for, each once: all of them must be well-formed and among those allowed, compared character
 * by character. Empty when none is asked for. Owned by ctx. OP_INVALID with invalid_target, which says
 * refusal when one is not allowed (a static string). */
must_check enum op_err resource_select(const void *ctx, const struct param_list *asked, char *const *allowed,
                                       size_t allowed_count, const char *refusal, struct scope_list *ret,
                                       struct oauth_error *ret_error);
