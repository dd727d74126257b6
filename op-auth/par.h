#pragma once
/* POST /as/par: pushed authorization requests (RFC 9126). */
#include "protocol/authorize_request.h"
#include "runtime/http.h"

enum { PAR_REQUEST_MAX = 16 * 1024 }; /* bytes of a request as it is kept */

struct par_facts {
    const struct form *form;             /* the body */
    const Rec__Client *client;           /* authenticated */
    const struct authorize_policy *policy;
    const json_t *hint;                  /* verified claims of id_token_hint; NULL: none, or not verified */
};
/* Pure (§2.1): would /authorize answer this request? *ret is what is kept of it, owned by ctx: the parameters of
 * an authorization request, and nothing of the client's authentication. OP_INVALID with an error of §2.3. */
must_check enum op_err par_decide(const void *ctx, const struct par_facts *facts, char **ret,
                                  struct oauth_error *ret_error);

void par_handle(struct http_request *req);
