#include "rows.h"

#include "protocol/claims.h"

static void requests_have_their_form(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *text;
        bool good;
    } rows[] = {
        {"Core §5.5: the example", "{\"userinfo\":{\"given_name\":{\"essential\":true},\"nickname\":null,\"picture\":null},"
                                   "\"id_token\":{\"auth_time\":{\"essential\":true},\"acr\":{\"values\":[\"a\"]}}}", true},
        {"Core §5.5: both are optional", "{}", true},
        {"Core §5.5: members not understood must be ignored", "{\"other\":[1],\"userinfo\":{}}", true},
        {"Core §5.5.1: null asks in the default manner", "{\"id_token\":{\"email\":null}}", true},
        {"Core §5.5.1: members of a claim not understood must be ignored", "{\"id_token\":{\"email\":{\"x\":1}}}", true},
        {"Core §5.5.1: value may be of any type", "{\"id_token\":{\"age\":{\"value\":7}}}", true},
        {"Core §5.5.2: languages are part of the name", "{\"userinfo\":{\"name#ja-Hani-JP\":null}}", true},
        {"an empty place", "{\"id_token\":null}", true},
        {"no JSON", "{", false},
        {"nothing", "", false},
        {"an array", "[]", false},
        {"a string", "\"userinfo\"", false},
        {"a place that is an array", "{\"id_token\":[1]}", false},
        {"a place that is a string", "{\"userinfo\":\"email\"}", false},
        {"a claim that is true", "{\"userinfo\":{\"email\":true}}", false},
        {"a claim that is a string", "{\"userinfo\":{\"email\":\"x\"}}", false},
        {"a claim without a name", "{\"userinfo\":{\"\":null}}", false},
        {"Core §5.5.1: essential is a boolean", "{\"userinfo\":{\"email\":{\"essential\":\"true\"}}}", false},
        {"Core §5.5.1: values is an array", "{\"userinfo\":{\"email\":{\"values\":\"x\"}}}", false},
        {"a key twice", "{\"id_token\":{},\"id_token\":{}}", false},
        {"something behind", "{} {}", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        json_t *request = NULL;
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err err = claims_request_parse(ctx, rows[i].text, &request, &error);
        row_equal(rows[i].rule, err, rows[i].good ? OP_OK : OP_INVALID);
        row_equal(rows[i].rule, error.code, rows[i].good ? OAUTH_OK : OAUTH_INVALID_REQUEST);
        row_equal(rows[i].rule, request != NULL, rows[i].good);
        talloc_free(ctx);
    }
}

static json_t *request_of(const void *ctx, const char *text)
{
    json_t *request;
    struct oauth_error error;
    if (text == NULL)
        return NULL;
    assert_int_equal(claims_request_parse(ctx, text, &request, &error), OP_OK);
    return request;
}

static void names_are_those_about_the_user(void **state)
{
    (void)state;
    static const char text[] = "{\"userinfo\":{\"email\":null,\"sub\":null},\"id_token\":{\"acr\":null,\"name\":null,"
                               "\"auth_time\":{\"essential\":true},\"groups\":{\"value\":\"a\"}}}";
    void *ctx = mem_root("test");
    json_t *request = request_of(ctx, text);
    struct scope_list names = claims_request_names(ctx, request, CLAIMS_ID_TOKEN);
    assert_string_equal(scope_text(ctx, names.items, names.count), "name groups");
    names = claims_request_names(ctx, request, CLAIMS_USERINFO);
    assert_string_equal(scope_text(ctx, names.items, names.count), "email");
    assert_int_equal(claims_request_names(ctx, NULL, CLAIMS_USERINFO).count, 0);
    assert_non_null(claims_request_member(request, CLAIMS_ID_TOKEN, "auth_time"));
    assert_null(claims_request_member(request, CLAIMS_USERINFO, "auth_time"));
    assert_null(claims_request_member(request, CLAIMS_ID_TOKEN, "acr")); /* null says nothing */
    assert_null(claims_request_member(request, CLAIMS_ID_TOKEN, "missing"));
    assert_null(claims_request_member(NULL, CLAIMS_ID_TOKEN, "acr"));
    talloc_free(ctx);
}

static Rec__User *somebody(const void *ctx)
{
    static const char *const claims[][2] = {
        {"name", "\"Ada\""}, {"email", "\"ada@rp.example\""}, {"email_verified", "true"}, {"groups", "[\"a\",\"b\"]"},
        {"address", "{\"country\":\"UK\"}"}, {"nickname", "null"}, {"website", "not JSON"}, {"age", "7"},
        {"iss", "\"evil\""}, {"sub", "\"evil\""}, {"sid", "\"evil\""},
    };
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    user->username = mem_strdup(ctx, "ada");
    user->has_updated_at = true;
    user->updated_at = 1234;
    user->claims = mem_array(ctx, Rec__Claim *, COUNT(claims));
    for (; user->n_claims < COUNT(claims); user->n_claims++) {
        Rec__Claim *claim = user->claims[user->n_claims] = records_new(ctx, &rec__claim__descriptor);
        claim->name = mem_strdup(ctx, claims[user->n_claims][0]);
        claim->json = mem_strdup(ctx, claims[user->n_claims][1]);
    }
    return user;
}

static void claims_are_released(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        enum claims_place place;
        const char *scopes, *request, *released;
    } rows[] = {
        {"Core §5.4: openid alone releases nothing more", CLAIMS_USERINFO, "openid", NULL, "{}"},
        {"Core §5.4: email", CLAIMS_USERINFO, "openid email", NULL, "{\"email\":\"ada@rp.example\",\"email_verified\":true}"},
        {"Core §5.4: profile; what the user has not is left out (§5.3.2)", CLAIMS_USERINFO, "openid profile", NULL,
         "{\"name\":\"Ada\",\"preferred_username\":\"ada\",\"updated_at\":1234}"},
        {"Core §5.1.1: address is an object", CLAIMS_USERINFO, "openid address", NULL, "{\"address\":{\"country\":\"UK\"}}"},
        {"Core §5.4: phone, of which there is none", CLAIMS_USERINFO, "openid phone", NULL, "{}"},
        {"the operator's scope", CLAIMS_USERINFO, "openid groups", NULL, "{\"groups\":[\"a\",\"b\"]}"},
        {"an unknown scope releases nothing", CLAIMS_USERINFO, "openid age", NULL, "{}"},
        {"Core §5.4: with a code, scopes are not for the ID token", CLAIMS_ID_TOKEN, "openid email", NULL, "{}"},
        {"Core §5.5: userinfo asks for userinfo", CLAIMS_USERINFO, "openid", "{\"userinfo\":{\"age\":null}}", "{\"age\":7}"},
        {"Core §5.5: and not for the ID token", CLAIMS_ID_TOKEN, "openid", "{\"userinfo\":{\"age\":null}}", "{}"},
        {"Core §5.5: id_token asks for the ID token", CLAIMS_ID_TOKEN, "openid", "{\"id_token\":{\"age\":null}}", "{\"age\":7}"},
        {"Core §5.5: and not for userinfo", CLAIMS_USERINFO, "openid", "{\"id_token\":{\"age\":null}}", "{}"},
        {"Core §5.5: beside the scopes", CLAIMS_USERINFO, "openid email", "{\"userinfo\":{\"age\":null,\"email\":null}}",
         "{\"email\":\"ada@rp.example\",\"email_verified\":true,\"age\":7}"},
        {"Core §5.5.1: no error for an essential claim that is not there", CLAIMS_USERINFO, "openid",
         "{\"userinfo\":{\"phone_number\":{\"essential\":true}}}", "{}"},
        {"Core §5.5.1: with this value", CLAIMS_USERINFO, "openid", "{\"userinfo\":{\"age\":{\"value\":7}}}", "{\"age\":7}"},
        {"Core §5.5.1: with another value", CLAIMS_USERINFO, "openid", "{\"userinfo\":{\"age\":{\"value\":8}}}", "{}"},
        {"Core §5.5.1: one of these values", CLAIMS_USERINFO, "openid", "{\"userinfo\":{\"age\":{\"values\":[1,7]}}}",
         "{\"age\":7}"},
        {"Core §5.5.1: none of these values", CLAIMS_USERINFO, "openid", "{\"userinfo\":{\"age\":{\"values\":[1]}}}", "{}"},
        {"a null is no claim", CLAIMS_USERINFO, "openid", "{\"userinfo\":{\"nickname\":null}}", "{}"},
        {"a stored value that is no JSON is no claim", CLAIMS_USERINFO, "openid", "{\"userinfo\":{\"website\":null}}", "{}"},
        {"what is about the token never comes from the user, whatever the operator says", CLAIMS_USERINFO, "openid odd", NULL,
         "{\"age\":7}"},
        {"what is about the token never comes from the user", CLAIMS_ID_TOKEN, "openid",
         "{\"id_token\":{\"iss\":null,\"sub\":null,\"sid\":null}}", "{}"},
    };
    char *custom[] = {(char[]){"groups:groups"}, (char[]){"odd:iss:sid:age"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct scope_catalogue catalogue;
        const char *why;
        assert_int_equal(scope_catalogue_make(ctx, custom, COUNT(custom), &catalogue, &why), OP_OK);
        struct scope_list scopes = scope_parse(ctx, rows[i].scopes);
        json_t *out = json_make_object(ctx);
        claims_release(out, somebody(ctx), rows[i].place, scopes.items, scopes.count, request_of(ctx, rows[i].request),
                       &catalogue);
        row_string(rows[i].rule, json_text(ctx, out), rows[i].released);
        talloc_free(ctx);
    }
}

static void members_are_not_replaced(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct scope_catalogue catalogue;
    const char *why;
    assert_int_equal(scope_catalogue_make(ctx, NULL, 0, &catalogue, &why), OP_OK);
    json_t *out = json_make_object(ctx);
    json_set_string(out, "email", "before");
    struct scope_list scopes = scope_parse(ctx, "email");
    claims_release(out, somebody(ctx), CLAIMS_USERINFO, scopes.items, scopes.count, NULL, &catalogue);
    assert_string_equal(json_text(ctx, out), "{\"email\":\"before\",\"email_verified\":true}");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_have_their_form),
        cmocka_unit_test(names_are_those_about_the_user),
        cmocka_unit_test(claims_are_released),
        cmocka_unit_test(members_are_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
