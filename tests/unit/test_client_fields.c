#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client_fields.h"
#include "protocol/device.h"

enum { SETTINGS_MAX = 8 };

/* RFC 7517 appendix A.1, its EC key, with use sig; and the private half's d of A.2. */
#define EC_KEY                                                                                                         \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","                                \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"use\":\"sig\""
#define JWKS "{\"keys\":[{" EC_KEY "}]}"
#define PRIVATE_JWKS "{\"keys\":[{" EC_KEY ",\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"}]}"

/* A new client as `opctl client add` with these options would have it; what is wrong, or NULL. The value of jwks is
 * the text of the file, not its name. */
static const char *make(const void *ctx, const struct cli_setting *settings, Rec__Client **ret)
{
    static char openid[] = "openid", profile[] = "profile";
    char *scopes[] = {openid, profile};
    struct cli_line line = {.settings = mem_array(ctx, struct cli_setting, SETTINGS_MAX)};
    for (; line.setting_count < SETTINGS_MAX && settings[line.setting_count].name != NULL; line.setting_count++)
        line.settings[line.setting_count] = settings[line.setting_count];
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    const char *jwks = cli_value(&line, "jwks");
    const char *wrong = client_fields_apply(ctx, &line, jwks, client);
    if (wrong == NULL) {
        client_fields_defaults(ctx, client, scopes, 2);
        wrong = client_fields_problem(ctx, client);
    }
    *ret = client;
    return wrong;
}

#define NAME {"name", "Wiki"}
#define BACK {"redirect-uri", "https://wiki.example/cb"}

static void what_may_be_registered(void **state)
{
    (void)state;
    static const struct {
        struct cli_setting settings[SETTINGS_MAX];
        const char *wrong; /* NULL: it may */
    } rows[] = {
        {{NAME, BACK}, NULL},
        {{NAME, BACK, {"redirect-uri", "http://localhost:9/cb"}}, NULL},
        {{NAME, {"grant", "client_credentials"}}, NULL},
        {{NAME, BACK, {"auth-method", "none"}}, NULL},
        {{BACK}, "--name is missing"},
        {{NAME}, "--redirect-uri is missing"},
        {{{"name", ""}, BACK}, "--name is empty"},
        {{{"name", "a\nb"}, BACK}, "control characters"},
        {{{"name", "Bank\xe2\x80\xae" "tsurT"}, BACK}, "others that nobody sees"}, /* U+202E turns what follows round */
        {{{"name", "Wiki\xc2\x85"}, BACK}, "control characters"},
        {{{"name", "\xd9\x88\xdb\x8c\xda\xa9\xdb\x8c"}, BACK}, NULL},
        {{{"name", "\xff"}, BACK}, "not UTF-8"},
        {{NAME, {"redirect-uri", "http://wiki.example/cb"}}, "is http but not on the loopback"},
        {{NAME, {"redirect-uri", "https://wiki.example/cb#x"}}, "has a fragment"},
        {{NAME, {"redirect-uri", "javascript:alert(1)"}}, "--redirect-uri javascript:alert(1) is not https"},
        {{NAME, {"redirect-uri", "/cb"}}, "is not an absolute URI"},
        {{NAME, BACK, BACK}, "is there twice"},
        {{NAME, BACK, {"post-logout-redirect-uri", "http://wiki.example/"}}, "--post-logout-redirect-uri"},
        {{NAME, BACK, {"grant", "client_credentials"}}, "of no use without --grant authorization_code"},
        {{NAME, {"grant", "refresh_token"}}, "--grant refresh_token is of no use"},
        {{NAME, {"grant", "device_code"}}, NULL},
        {{NAME, {"grant", "device_code"}, {"grant", "refresh_token"}, {"auth-method", "none"}}, NULL},
        {{NAME, BACK, {"grant", "device_code"}, {"grant", "authorization_code"}}, NULL},
        {{NAME, BACK, {"grant", "device_code"}}, "of no use without --grant authorization_code"},
        {{NAME, {"grant", "client_credentials"}, {"auth-method", "none"}}, "a public client has no credentials"},
        {{NAME, {"grant", "client_credentials"}, {"introspection", "yes"}}, NULL},
        {{NAME, BACK, {"auth-method", "none"}, {"introspection", "no"}}, NULL},
        {{NAME, BACK, {"auth-method", "none"}, {"introspection", "yes"}}, "no credentials for --introspection yes"},
        {{NAME, BACK, {"resource", "https://api.example/"}, {"resource", "urn:example:mail"}}, NULL},
        {{NAME, {"grant", "client_credentials"}, {"resource", "https://api.example/"}}, NULL},
        {{NAME, BACK, {"resource", "api"}}, "--resource api is not an absolute URI"},
        {{NAME, BACK, {"resource", "https://api.example/#x"}}, "has a fragment"},
        {{NAME, BACK, {"resource", "urn:a"}, {"resource", "urn:a"}}, "is there twice"},
        {{NAME, BACK, {"require-par", "yes"}}, NULL},
        {{NAME, {"grant", "client_credentials"}, {"require-par", "no"}}, NULL},
        {{NAME, {"grant", "client_credentials"}, {"require-par", "yes"}}, "--require-par is of no use"},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}}, "--jwks or --jwks-uri is missing"},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks", JWKS}}, NULL},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks", JWKS}, {"auth-alg", "ES256"}}, NULL},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks", JWKS}, {"auth-alg", "RS256"}}, "can verify"},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks", PRIVATE_JWKS}}, "--jwks has a private"},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks", "{}"}}, "--jwks is no JWK Set"},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks-uri", "https://wiki.example/jwks"}}, NULL},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks-uri", "http://wiki.example/jwks"}}, "--jwks-uri is not"},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks-uri", "https://a@wiki.example/"}}, "--jwks-uri has a user"},
        {{NAME, BACK, {"jwks", JWKS}, {"jwks-uri", "https://wiki.example/jwks"}}, "exclude each other"},
        {{NAME, BACK, {"scope", "openid  profile"}}, "--scope"},
        {{NAME, BACK, {"scope", "open\"id"}}, "--scope"},
        {{NAME, BACK, {"default-max-age", "-1"}}, "--default-max-age"},
        {{NAME, BACK, {"logo-uri", "data:image/png;base64,"}}, "--logo-uri is not an http"},
        {{NAME, BACK, {"clear", "name"}}, "--name is given and cleared"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rec__Client *client;
        const char *wrong = make(ctx, rows[i].settings, &client);
        if ((wrong == NULL) != (rows[i].wrong == NULL) || (wrong != NULL && strstr(wrong, rows[i].wrong) == NULL))
            fail_msg("row %zu: %s", i, wrong == NULL ? "it may" : wrong);
    }
    talloc_free(ctx);
}

static void defaults_fill_what_the_line_left_open(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static const struct cli_setting plain[] = {NAME, BACK, {NULL, NULL}};
    static const struct cli_setting machine[] = {NAME, {"grant", "client_credentials"}, {NULL, NULL}};
    static const struct cli_setting told[] = {NAME, BACK, {"grant", "authorization_code"}, {"scope", "openid email"},
                                              {"scope", "email groups"}, {"rotate", "yes"}, {NULL, NULL}};
    static const struct cli_setting api[] = {NAME, {"grant", "client_credentials"}, {"introspection", "yes"}, {NULL, NULL}};
    static const struct cli_setting device[] = {NAME, {"grant", "device_code"}, {"grant", DEVICE_GRANT_TYPE}, {NULL, NULL}};
    Rec__Client *client;
    assert_null(make(ctx, device, &client));
    assert_true(client->n_grant_types == 1 && client->n_scopes == 2 && client->n_response_types == 0);
    assert_string_equal(client->grant_types[0], DEVICE_GRANT_TYPE); /* whichever name it was given by */
    assert_null(make(ctx, plain, &client));
    assert_int_equal(client->n_grant_types, 2);
    assert_string_equal(client->token_endpoint_auth_method, "client_secret_basic");
    assert_string_equal(client->application_type, "web");
    assert_int_equal(client->n_scopes, 2);
    assert_int_equal(client->n_response_types, 1);
    assert_false(client->has_rotate_refresh_tokens);
    assert_null(make(ctx, machine, &client));
    assert_true(client->n_scopes == 0 && client->n_response_types == 0 && client->n_grant_types == 1);
    assert_null(make(ctx, told, &client));
    assert_true(client->n_grant_types == 1 && client->n_scopes == 3 && client->rotate_refresh_tokens);
    assert_string_equal(client->scopes[2], "groups");
    assert_false(client->has_introspection_allowed);
    assert_null(make(ctx, api, &client));
    assert_true(client->introspection_allowed);
    assert_true(json_is_true(json_object_get(client_fields_json(ctx, client), "introspection_allowed")));
    talloc_free(ctx);
}

static void what_it_may_name_and_how_it_has_to_ask(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static const struct cli_setting given[] = {NAME, BACK, {"resource", "https://api.example/"}, {"resource", "urn:example:mail"},
                                               {"require-par", "yes"}, {NULL, NULL}};
    static struct cli_setting back[] = {{"clear", "resource"}, {"require-par", "no"}};
    struct cli_line line = {.settings = back, .setting_count = 2};
    Rec__Client *client;
    assert_null(make(ctx, given, &client));
    assert_true(client->n_resources == 2 && client->require_pushed_authorization_requests);
    json_t *shown = client_fields_json(ctx, client);
    assert_int_equal(json_array_size(json_object_get(shown, "resources")), 2);
    assert_true(json_is_true(json_object_get(shown, "require_pushed_authorization_requests")));
    assert_null(client_fields_apply(ctx, &line, NULL, client));
    assert_true(client->n_resources == 0 && !client->require_pushed_authorization_requests);
    talloc_free(ctx);
}

static void keys_by_value_and_by_address_replace_each_other(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static const struct cli_setting by_value[] = {NAME, BACK, {"auth-method", "private_key_jwt"}, {"jwks", JWKS}, {NULL, NULL}};
    static struct cli_setting address[] = {{"jwks-uri", "https://wiki.example/jwks"}}, cleared[] = {{"clear", "jwks-uri"}};
    struct cli_line by_address = {.settings = address, .setting_count = 1}, clear = {.settings = cleared, .setting_count = 1};
    Rec__Client *client;
    assert_null(make(ctx, by_value, &client));
    assert_string_equal(client->jwks, JWKS);
    assert_true(json_is_array(json_object_get(json_object_get(client_fields_json(ctx, client), "jwks"), "keys")));
    assert_null(client_fields_apply(ctx, &by_address, NULL, client));
    assert_true(client->jwks == NULL && strcmp(client->jwks_uri, "https://wiki.example/jwks") == 0);
    assert_null(client_fields_problem(ctx, client));
    assert_null(client_fields_apply(ctx, &clear, JWKS, client));
    assert_true(client->jwks_uri == NULL && strcmp(client->jwks, JWKS) == 0);
    talloc_free(ctx);
}

static void clear_takes_back(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static const struct cli_setting all[] = {NAME, BACK, {"audience", "https://api.example"}, {"rotate", "no"},
                                             {"default-max-age", "60"}, {"tos-uri", "https://wiki.example/tos"}, {NULL, NULL}};
    static struct cli_setting back[] = {{"clear", "audience"}, {"clear", "rotate"}, {"clear", "default-max-age"}, {"clear", "tos-uri"}};
    struct cli_line line = {.settings = back, .setting_count = 4};
    Rec__Client *client;
    assert_null(make(ctx, all, &client));
    assert_true(client->n_audiences == 1 && client->has_rotate_refresh_tokens && client->default_max_age == 60);
    assert_null(client_fields_apply(ctx, &line, NULL, client));
    assert_true(client->n_audiences == 0 && !client->has_rotate_refresh_tokens && !client->has_default_max_age);
    assert_null(client->tos_uri);
    assert_string_equal(client->client_name, "Wiki");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_registered),
        cmocka_unit_test(defaults_fill_what_the_line_left_open),
        cmocka_unit_test(what_it_may_name_and_how_it_has_to_ask),
        cmocka_unit_test(keys_by_value_and_by_address_replace_each_other),
        cmocka_unit_test(clear_takes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
