#pragma once
/* grant_type=authorization_code (RFC 6749 §4.1.3, RFC 7636 §4.5, OpenID Connect Core §3.1.3). */
#include "protocol/family.h"
#include "token.h"

/* What the code's own environment and its neighbours say, and what the client sent. */
struct code_facts {
    const Rec__Code *code;       /* NULL: none to be had */
    const Rec__SpentCode *spent; /* NULL: not spent either; only looked at without a code */
    enum family_verdict alive;   /* of what the code granted */
    const char *client_id;       /* authenticated */
    const char *redirect_uri, *code_verifier; /* as sent; NULL absent */
    int64_t now;
};

enum code_verdict {
    CODE_REDEEM,
    CODE_REPLAY, /* refused with ret_error, and what the first use produced must die */
    CODE_REFUSE, /* refused with ret_error; the code is not spent */
};
/* Pure. ret_error is set unless the verdict is CODE_REDEEM. */
enum code_verdict code_decide(const struct code_facts *facts, struct oauth_error *ret_error);

/* Redeems in two commits: takes the code (codes), then stores the family (tokens). A replay waits up to a
 * second for the family of the first use, so that of two that race one wins, and then kills it. Replies. */
void code_grant(struct token_request *token);
