/* RFC 6749 §4.4, a row per sentence; §3.3 for the scopes. */
#include "rows.h"

#include "client_credentials.h"

static const struct row {
    const char *sentence;
    const char *method;
    const char *registered, *asked;
    enum op_err result;
    enum oauth_code error;
    const char *scopes;
} ROWS[] = {
    {"the grant must only be used by confidential clients",
     "none", "api:read", NULL, OP_INVALID, OAUTH_UNAUTHORIZED_CLIENT, NULL},
    {"a confidential client gets what it asks for",
     "client_secret_basic", "api:read api:write", "api:read", OP_OK, OAUTH_OK, "api:read"},
    {"in either place for its secret",
     "client_secret_post", "api:read api:write", "api:write", OP_OK, OAUTH_OK, "api:write"},
    {"a client without a method uses Basic", NULL, "api:read", "api:read", OP_OK, OAUTH_OK, "api:read"},
    {"if scope is omitted, a pre-defined default: all that is registered (§3.3)",
     "client_secret_basic", "api:read api:write", NULL, OP_OK, OAUTH_OK, "api:read api:write"},
    {"but nothing that speaks of a person",
     "client_secret_basic", "openid profile api:read offline_access groups", NULL, OP_OK, OAUTH_OK, "api:read"},
    {"the default may be empty", "client_secret_basic", "openid profile", NULL, OP_OK, OAUTH_OK, ""},
    {"a scope that is not registered",
     "client_secret_basic", "api:read", "api:read admin", OP_INVALID, OAUTH_INVALID_SCOPE, NULL},
    {"openid: there is nobody to identify",
     "client_secret_basic", "openid api:read", "openid", OP_INVALID, OAUTH_INVALID_SCOPE, NULL},
    {"offline_access: no refresh token (§4.4.3)",
     "client_secret_basic", "offline_access api:read", "api:read offline_access", OP_INVALID, OAUTH_INVALID_SCOPE, NULL},
    {"the operator's scopes with claims are about a person, too",
     "client_secret_basic", "groups", "groups", OP_INVALID, OAUTH_INVALID_SCOPE, NULL},
};

static void every_sentence(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct scope_catalogue catalogue;
    const char *why;
    assert_int_equal(scope_catalogue_make(ctx, (char *[]){(char[]){"groups:groups"}}, 1, &catalogue, &why), OP_OK);
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct row *row = &ROWS[i];
        struct scope_list registered = scope_parse(ctx, row->registered), asked = scope_parse(ctx, row->asked), got;
        Rec__Client client = REC__CLIENT__INIT;
        client.token_endpoint_auth_method = (char *)(uintptr_t)row->method;
        client.scopes = registered.items;
        client.n_scopes = registered.count;
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err result = client_credentials_decide(ctx, &client, &asked, &catalogue, &got, &error);
        row_equal(row->sentence, result, row->result);
        row_equal(row->sentence, error.code, row->error);
        if (row->result == OP_OK)
            row_string(row->sentence, scope_text(ctx, got.items, got.count), row->scopes);
    }
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_sentence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
