#pragma once
/* Whom an access token is for (RFC 8707 §2.2): each request may name some of the resources that were granted; the
 * refresh token stays bound to all of them. */
#include "protocol/resource.h"
#include "protocol/scope.h"

/* Pure. The audiences of this token: those asked for, all of them among the grant's; empty when none is asked for,
 * which means the grant's. Owned by ctx. OP_INVALID with invalid_target. */
must_check enum op_err target_of_grant(const void *ctx, const struct param_list *asked, const Rec__Grant *grant,
                                       struct scope_list *ret, struct oauth_error *ret_error);
/* The same for a client on its own behalf: those asked for, all of them registered for it; else its audiences. */
must_check enum op_err target_of_client(const void *ctx, const struct param_list *asked, const Rec__Client *client,
                                        struct scope_list *ret, struct oauth_error *ret_error);
