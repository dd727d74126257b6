#pragma once
/* Token revocation (RFC 7009). A refresh token of any kept generation ends its family, and with it every
 * access token of that family, at once. So does an access token that names a family; one that names none
 * (client_credentials) is revoked by its jti. */
#include "question.h"

struct revoke_facts {
    const Rec__Client *client; /* authenticated, or public */
    const struct presented_token *token;
    const Rec__Family *family; /* the refresh token's, NULL none; dead ones too */
};

enum revoke_action {
    REVOKE_NOTHING, /* unknown or dead already: what the client wants is so (§2.2) */
    REVOKE_REFUSE,  /* issued to another client (§2.1); the same whether it is alive or dead */
    REVOKE_FAMILY,
    REVOKE_TOKEN,   /* this access token, by its jti */
};
struct revoke_plan {
    enum revoke_action action;
    struct oauth_error error; /* for REVOKE_REFUSE */
    struct bytes family_id;   /* for REVOKE_FAMILY; points into the facts */
};
/* Pure. */
struct revoke_plan revoke_decide(const struct revoke_facts *facts);

void revoke_handle(struct http_request *req);
