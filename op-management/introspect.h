#pragma once
/* Token introspection (RFC 7662). Who is told what:
 * - a client about its own access tokens and refresh tokens;
 * - a resource server (a client that the operator gave introspection_allowed) also about other clients' access
 *   tokens whose aud names it: by its client_id, or by one of the audiences of its own registration.
 * About everything else, be it unknown, foreign or dead, everybody is told {"active": false} and nothing
 * more (§2.2). Public clients cannot ask: anybody could be one (§2.1, §4). */
#include "data/json.h"
#include "protocol/family.h"
#include "question.h"

struct introspect_facts {
    const Rec__Client *client; /* who asks, authenticated */
    const struct presented_token *token;
    const Rec__Family *family; /* the refresh token's; NULL: none, which for a refresh token means dead */
    enum family_verdict alive;
    struct refresh_windows windows;
    int64_t now;
};
/* Pure. True: active, and this client may know. A refresh token is active when op-token would answer it. */
bool introspect_decide(const struct introspect_facts *facts);

/* The members of an active token (§2.2), owned by ctx. Pure. user is NULL for a client's own token; the
 * username is told with the scope profile only. */
json_t *introspect_members(const void *ctx, const struct introspect_facts *facts, const Rec__User *user,
                           const char *issuer);

void introspect_handle(struct http_request *req);
