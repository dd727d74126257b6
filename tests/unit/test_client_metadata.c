/* What a client may register: a row per sentence of RFC 7591 §2 and OpenID Connect Dynamic Client Registration 1.0 §2. */
#include "rows.h"

#include "protocol/client_metadata.h"

static char OPENID[] = "openid", EMAIL[] = "email";
static char *SCOPES[] = {OPENID, EMAIL};
static const struct scope_list SCOPE_LIST = {SCOPES, COUNT(SCOPES)};
static const enum jose_alg ALGS[] = {JOSE_RS256, JOSE_ES256};
static const struct client_metadata_rules RULES = {&SCOPE_LIST, ALGS, COUNT(ALGS)};

#define RSA_N                                                                                                          \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"      \
    "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"      \
    "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"      \
    "kEgU8awapJzKnqDKgw"
#define RSA_KEY "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"
#define CB "\"redirect_uris\":[\"https://rp.example/cb\"]"

static json_t *json_of(const void *ctx, const char *row, const char *text)
{
    json_t *value = NULL;
    if (json_read(ctx, bytes_of(text), &value) != OP_OK)
        fail_msg("%s: the row itself is no JSON", row);
    return value;
}

/* What is registered, as JSON text; NULL when it is refused. */
static const char *registered(const void *ctx, const char *row, const char *text, struct oauth_error *error)
{
    Rec__Client *client;
    if (client_metadata_read(ctx, json_of(ctx, row, text), &RULES, &client, error) != OP_OK)
        return NULL;
    json_t *out = json_make_object(ctx);
    client_metadata_set(ctx, out, client);
    return json_text(ctx, out);
}

#define WEB "{\"application_type\":\"web\",\"token_endpoint_auth_method\":\"client_secret_basic\","
#define FLOW "\"grant_types\":[\"authorization_code\"],\"response_types\":[\"code\"]"
#define SCOPE ",\"scope\":\"openid email\""

static void what_is_registered(void **state)
{
    (void)state;
    static const struct {
        const char *row, *metadata, *registered;
    } rows[] = {
        {"defaults: web, client_secret_basic, authorization_code, code, every scope", "{" CB "}",
         WEB CB "," FLOW SCOPE "}"},
        {"null is absent",
         "{" CB ",\"client_name\":null,\"grant_types\":null,\"response_types\":null,\"scope\":null,\"jwks\":null,"
         "\"default_max_age\":null,\"require_auth_time\":null,\"software_statement\":null,\"subject_type\":null}",
         WEB CB "," FLOW SCOPE "}"},
        {"unknown members are ignored", "{" CB ",\"made_up\":{\"a\":[]},\"another\":1}", WEB CB "," FLOW SCOPE "}"},
        {"language tags are ignored", "{" CB ",\"client_name#de\":1,\"client_name\":\"N\"}",
         WEB "\"client_name\":\"N\"," CB "," FLOW SCOPE "}"},
        {"a client that chooses its client_id and secret does not get them",
         "{" CB ",\"client_id\":\"mine\",\"client_secret\":\"mine\"}", WEB CB "," FLOW SCOPE "}"},
        {"what nobody loses by is ignored",
         "{" CB ",\"request_uris\":[\"https://rp.example/r\"],\"default_acr_values\":[\"x\"],"
         "\"sector_identifier_uri\":\"https://rp.example/s\",\"backchannel_logout_uri\":\"https://rp.example/l\","
         "\"request_object_signing_alg\":\"RS256\"}",
         WEB CB "," FLOW SCOPE "}"},
        {"what is the operator's is ignored, whatever it is",
         "{" CB ",\"refresh_token_idle_lifetime\":60,\"refresh_token_lifetime\":\"for ever\",\"first_party\":true,"
         "\"audiences\":[\"api\"]}",
         WEB CB "," FLOW SCOPE "}"},
        {"a value that asks for nothing more is ignored",
         "{" CB ",\"subject_type\":\"public\",\"dpop_bound_access_tokens\":false,"
         "\"require_signed_request_object\":false}",
         WEB CB "," FLOW SCOPE "}"},
        {"of all flows that a client knows, the one that is offered",
         "{" CB ",\"response_types\":[\"id_token\",\"token\",\"id_token token\",\"code\",\"code id_token\",\"code token\","
         "\"code id_token token\"]}",
         WEB CB "," FLOW SCOPE "}"},
        {"a narrower scope", "{" CB ",\"scope\":\"openid\"}", WEB CB "," FLOW ",\"scope\":\"openid\"}"},
        {"client_credentials alone has no response type and needs no redirect URI",
         "{\"grant_types\":[\"client_credentials\"]}",
         WEB "\"grant_types\":[\"client_credentials\"],\"response_types\":[]" SCOPE "}"},
        {"a public client", "{" CB ",\"token_endpoint_auth_method\":\"none\"}",
         "{\"application_type\":\"web\",\"token_endpoint_auth_method\":\"none\"," CB "," FLOW SCOPE "}"},
        {"native: loopback and a private-use scheme",
         "{\"application_type\":\"native\",\"redirect_uris\":[\"http://127.0.0.1/cb\",\"http://[::1]/cb\","
         "\"com.example.app:/cb\"]}",
         "{\"application_type\":\"native\",\"token_endpoint_auth_method\":\"client_secret_basic\",\"redirect_uris\":["
         "\"http://127.0.0.1/cb\",\"http://[::1]/cb\",\"com.example.app:/cb\"]," FLOW SCOPE "}"},
        {"an algorithm of ID tokens", "{" CB ",\"id_token_signed_response_alg\":\"ES256\"}",
         WEB "\"id_token_signed_response_alg\":\"ES256\"," CB "," FLOW SCOPE "}"},
        {"it will push its requests", "{" CB ",\"require_pushed_authorization_requests\":true}",
         WEB CB "," FLOW SCOPE ",\"require_pushed_authorization_requests\":true}"},
        {"sign-in", "{" CB ",\"default_max_age\":0,\"require_auth_time\":false}",
         WEB CB "," FLOW SCOPE ",\"default_max_age\":0,\"require_auth_time\":false}"},
        {"keys by value", "{" CB ",\"jwks\":{\"keys\":[" RSA_KEY ",{\"kty\":\"XYZ\"}]}}",
         WEB CB "," FLOW SCOPE ",\"jwks\":{\"keys\":[" RSA_KEY ",{\"kty\":\"XYZ\"}]}}"},
        {"private_key_jwt",
         "{" CB ",\"token_endpoint_auth_method\":\"private_key_jwt\",\"token_endpoint_auth_signing_alg\":\"RS256\","
         "\"jwks_uri\":\"https://rp.example/k\"}",
         "{\"application_type\":\"web\",\"token_endpoint_auth_method\":\"private_key_jwt\","
         "\"token_endpoint_auth_signing_alg\":\"RS256\",\"jwks_uri\":\"https://rp.example/k\"," CB "," FLOW SCOPE "}"},
        {"a device", "{\"grant_types\":[\"urn:ietf:params:oauth:grant-type:device_code\",\"refresh_token\"]}",
         WEB "\"grant_types\":[\"urn:ietf:params:oauth:grant-type:device_code\",\"refresh_token\"],"
         "\"response_types\":[]" SCOPE "}"},
        {"keys by reference", "{" CB ",\"jwks_uri\":\"https://rp.example/k\"}",
         WEB "\"jwks_uri\":\"https://rp.example/k\"," CB "," FLOW SCOPE "}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct oauth_error error = {0};
        const char *got = registered(ctx, rows[i].row, rows[i].metadata, &error);
        row_string(rows[i].row, got == NULL ? error.description : got, rows[i].registered);
        talloc_free(ctx);
    }
}

struct refusal {
    const char *member; /* that the description names */
    const char *metadata;
    enum oauth_code code;
};

static void hold_refusals(const struct refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *ctx = mem_root("test");
        struct oauth_error error = {0};
        const char *got = registered(ctx, rows[i].metadata, rows[i].metadata, &error);
        if (got != NULL)
            fail_msg("%s: is registered as %s", rows[i].metadata, got);
        row_equal(rows[i].metadata, error.code, rows[i].code);
        if (strncmp(error.description, rows[i].member, strlen(rows[i].member)) != 0)
            fail_msg("%s: does not name %s: %s", rows[i].metadata, rows[i].member, error.description);
        if (strpbrk(error.description, "\"\\") != NULL)
            fail_msg("%s: RFC 6749 section 5.2 allows no such characters: %s", rows[i].metadata, error.description);
        talloc_free(ctx);
    }
}

#define REDIRECT(uri) {"redirect_uris", "{\"redirect_uris\":[\"" uri "\"]}", OAUTH_INVALID_REDIRECT_URI}
#define NATIVE(uri)                                                                                                    \
    {"redirect_uris", "{\"application_type\":\"native\",\"redirect_uris\":[\"" uri "\"]}", OAUTH_INVALID_REDIRECT_URI}

static void redirect_uris_are_refused(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"redirect_uris", "{}", OAUTH_INVALID_REDIRECT_URI},
        {"redirect_uris", "{\"redirect_uris\":[]}", OAUTH_INVALID_REDIRECT_URI},
        {"redirect_uris", "{\"redirect_uris\":\"https://rp.example/\"}", OAUTH_INVALID_REDIRECT_URI},
        {"redirect_uris", "{\"redirect_uris\":[1]}", OAUTH_INVALID_REDIRECT_URI},
        {"redirect_uris", "{\"redirect_uris\":[null]}", OAUTH_INVALID_REDIRECT_URI},
        {"redirect_uris", "{\"redirect_uris\":{\"0\":\"https://rp.example/\"}}", OAUTH_INVALID_REDIRECT_URI},
        {"redirect_uris", "{\"redirect_uris\":[\"https://a.example/\",\"https://a.example/\"]}",
         OAUTH_INVALID_REDIRECT_URI},
        REDIRECT(""), REDIRECT("/callback"), REDIRECT("rp.example/cb"), REDIRECT("https://rp.example/cb#f"),
        REDIRECT("https://rp.example/cb#"), REDIRECT("https://a:b@rp.example/cb"), REDIRECT("http://rp.example/cb"),
        REDIRECT("https://*.rp.example/cb"), REDIRECT("https:///cb"), REDIRECT("https://rp.example/\\u0001"),
        REDIRECT("https://rp.example/ x"), REDIRECT("javascript:alert(1)"), REDIRECT("data:text/html,x"),
        REDIRECT("com.example.app:/cb"), REDIRECT("http://127.0.0.1.evil.example/cb"),
        NATIVE("javascript:alert(1)"), NATIVE("data:text/html,x"), NATIVE("file:///etc/passwd"),
        NATIVE("vbscript:x"), NATIVE("myapp:/cb"), NATIVE("http://rp.example/cb"), NATIVE("com.example.app:/cb#f"),
    };
    hold_refusals(rows, COUNT(rows));
}

#define BAD(member, value) {member, "{" CB ",\"" member "\":" value "}", OAUTH_INVALID_CLIENT_METADATA}

static void metadata_is_refused(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        BAD("application_type", "\"desktop\""), BAD("application_type", "1"), BAD("application_type", "\"\""),
        BAD("token_endpoint_auth_method", "\"client_secret_jwt\""), BAD("token_endpoint_auth_method", "\"magic\""),
        BAD("token_endpoint_auth_method", "[\"none\"]"),
        BAD("token_endpoint_auth_signing_alg", "\"none\""), BAD("token_endpoint_auth_signing_alg", "\"HS256\""),
        BAD("id_token_signed_response_alg", "\"none\""), BAD("id_token_signed_response_alg", "\"HS256\""),
        BAD("id_token_signed_response_alg", "\"PS256\""), BAD("id_token_signed_response_alg", "256"),
        BAD("client_name", "\"\""), BAD("client_name", "{}"), BAD("client_name", "\"a\\nb\""), BAD("client_name", "\"\\u007f\""),
        BAD("client_uri", "\"http://rp.example/\""), BAD("logo_uri", "\"javascript:alert(1)\""),
        BAD("policy_uri", "\"data:text/html,x\""), BAD("tos_uri", "\"rp.example\""), BAD("tos_uri", "\"https://a@rp.example/\""),
        BAD("initiate_login_uri", "\"http://rp.example/\""), BAD("jwks_uri", "\"http://rp.example/k\""),
        BAD("software_id", "7"), BAD("software_version", "1.0"),
        BAD("grant_types", "[]"), BAD("grant_types", "\"authorization_code\""), BAD("grant_types", "[\"implicit\"]"),
        BAD("grant_types", "[\"password\"]"), BAD("grant_types", "[\"refresh_token\"]"),
        BAD("grant_types", "[\"authorization_code\",\"authorization_code\"]"),
        BAD("response_types", "[]"), BAD("response_types", "[\"token\"]"), BAD("response_types", "[\"code id_token\"]"),
        BAD("response_types", "[\"code\",\"magic\"]"), BAD("response_types", "[\"code\",\"code\"]"),
        BAD("response_types", "[\"token\",\"id_token\"]"), BAD("response_types", "[\"none\"]"), BAD("response_types", "\"code\""),
        BAD("response_types", "[\"code\"],\"grant_types\":[\"client_credentials\"]"),
        BAD("grant_types", "[\"client_credentials\"],\"token_endpoint_auth_method\":\"none\""),
        BAD("scope", "\"openid admin\""), BAD("scope", "[\"openid\"]"), BAD("scope", "\"\""),
        BAD("scope", "\"openid  email\""), BAD("scope", "\"open\\\"id\""),
        BAD("contacts", "\"a@rp.example\""), BAD("contacts", "[1]"), BAD("contacts", "[\"\"]"),
        BAD("contacts", "[\"a\\u0007\"]"),
        BAD("post_logout_redirect_uris", "[\"https://rp.example/#f\"]"), BAD("post_logout_redirect_uris", "[\"javascript:x\"]"),
        BAD("default_max_age", "-1"), BAD("default_max_age", "\"60\""), BAD("default_max_age", "1.5"),
        BAD("default_max_age", "31536001"), BAD("require_auth_time", "\"true\""), BAD("require_auth_time", "1"),
        {"jwks", "{" CB ",\"token_endpoint_auth_method\":\"private_key_jwt\"}", OAUTH_INVALID_CLIENT_METADATA},
        BAD("jwks", "{\"keys\":[" RSA_KEY "]},\"token_endpoint_auth_signing_alg\":\"ES256\""),
        BAD("client_name", "\"\u202egro.elpmaxe\""), BAD("jwks_uri", "\"https://rp.example/k#f\""),
        BAD("require_pushed_authorization_requests", "1"),
        BAD("require_pushed_authorization_requests", "true,\"grant_types\":[\"client_credentials\"]"),
        BAD("jwks", "[]"), BAD("jwks", "\"{}\""), BAD("jwks", "{}"), BAD("jwks", "{\"keys\":[]}"),
        BAD("jwks", "{\"keys\":[1]}"), BAD("jwks", "{\"keys\":[{}]}"), BAD("jwks", "{\"keys\":[{\"kty\":\"XYZ\"}]}"),
        BAD("jwks", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}"),
        BAD("jwks", "{\"keys\":[" RSA_KEY ",{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"),
        BAD("jwks", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\",\"d\":\"AQAB\"}]}"),
        BAD("jwks", "{\"keys\":[" RSA_KEY "]},\"jwks_uri\":\"https://rp.example/k\""),
        BAD("subject_type", "\"pairwise\""), BAD("subject_type", "1"),
        BAD("id_token_encrypted_response_alg", "\"RSA-OAEP\""), BAD("userinfo_signed_response_alg", "\"RS256\""),
        BAD("userinfo_encrypted_response_alg", "\"RSA-OAEP\""), BAD("authorization_signed_response_alg", "\"RS256\""),
        BAD("introspection_signed_response_alg", "\"RS256\""), BAD("require_signed_request_object", "true"),
        BAD("dpop_bound_access_tokens", "true"), BAD("dpop_bound_access_tokens", "\"false\""),
        BAD("tls_client_certificate_bound_access_tokens", "true"),
        {"software_statement", "{" CB ",\"software_statement\":\"eyJhbGciOiJSUzI1NiJ9.e30.AAAA\"}",
         OAUTH_UNAPPROVED_SOFTWARE_STATEMENT},
        {"software_statement", "{" CB ",\"software_statement\":\"no jwt\"}", OAUTH_INVALID_SOFTWARE_STATEMENT},
        {"software_statement", "{" CB ",\"software_statement\":{}}", OAUTH_INVALID_SOFTWARE_STATEMENT},
    };
    hold_refusals(rows, COUNT(rows));
}

static char *repeated(const void *ctx, const char *before, const char *item, size_t count, const char *after)
{
    char *text = mem_strdup(ctx, before);
    for (size_t i = 0; i < count; i++)
        text = mem_printf(ctx, "%s%s", text, item);
    return mem_printf(ctx, "%s%s", text, after);
}

/* At the bound it is taken, one beyond it is refused. */
static void everything_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *before, *item;
        size_t most;
        const char *after;
    } rows[] = {
        {"{" CB ",\"client_name\":\"", "x", 200, "\"}"},
        {"{" CB ",\"software_id\":\"", "x", 200, "\"}"},
        {"{" CB ",\"client_uri\":\"https://rp.example/", "x", 2048 - 19, "\"}"},
        {"{" CB ",\"contacts\":[\"", "x", 254, "\"]}"},
        {"{\"redirect_uris\":[\"https://rp.example/", "x", 2048 - 19, "\"]}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct oauth_error error;
        char *most = repeated(ctx, rows[i].before, rows[i].item, rows[i].most, rows[i].after);
        char *more = repeated(ctx, rows[i].before, rows[i].item, rows[i].most + 1, rows[i].after);
        if (registered(ctx, rows[i].before, most, &error) == NULL)
            fail_msg("%s: %s", rows[i].before, error.description);
        assert_null(registered(ctx, rows[i].before, more, &error));
        talloc_free(ctx);
    }
}

static void lists_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t most;
    } rows[] = {{"redirect_uris", 50}, {"contacts", 20}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t extra = 0; extra < 2; extra++) {
            void *ctx = mem_root("test");
            struct oauth_error error;
            json_t *metadata = json_of(ctx, rows[i].name, "{" CB "}"), *list = json_make_array(ctx);
            for (size_t n = 0; n < rows[i].most + extra; n++)
                json_append_string(list, mem_printf(ctx, "https://rp.example/%zu", n));
            json_set(metadata, rows[i].name, list);
            const char *got = registered(ctx, rows[i].name, json_text(ctx, metadata), &error);
            row_equal(rows[i].name, got == NULL, extra == 1);
            talloc_free(ctx);
        }
    }
}

/* RFC 7592 §2.2: what an update does not say is gone; what is not metadata stays. */
static void an_update_replaces_all_metadata(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct oauth_error error;
    Rec__Client *full, *bare;
    const char *everything =
        "{" CB ",\"client_name\":\"N\",\"client_uri\":\"https://rp.example/\",\"logo_uri\":\"https://rp.example/\","
        "\"policy_uri\":\"https://rp.example/\",\"tos_uri\":\"https://rp.example/\",\"contacts\":[\"c\"],"
        "\"initiate_login_uri\":\"https://rp.example/\",\"software_id\":\"s\",\"software_version\":\"1\","
        "\"post_logout_redirect_uris\":[\"https://rp.example/\"],\"default_max_age\":1,\"require_auth_time\":true,"
        "\"id_token_signed_response_alg\":\"ES256\",\"token_endpoint_auth_signing_alg\":\"RS256\",\"jwks\":{\"keys\":["
        RSA_KEY "]}}";
    assert_int_equal(client_metadata_read(ctx, json_of(ctx, "full", everything), &RULES, &full, &error), OP_OK);
    assert_int_equal(client_metadata_read(ctx, json_of(ctx, "bare", "{" CB "}"), &RULES, &bare, &error), OP_OK);
    full->client_id = mem_strdup(full, "id");
    full->has_first_party = full->first_party = true;
    full->has_refresh_token_idle_lifetime = true;
    full->refresh_token_idle_lifetime = 60;
    full->n_audiences = 1;
    full->audiences = SCOPES;
    client_metadata_replace(full, bare);
    json_t *got = json_make_object(ctx), *want = json_make_object(ctx);
    client_metadata_set(ctx, got, full);
    client_metadata_set(ctx, want, bare);
    assert_string_equal(json_text(ctx, got), json_text(ctx, want));
    assert_string_equal(full->client_id, "id");
    assert_true(full->first_party && full->n_audiences == 1 && full->refresh_token_idle_lifetime == 60);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_registered),
        cmocka_unit_test(redirect_uris_are_refused),
        cmocka_unit_test(metadata_is_refused),
        cmocka_unit_test(everything_is_bounded),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(an_update_replaces_all_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
