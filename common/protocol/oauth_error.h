#pragma once
/* OAuth and OpenID error codes (RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 7591 §3.2.2, RFC 8628
 * §3.5, RFC 8707 §2, RFC 9126 §2.3, OpenID Connect Core §3.1.2.6). */

enum oauth_code {
    OAUTH_OK = 0,
    OAUTH_INVALID_REQUEST, OAUTH_INVALID_CLIENT, OAUTH_INVALID_GRANT, OAUTH_UNAUTHORIZED_CLIENT,
    OAUTH_UNSUPPORTED_GRANT_TYPE, OAUTH_UNSUPPORTED_RESPONSE_TYPE, OAUTH_INVALID_SCOPE, OAUTH_ACCESS_DENIED,
    OAUTH_SERVER_ERROR, OAUTH_TEMPORARILY_UNAVAILABLE, OAUTH_INVALID_TOKEN, OAUTH_INSUFFICIENT_SCOPE,
    OAUTH_INVALID_TARGET, OAUTH_LOGIN_REQUIRED, OAUTH_CONSENT_REQUIRED, OAUTH_INTERACTION_REQUIRED,
    OAUTH_ACCOUNT_SELECTION_REQUIRED, OAUTH_REQUEST_NOT_SUPPORTED, OAUTH_REQUEST_URI_NOT_SUPPORTED,
    OAUTH_REGISTRATION_NOT_SUPPORTED, OAUTH_INVALID_REDIRECT_URI, OAUTH_INVALID_CLIENT_METADATA,
    OAUTH_AUTHORIZATION_PENDING, OAUTH_SLOW_DOWN, OAUTH_EXPIRED_TOKEN, OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS,
    OAUTH_INVALID_REQUEST_URI,
    OAUTH_INVALID_SOFTWARE_STATEMENT, OAUTH_UNAPPROVED_SOFTWARE_STATEMENT,
};

struct oauth_error {
    enum oauth_code code;
    /* For the developer: %x20-21 / %x23-5B / %x5D-7E only (RFC 6749 §5.2), never a secret or the
     * input itself. A static string or owned by the request. */
    const char *description;
    const char *member; /* of JSON: which one it is about, where that is known; NULL */
};

const char *oauth_error_name(enum oauth_code code); /* "invalid_request"; static */
int oauth_error_status(enum oauth_code code);       /* HTTP status at the token endpoint: 400, 401, 403, 500, 503 */
