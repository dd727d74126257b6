#pragma once
/* A client says a token: what introspection (RFC 7662 §2.1) and revocation (RFC 7009 §2.1) have in common.
 * The form is token and token_type_hint, the client authenticates. The hint is read and not needed:
 * our tokens tell by their form what they are (RFC 7009 §2.1). */
#include "protocol/access_token.h"
#include "protocol/client_auth.h"
#include "protocol/refresh_token.h"
#include "runtime/http.h"

enum token_kind {
    TOKEN_UNKNOWN, /* not one of ours, or expired */
    TOKEN_ACCESS,
    TOKEN_REFRESH, /* of the form of one: only the store can tell whether it is ours */
};
struct presented_token {
    enum token_kind kind;
    struct access_token access; /* verified */
    struct refresh_token refresh;
};

/* One request; it and all it points to are owned by http. */
struct question {
    struct http_request *http;
    struct client_auth auth;
    const char *text; /* the token as it was sent */
    Rec__Client *client; /* authenticated and not disabled, perhaps a public one */
    struct presented_token token;
    void (*answer)(struct question *question);
};

/* Reads the request, authenticates the client and looks at the token, then calls answer, which replies. Or
 * replies itself: an error of RFC 6749 §5.2, 429, 503. */
void question_ask(struct http_request *req, void (*answer)(struct question *question));

/* True when the token was issued to this client (NULL: nobody knows to whom). Pure. */
bool question_is_of_client(const char *client_id, const Rec__Client *client);
