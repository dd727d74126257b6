/* What the documents say, and how they are served. */
#include "rows.h"

#include "data/json.h"
#include "document.h"
#include "metadata.h"

static const enum jose_alg ALGS[] = {JOSE_RS256, JOSE_ES256};

static json_t *text_of(void *ctx, struct metadata metadata, char *const *custom, size_t custom_count)
{
    static char *locales[] = {"en", "de"};
    static const struct conf_list locale_list = {locales, 2};
    struct scope_catalogue *catalogue = mem_new(ctx, struct scope_catalogue);
    const char *why;
    assert_int_equal(scope_catalogue_make(ctx, custom, custom_count, catalogue, &why), OP_OK);
    metadata.catalogue = catalogue;
    metadata.locales = &locale_list;
    metadata.algs = ALGS;
    metadata.alg_count = COUNT(ALGS);
    json_t *value;
    assert_int_equal(json_read(ctx, bytes_of(metadata_text(ctx, &metadata)), &value), OP_OK);
    return value;
}

static bool lists(const json_t *object, const char *key, const char *value)
{
    const json_t *array = json_object_get(object, key);
    for (size_t i = 0; i < json_array_size(array); i++)
        if (strcmp(json_string_value(json_array_get(array, i)), value) == 0)
            return true;
    return false;
}

static void endpoints_are_below_the_issuer(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"issuer", "https://op.example/tenant"},
        {"authorization_endpoint", "https://op.example/tenant/authorize"},
        {"pushed_authorization_request_endpoint", "https://op.example/tenant/as/par"},
        {"token_endpoint", "https://op.example/tenant/token"},
        {"userinfo_endpoint", "https://op.example/tenant/userinfo"},
        {"jwks_uri", "https://op.example/tenant/.well-known/jwks.json"},
        {"end_session_endpoint", "https://op.example/tenant/logout"},
        {"introspection_endpoint", "https://op.example/tenant/introspect"},
        {"revocation_endpoint", "https://op.example/tenant/revoke"},
        {"device_authorization_endpoint", "https://op.example/tenant/device_authorization"},
    };
    void *ctx = mem_root("test");
    json_t *text = text_of(ctx, (struct metadata){.issuer = "https://op.example/tenant"}, NULL, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *value = NULL;
        assert_int_equal(json_get_string(text, rows[i].name, &value), OP_OK);
        row_string(rows[i].name, value, rows[i].value);
    }
    assert_null(json_object_get(text, "registration_endpoint"));
    text = text_of(ctx, (struct metadata){.issuer = "https://op.example/tenant", .registration = true}, NULL, 0);
    row_string("registration", json_string_value(json_object_get(text, "registration_endpoint")),
               "https://op.example/tenant/register");
    talloc_free(ctx);
}

static void lists_say_exactly_what_works(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"scopes_supported", "[\"openid\",\"profile\",\"email\",\"address\",\"phone\",\"offline_access\"]"},
        {"response_types_supported", "[\"code\"]"},
        {"response_modes_supported", "[\"query\",\"fragment\",\"form_post\"]"},
        {"grant_types_supported", "[\"authorization_code\",\"refresh_token\",\"client_credentials\",\"urn:ietf:params:oauth:grant-type:device_code\"]"},
        {"subject_types_supported", "[\"public\"]"},
        {"id_token_signing_alg_values_supported", "[\"RS256\",\"ES256\"]"},
        {"token_endpoint_auth_methods_supported",
         "[\"client_secret_basic\",\"client_secret_post\",\"private_key_jwt\",\"none\"]"},
        {"token_endpoint_auth_signing_alg_values_supported",
         "[\"RS256\",\"PS256\",\"ES256\",\"ES384\",\"EdDSA\"]"},
        {"revocation_endpoint_auth_methods_supported",
         "[\"client_secret_basic\",\"client_secret_post\",\"private_key_jwt\",\"none\"]"},
        {"revocation_endpoint_auth_signing_alg_values_supported",
         "[\"RS256\",\"PS256\",\"ES256\",\"ES384\",\"EdDSA\"]"},
        {"introspection_endpoint_auth_methods_supported",
         "[\"client_secret_basic\",\"client_secret_post\",\"private_key_jwt\"]"},
        {"introspection_endpoint_auth_signing_alg_values_supported",
         "[\"RS256\",\"PS256\",\"ES256\",\"ES384\",\"EdDSA\"]"},
        {"code_challenge_methods_supported", "[\"S256\"]"},
        {"prompt_values_supported", "[\"none\",\"login\",\"consent\",\"select_account\"]"},
        {"acr_values_supported", "[\"1\"]"},
        {"ui_locales_supported", "[\"en\",\"de\"]"},
        {"require_pushed_authorization_requests", "false"},
        {"claims_parameter_supported", "true"},
        {"request_parameter_supported", "false"},
        {"request_uri_parameter_supported", "false"},
        {"authorization_response_iss_parameter_supported", "true"},
        /* nothing that does not work */
        {"registration_endpoint", NULL},
        {"backchannel_logout_supported", NULL},
        {"check_session_iframe", NULL},
        {"userinfo_signing_alg_values_supported", NULL},
        {"request_object_signing_alg_values_supported", NULL},
    };
    void *ctx = mem_root("test");
    json_t *text = text_of(ctx, (struct metadata){.issuer = "https://op.example", .acr = "1"}, NULL, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *member = json_object_get(text, rows[i].name);
        char *got = member == NULL ? NULL : json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY);
        row_string(rows[i].name, got, rows[i].text);
        free(got);
    }
    talloc_free(ctx);
}

static void settings_show(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *custom[] = {"groups:groups", "hr:title:email"};
    json_t *text = text_of(ctx, (struct metadata){.issuer = "https://op.example", .plain_pkce = true, .must_push = true}, custom, 2);
    assert_true(lists(text, "scopes_supported", "groups") && lists(text, "scopes_supported", "hr"));
    assert_true(lists(text, "claims_supported", "groups") && lists(text, "claims_supported", "title"));
    assert_true(lists(text, "claims_supported", "sub") && lists(text, "claims_supported", "birthdate"));
    assert_true(lists(text, "code_challenge_methods_supported", "plain"));
    assert_true(json_is_true(json_object_get(text, "require_pushed_authorization_requests")));
    assert_null(json_object_get(text, "acr_values_supported"));
    size_t emails = 0;
    const json_t *claims = json_object_get(text, "claims_supported");
    for (size_t i = 0; i < json_array_size(claims); i++)
        emails += strcmp(json_string_value(json_array_get(claims, i)), "email") == 0;
    assert_int_equal(emails, 1);
    talloc_free(ctx);
}

static void the_issuers_path_is_inserted(void **state)
{
    (void)state;
    static const char prefix[] = "/.well-known/oauth-authorization-server/";
    static const struct {
        const char *path, *issuer;
        bool ours;
    } rows[] = {
        {"/.well-known/oauth-authorization-server/tenant", "https://op.example/tenant", true},
        {"/.well-known/oauth-authorization-server/a/b", "https://op.example:8443/a/b", true},
        {"/.well-known/oauth-authorization-server/a", "https://op.example/a/b", false},
        {"/.well-known/oauth-authorization-server/a/b/c", "https://op.example/a/b", false},
        {"/.well-known/oauth-authorization-server/tenant/", "https://op.example/tenant", false},
        {"/.well-known/oauth-authorization-server/tenant", "https://op.example", false},
        {"/.well-known/oauth-authorization-server/", "https://op.example", false},
        {"/.well-known/openid-configuration/tenant", "https://op.example/tenant", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].path, metadata_path_is_ours(rows[i].path, prefix, rows[i].issuer), rows[i].ours);
}

static void known_documents_are_not_sent_again(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        bool known;
    } rows[] = {
        {NULL, false},
        {"", false},
        {"\"abc\"", true},
        {"W/\"abc\"", true},
        {"*", true},
        {"\"x\", \"abc\"", true},
        {"\"x\",W/\"y\" , W/\"abc\"", true},
        {"\"a,b\", \"abc\"", true},
        {"\"abcd\"", false},
        {"\"xabc\"", false},
        {"\"ABC\"", false},
        {"abc", false},
        {"\"abc", false},
        {"\"x\" \"abc\"", true},
        {"\"x, \"abc\"", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].field == NULL ? "(none)" : rows[i].field, document_is_known(rows[i].field, "\"abc\""),
                  rows[i].known);
}

static void another_text_has_another_etag(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct document a = document_make(ctx, "{}"), b = document_make(ctx, "{}"), c = document_make(ctx, "{ }");
    assert_string_equal(a.etag, b.etag);
    assert_string_not_equal(a.etag, c.etag);
    assert_true(a.etag[0] == '"' && a.etag[strlen(a.etag) - 1] == '"');
    talloc_free(ctx);
}

static void a_shared_cache_keeps_no_longer_than_a_client(void **state)
{
    (void)state;
    static const struct {
        struct document_life life;
        const char *field;
    } rows[] = {
        {{3600, 10}, "public, max-age=3600, s-maxage=10"},
        {{5, 10}, "public, max-age=5, s-maxage=5"},
        {{0, 10}, "public, max-age=0, s-maxage=0"},
        {{3600, 0}, "public, max-age=3600, s-maxage=0"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++)
        row_string(rows[i].field, document_cache_control(ctx, rows[i].life), rows[i].field);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_below_the_issuer),
        cmocka_unit_test(lists_say_exactly_what_works),
        cmocka_unit_test(settings_show),
        cmocka_unit_test(the_issuers_path_is_inserted),
        cmocka_unit_test(known_documents_are_not_sent_again),
        cmocka_unit_test(another_text_has_another_etag),
        cmocka_unit_test(a_shared_cache_keeps_no_longer_than_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
