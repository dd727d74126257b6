#include "rows.h"

#include "protocol/oauth_error.h"

static void codes_have_their_names_and_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        enum oauth_code code;
        const char *name;
        int status;
    } rows[] = {
        {"RFC 6749 §5.2: invalid_request is 400", OAUTH_INVALID_REQUEST, "invalid_request", 400},
        {"RFC 6749 §5.2: invalid_client may be 401", OAUTH_INVALID_CLIENT, "invalid_client", 401},
        {"RFC 6749 §5.2: invalid_grant is 400", OAUTH_INVALID_GRANT, "invalid_grant", 400},
        {"RFC 6749 §5.2: unauthorized_client is 400", OAUTH_UNAUTHORIZED_CLIENT, "unauthorized_client", 400},
        {"RFC 6749 §5.2: unsupported_grant_type is 400", OAUTH_UNSUPPORTED_GRANT_TYPE, "unsupported_grant_type", 400},
        {"RFC 6749 §5.2: invalid_scope is 400", OAUTH_INVALID_SCOPE, "invalid_scope", 400},
        {"RFC 6749 §4.1.2.1", OAUTH_UNSUPPORTED_RESPONSE_TYPE, "unsupported_response_type", 400},
        {"RFC 6749 §4.1.2.1", OAUTH_ACCESS_DENIED, "access_denied", 400},
        {"RFC 6749 §4.1.2.1", OAUTH_SERVER_ERROR, "server_error", 500},
        {"RFC 6749 §4.1.2.1", OAUTH_TEMPORARILY_UNAVAILABLE, "temporarily_unavailable", 503},
        {"RFC 6750 §3.1: invalid_token is 401", OAUTH_INVALID_TOKEN, "invalid_token", 401},
        {"RFC 6750 §3.1: insufficient_scope is 403", OAUTH_INSUFFICIENT_SCOPE, "insufficient_scope", 403},
        {"RFC 8707 §2", OAUTH_INVALID_TARGET, "invalid_target", 400},
        {"Core §3.1.2.6", OAUTH_LOGIN_REQUIRED, "login_required", 400},
        {"Core §3.1.2.6", OAUTH_CONSENT_REQUIRED, "consent_required", 400},
        {"Core §3.1.2.6", OAUTH_INTERACTION_REQUIRED, "interaction_required", 400},
        {"Core §3.1.2.6", OAUTH_ACCOUNT_SELECTION_REQUIRED, "account_selection_required", 400},
        {"Core §3.1.2.6", OAUTH_REQUEST_NOT_SUPPORTED, "request_not_supported", 400},
        {"Core §3.1.2.6", OAUTH_REQUEST_URI_NOT_SUPPORTED, "request_uri_not_supported", 400},
        {"Core §3.1.2.6", OAUTH_REGISTRATION_NOT_SUPPORTED, "registration_not_supported", 400},
        {"RFC 7591 §3.2.2", OAUTH_INVALID_REDIRECT_URI, "invalid_redirect_uri", 400},
        {"RFC 7591 §3.2.2", OAUTH_INVALID_CLIENT_METADATA, "invalid_client_metadata", 400},
        {"RFC 8628 §3.5", OAUTH_AUTHORIZATION_PENDING, "authorization_pending", 400},
        {"RFC 8628 §3.5", OAUTH_SLOW_DOWN, "slow_down", 400},
        {"RFC 8628 §3.5", OAUTH_EXPIRED_TOKEN, "expired_token", 400},
        {"Unmet Authentication Requirements 1.0 §1", OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS,
         "unmet_authentication_requirements", 400},
        {"Core §3.1.2.6", OAUTH_INVALID_REQUEST_URI, "invalid_request_uri", 400},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_string(rows[i].rule, oauth_error_name(rows[i].code), rows[i].name);
        row_equal(rows[i].rule, oauth_error_status(rows[i].code), rows[i].status);
    }
    assert_int_equal(COUNT(rows), OAUTH_INVALID_REQUEST_URI); /* every code but OAUTH_OK */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(codes_have_their_names_and_statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
