#include "rows.h"

#include "protocol/access_token.h"

#define ISSUER "https://op.example"
enum { NOW = 1000000, LIFETIME = 600 };

static uint8_t family_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static Rec__Grant *grant_of(const void *ctx, bool of_user)
{
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = mem_strdup(ctx, "client");
    if (!of_user)
        return grant;
    char *const amr[] = {(char[]){"pwd"}};
    grant->user_id = mem_strdup(ctx, "user");
    grant->sid = mem_strdup(ctx, "session");
    grant->has_auth_time = grant->has_granted_at = grant->has_first_party = grant->first_party = true;
    grant->auth_time = NOW - 20;
    grant->granted_at = NOW - 10;
    grant->acr = mem_strdup(ctx, "1");
    grant->amr = records_strings(ctx, amr, 1);
    grant->n_amr = 1;
    grant->claims_request = mem_strdup(ctx, "{\"userinfo\":{}}");
    return grant;
}

static char *scopes[] = {(char[]){"openid"}, (char[]){"email"}};

static json_t *claims_of(const void *ctx, Rec__Grant *grant, bool of_user)
{
    return access_token_claims(ctx, &(struct access_token_input){
        .issuer = ISSUER,
        .grant = grant,
        .family_id = of_user ? bytes_from(family_id, sizeof family_id) : (struct bytes){0},
        .jti = "id",
        .now = NOW,
        .lifetime = LIFETIME,
        .scopes = scopes,
        .scope_count = of_user ? 2 : 0,
        .offline = of_user,
    });
}

static void a_token_says_what_rfc_9068_asks(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    assert_string_equal(json_text(ctx, claims_of(ctx, grant_of(ctx, true), true)),
                        "{\"iss\":\"https://op.example\",\"sub\":\"user\",\"aud\":\"https://op.example\","
                        "\"client_id\":\"client\",\"iat\":1000000,\"exp\":1000600,\"jti\":\"id\",\"scope\":\"openid email\","
                        "\"auth_time\":999980,\"acr\":\"1\",\"amr\":[\"pwd\"],\"sid\":\"session\","
                        "\"fam\":\"AQIDBAUGBwgJCgsMDQ4PEA\",\"offline\":true,\"granted_at\":999990,"
                        "\"claims_request\":\"{\\\"userinfo\\\":{}}\",\"first_party\":true}");
    /* §2.2: without an end user sub is the client; §2.2.1, §2.2.3: nothing about a sign-in or scopes there were not */
    assert_string_equal(json_text(ctx, claims_of(ctx, grant_of(ctx, false), false)),
                        "{\"iss\":\"https://op.example\",\"sub\":\"client\",\"aud\":\"https://op.example\","
                        "\"client_id\":\"client\",\"iat\":1000000,\"exp\":1000600,\"jti\":\"id\"}");
    talloc_free(ctx);
}

static void the_audience_is_the_grants(void **state)
{
    (void)state;
    char *audiences[] = {(char[]){"https://a.example"}, (char[]){"https://b.example"}};
    static const struct {
        size_t count;
        const char *aud;
    } rows[] = {
        {0, "\"https://op.example\""},
        {1, "\"https://a.example\""},
        {2, "[\"https://a.example\",\"https://b.example\"]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct access_token token;
        struct oauth_error error;
        Rec__Grant *grant = grant_of(ctx, true);
        grant->audiences = audiences;
        grant->n_audiences = rows[i].count;
        json_t *claims = claims_of(ctx, grant, true);
        char *aud = json_dumps(json_object_get(claims, "aud"), JSON_ENCODE_ANY | JSON_COMPACT);
        row_string("RFC 9068 §2.2: aud", aud, rows[i].aud);
        free(aud);
        assert_int_equal(access_token_read(ctx, claims, ISSUER, NOW, &token, &error), OP_OK);
        assert_int_equal(token.grant->n_audiences, rows[i].count == 0 ? 1 : rows[i].count);
        talloc_free(ctx);
    }
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct access_token token;
    struct oauth_error error;
    assert_int_equal(access_token_read(ctx, claims_of(ctx, grant_of(ctx, true), true), ISSUER, NOW, &token, &error), OP_OK);
    assert_string_equal(token.sub, "user");
    assert_string_equal(token.jti, "id");
    assert_int_equal(token.iat, NOW);
    assert_int_equal(token.exp, NOW + LIFETIME);
    assert_true(token.offline);
    assert_true(bytes_equal(token.family_id, bytes_from(family_id, sizeof family_id)));
    assert_string_equal(token.grant->client_id, "client");
    assert_string_equal(token.grant->user_id, "user");
    assert_string_equal(token.grant->sid, "session");
    assert_int_equal(token.grant->n_scopes, 2);
    assert_string_equal(token.grant->scopes[1], "email");
    assert_int_equal(token.grant->auth_time, NOW - 20);
    assert_int_equal(token.grant->granted_at, NOW - 10);
    assert_true(token.grant->first_party);
    assert_string_equal(token.grant->claims_request, "{\"userinfo\":{}}");

    assert_int_equal(access_token_read(ctx, claims_of(ctx, grant_of(ctx, false), false), ISSUER, NOW, &token, &error), OP_OK);
    assert_string_equal(token.sub, "client");
    assert_null(token.grant->user_id);
    assert_int_equal(token.family_id.len, 0);
    assert_int_equal(token.grant->granted_at, NOW); /* compared with every since */
    assert_false(token.offline);
    assert_false(token.grant->first_party);
    talloc_free(ctx);
}

static void others_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *member, *value; /* JSON; NULL: left out */
        int64_t now;
        bool good;
    } rows[] = {
        {"nothing changed", "x", NULL, NOW, true},
        {"RFC 9068 §4: the current time must be before exp", "x", NULL, NOW + LIFETIME - 1, true},
        {"RFC 9068 §4: at exp it has expired", "x", NULL, NOW + LIFETIME, false},
        {"RFC 9068 §4: another issuer", "iss", "\"https://op.example/\"", NOW, false},
        {"RFC 9068 §2.2: no iss", "iss", NULL, NOW, false},
        {"RFC 9068 §2.2: no exp", "exp", NULL, NOW, false},
        {"RFC 9068 §2.2: no aud", "aud", NULL, NOW, false},
        {"RFC 9068 §2.2: no sub", "sub", NULL, NOW, false},
        {"RFC 9068 §2.2: no client_id", "client_id", NULL, NOW, false},
        {"RFC 9068 §2.2: no iat", "iat", NULL, NOW, false},
        {"RFC 9068 §2.2: no jti", "jti", NULL, NOW, false},
        {"exp that is a string", "exp", "\"1000600\"", NOW, false},
        {"exp that is no integer", "exp", "1000600.5", NOW, false},
        {"an empty aud", "aud", "[]", NOW, false},
        {"aud with a number", "aud", "[1]", NOW, false},
        {"scope that is an array", "scope", "[\"openid\"]", NOW, false},
        {"a family id that is no base64url", "fam", "\"AQID+\"", NOW, false},
        {"a family id too short", "fam", "\"AQID\"", NOW, false},
        {"a family id that is a number", "fam", "1", NOW, false},
        {"offline that is a string", "offline", "\"true\"", NOW, false},
        {"first_party that is a number", "first_party", "1", NOW, false},
        {"a sid that is a number", "sid", "1", NOW, false},
        {"members that nobody knows", "new", "{}", NOW, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct access_token token = {.jti = "untouched"};
        struct oauth_error error = {OAUTH_OK, NULL};
        json_t *claims = claims_of(ctx, grant_of(ctx, true), true);
        json_object_del(claims, rows[i].member);
        if (rows[i].value != NULL)
            json_object_set_new(claims, rows[i].member, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
        enum op_err err = access_token_read(ctx, claims, ISSUER, rows[i].now, &token, &error);
        row_equal(rows[i].rule, err, rows[i].good ? OP_OK : OP_INVALID);
        row_equal(rows[i].rule, error.code, rows[i].good ? OAUTH_OK : OAUTH_INVALID_TOKEN);
        row_string(rows[i].rule, token.jti, rows[i].good ? "id" : "untouched");
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_says_what_rfc_9068_asks),
        cmocka_unit_test(the_audience_is_the_grants),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
