#pragma once
/* grant_type=client_credentials (RFC 6749 §4.4): a client for itself. */
#include "token.h"

/* Pure. Which scopes the client gets: those asked for, all of them registered; when none is asked, all
 * that are registered (RFC 6749 §3.3). Scopes of the catalogue speak of a person, and there is none: they
 * are left out, and invalid_scope when asked for. Result owned by ctx. unauthorized_client: a public client. */
must_check enum op_err client_credentials_decide(const void *ctx, const Rec__Client *client,
                                                 const struct scope_list *asked,
                                                 const struct scope_catalogue *catalogue, struct scope_list *ret,
                                                 struct oauth_error *ret_error);

/* Replies; writes nothing and hands out no refresh token (§4.4.3). */
void client_credentials_grant(struct token_request *token);
