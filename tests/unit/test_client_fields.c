#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client_fields.h"
#include "operator/operate_clients.h"
#include "protocol/device.h"

enum { SETTINGS_MAX = 8 };

/* RFC 7517 appendix A.1, its EC key, with use sig; and the private half's d of A.2. */
#define EC_KEY                                                                                                         \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","                                \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"use\":\"sig\""
#define JWKS "{\"keys\":[{" EC_KEY "}]}"
#define PRIVATE_JWKS "{\"keys\":[{" EC_KEY ",\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"}]}"

static const struct operate_client_fresh FRESH = {"the-id", "the-secret"};

/* A new client as `opctl client add` with these options would have it; what is wrong, or NULL. The value of jwks is
 * the text of the file, not its name. */
static const char *make(const void *ctx, const struct cli_setting *settings, Rec__Client **ret)
{
    static struct scope_definition known[] = {{.scope = "openid"}, {.scope = "profile"}};
    static const struct scope_catalogue catalogue = {known, 2};
    static const struct operate_client_rules rules = {OPERATE_ON_MACHINE, {3600, 86400}};
    struct cli_line line = {.settings = mem_array(ctx, struct cli_setting, SETTINGS_MAX)};
    for (; line.setting_count < SETTINGS_MAX && settings[line.setting_count].name != NULL; line.setting_count++)
        line.settings[line.setting_count] = settings[line.setting_count];
    json_t *document;
    const char *secret, *wrong = client_fields_read(ctx, &line, cli_value(&line, "jwks"), &document);
    struct refusal refusal;
    if (wrong == NULL && operate_clients_make(ctx, document, &catalogue, &rules, &FRESH, ret, &secret, &refusal) != OP_OK)
        wrong = client_fields_refusal(ctx, &refusal);
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
        {{NAME, BACK, {"refresh-token-idle-lifetime", "1h"}, {"refresh-token-lifetime", "1d"}}, NULL},
        {{NAME, BACK, {"refresh-token-idle-lifetime", "61min"}},
         "--refresh-token-idle-lifetime is longer than the setting refresh_token_idle_lifetime"},
        {{NAME, BACK, {"refresh-token-lifetime", "2d"}}, "--refresh-token-lifetime is longer than the setting"},
        {{NAME, BACK, {"refresh-token-lifetime", "11y"}}, "--refresh-token-lifetime: \"11y\" is out of bounds: 0s to 10y"},
        {{NAME, BACK, {"refresh-token-lifetime", "60"}}, "is not a duration such as 60s, 10min, 12h, 30d or 1y"},
        {{NAME, BACK, {"refresh-token-lifetime", "-1s"}}, "is not a duration"},
        {{NAME, BACK, {"refresh-token-lifetime", ""}}, "is not a duration"},
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
        {{NAME, BACK, BACK}, "has an item twice"},
        {{NAME, BACK, {"post-logout-redirect-uri", "http://wiki.example/"}}, "--post-logout-redirect-uri"},
        {{NAME, BACK, {"grant", "client_credentials"}}, "of no use without the grant authorization_code"},
        {{NAME, {"grant", "refresh_token"}}, "--grant has refresh_token without"},
        {{NAME, {"grant", "device_code"}}, NULL},
        {{NAME, {"grant", "device_code"}, {"grant", "refresh_token"}, {"auth-method", "none"}}, NULL},
        {{NAME, BACK, {"grant", "device_code"}, {"grant", "authorization_code"}}, NULL},
        {{NAME, BACK, {"grant", "device_code"}}, "of no use without the grant authorization_code"},
        {{NAME, {"grant", "client_credentials"}, {"auth-method", "none"}}, "--grant has client_credentials"},
        {{NAME, {"grant", "client_credentials"}, {"introspection", "yes"}}, NULL},
        {{NAME, BACK, {"auth-method", "none"}, {"introspection", "no"}}, NULL},
        {{NAME, BACK, {"auth-method", "none"}, {"introspection", "yes"}}, "--introspection is not for a public client"},
        {{NAME, BACK, {"resource", "https://api.example/"}, {"resource", "urn:example:mail"}}, NULL},
        {{NAME, {"grant", "client_credentials"}, {"resource", "https://api.example/"}}, NULL},
        {{NAME, BACK, {"resource", "api"}}, "--resource api is not an absolute URI"},
        {{NAME, BACK, {"resource", "https://api.example/#x"}}, "has a fragment"},
        {{NAME, BACK, {"resource", "urn:a"}, {"resource", "urn:a"}}, "has an item twice"},
        {{NAME, BACK, {"require-par", "yes"}}, NULL},
        {{NAME, {"grant", "client_credentials"}, {"require-par", "no"}}, NULL},
        {{NAME, {"grant", "client_credentials"}, {"require-par", "yes"}}, "--require-par is of no use"},
        {{NAME, BACK, {"auth-method", "private_key_jwt"}}, "--jwks or jwks_uri is missing"},
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
        {{NAME, BACK, {"logo-uri", "data:image/png;base64,"}}, "--logo-uri is not an https"},
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
    assert_true(json_is_true(json_object_get(operate_client_json(ctx, client), "introspection_allowed")));
    talloc_free(ctx);
}

/* What a line says, as JSON text. */
static const char *patch(const void *ctx, struct cli_setting *settings, size_t count)
{
    struct cli_line line = {.settings = settings, .setting_count = count};
    json_t *read;
    const char *wrong = client_fields_read(ctx, &line, cli_value(&line, "jwks"), &read);
    return wrong != NULL ? wrong : json_text(ctx, read);
}

#define IS(text, ...)                                                                                                  \
    assert_string_equal(patch(ctx, (struct cli_setting[]){__VA_ARGS__},                                                \
                              sizeof((struct cli_setting[]){__VA_ARGS__}) / sizeof(struct cli_setting)), text)

static void options_are_members(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    IS("{\"client_name\":\"Wiki\",\"redirect_uris\":[\"https://wiki.example/cb\"]}", BACK, NAME);
    IS("{\"scope\":\"openid email\"}", {"scope", "openid"}, {"scope", "email"});
    IS("{\"administration\":[\"users\",\"keys:read\"]}", {"admin", "users keys:read"});
    IS("{\"administration\":[\"users\",\"keys:read\",\"clients\"]}", {"admin", "users,keys:read"}, {"admin", "clients"});
    IS("{\"resources\":[\"urn:a\",\"urn:b\"]}", {"resource", "urn:a"}, {"resource", "urn:b"});
    IS("{\"rotate_refresh_tokens\":true,\"introspection_allowed\":false}", {"introspection", "no"}, {"rotate", "yes"});
    IS("{\"client_name\":\"Wiki\"}", NAME, {"native", NULL}, {"first-party", NULL}); /* what is left to client.c */
    IS("{\"default_max_age\":60}", {"default-max-age", "60"});
    IS("{\"refresh_token_idle_lifetime\":5400,\"refresh_token_lifetime\":2592000}", {"refresh-token-lifetime", "30d"},
       {"refresh-token-idle-lifetime", "90min"});
    IS("{\"refresh_token_idle_lifetime\":0}", {"refresh-token-idle-lifetime", "0"});
    IS("{\"jwks\":{\"keys\":[]}}", {"jwks", "{\"keys\":[]}"});
    IS("{\"tos_uri\":null,\"contacts\":null,\"jwks\":null}", {"clear", "tos-uri"}, {"clear", "contact"}, {"clear", "jwks"});
    IS("--tos-uri is given and cleared in one line", {"clear", "tos-uri"}, {"tos-uri", "https://a.example/"});
    talloc_free(ctx);
}

static void every_option_that_can_be_cleared_is_one(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    for (size_t i = 0; CLIENT_CLEARABLE[i] != NULL; i++)
        assert_non_null(strstr(patch(ctx, (struct cli_setting[]){{"clear", CLIENT_CLEARABLE[i]}}, 1), "null"));
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_registered),
        cmocka_unit_test(defaults_fill_what_the_line_left_open),
        cmocka_unit_test(options_are_members),
        cmocka_unit_test(every_option_that_can_be_cleared_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
