/* RFC 6750 §2 and §3.1, OpenID Connect Core §5.3 and §5.4, a row per sentence. */
#include "rows.h"

#include "userinfo.h"

#define ISSUER "https://op.example"

static const struct token_row {
    const char *sentence;
    const char *authorization;
    size_t authorization_count;
    const char *form;
    size_t form_count;
    enum op_err result;
    const char *token;
} TOKENS[] = {
    {"in the header (RFC 6750 §2.1)", "Bearer abc.def", 1, NULL, 0, OP_OK, "abc.def"},
    {"the scheme is case-insensitive (RFC 9110 §11.1)", "bEaReR abc", 1, NULL, 0, OP_OK, "abc"},
    {"1*SP between scheme and token", "Bearer   abc", 1, NULL, 0, OP_OK, "abc"},
    {"in the form (§2.2)", NULL, 0, "abc", 1, OP_OK, "abc"},
    {"another scheme is no token, and the form counts", "Basic eDp5", 1, "abc", 1, OP_OK, "abc"},
    {"not more than one method (§2)", "Bearer abc", 1, "abc", 1, OP_INVALID, NULL},
    {"repeats the same parameter (§3.1)", NULL, 0, "abc", 2, OP_INVALID, NULL},
    {"two headers", "Bearer abc", 2, NULL, 0, OP_INVALID, NULL},
    {"nothing: no error code (§3.1)", NULL, 0, NULL, 0, OP_ABSENT, NULL},
    {"another scheme", "Basic eDp5", 1, NULL, 0, OP_ABSENT, NULL},
    {"a scheme that only starts like ours", "Bearerabc", 1, NULL, 0, OP_ABSENT, NULL},
    {"the scheme without a token", "Bearer", 1, NULL, 0, OP_ABSENT, NULL},
    {"the scheme and spaces", "Bearer   ", 1, NULL, 0, OP_ABSENT, NULL},
};

static void where_the_token_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(TOKENS); i++) {
        const struct token_row *row = &TOKENS[i];
        const char *token = NULL;
        struct oauth_error error = {OAUTH_OK, NULL};
        struct userinfo_request request = {row->authorization, row->authorization_count, row->form, row->form_count};
        row_equal(row->sentence, userinfo_token(&request, &token, &error), row->result);
        row_string(row->sentence, token, row->token);
        row_equal(row->sentence, error.code, row->result == OP_INVALID ? OAUTH_INVALID_REQUEST : OAUTH_OK);
    }
}

static const struct decide_row {
    const char *sentence;
    const char *scope, *audience, *user_id;
    enum family_verdict alive;
    enum oauth_code error;
} DECIDE[] = {
    {"a live token with openid", "openid", ISSUER, "u1", FAMILY_ALIVE, OAUTH_OK},
    {"meant for others and for us", "openid email", "https://api.example " ISSUER, "u1", FAMILY_ALIVE, OAUTH_OK},
    {"the request requires higher privileges: insufficient_scope (RFC 6750 §3.1)",
     "email", ISSUER, "u1", FAMILY_ALIVE, OAUTH_INSUFFICIENT_SCOPE},
    {"no scope at all", NULL, ISSUER, "u1", FAMILY_ALIVE, OAUTH_INSUFFICIENT_SCOPE},
    {"a scope that only starts like it", "openid2", ISSUER, "u1", FAMILY_ALIVE, OAUTH_INSUFFICIENT_SCOPE},
    {"a client's own token: there is nobody", "openid", ISSUER, NULL, FAMILY_ALIVE, OAUTH_INSUFFICIENT_SCOPE},
    {"validate that the aud is ours (RFC 9068 §4)",
     "openid", "https://api.example", "u1", FAMILY_ALIVE, OAUTH_INVALID_TOKEN},
    {"an aud that only starts like ours", "openid", ISSUER "/api", "u1", FAMILY_ALIVE, OAUTH_INVALID_TOKEN},
    {"revoked: invalid_token (RFC 6750 §3.1)", "openid", ISSUER, "u1", FAMILY_DEAD, OAUTH_INVALID_TOKEN},
    {"expired", "openid", ISSUER, "u1", FAMILY_EXPIRED, OAUTH_INVALID_TOKEN},
    {"the session ended", "openid", ISSUER, "u1", FAMILY_SESSION_ENDED, OAUTH_INVALID_TOKEN},
    {"the consent was withdrawn", "openid", ISSUER, "u1", FAMILY_CONSENT_WITHDRAWN, OAUTH_INVALID_TOKEN},
    {"the user is gone", "openid", ISSUER, "u1", FAMILY_USER_GONE, OAUTH_INVALID_TOKEN},
    {"the client is gone", "openid", ISSUER, "u1", FAMILY_CLIENT_GONE, OAUTH_INVALID_TOKEN},
};

static struct access_token make_token(void *ctx, const char *scope, const char *audience, const char *user_id)
{
    struct scope_list scopes = scope_parse(ctx, scope), audiences = scope_parse(ctx, audience);
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = mem_strdup(ctx, "c1");
    grant->user_id = user_id == NULL ? NULL : mem_strdup(ctx, user_id);
    grant->scopes = scopes.items;
    grant->n_scopes = scopes.count;
    grant->audiences = audiences.items;
    grant->n_audiences = audiences.count;
    return (struct access_token){.grant = grant};
}

static void who_is_answered(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(DECIDE); i++) {
        const struct decide_row *row = &DECIDE[i];
        struct access_token token = make_token(ctx, row->scope, row->audience, row->user_id);
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err result = userinfo_decide(&token, ISSUER, row->alive, &error);
        row_equal(row->sentence, result, row->error == OAUTH_OK ? OP_OK : OP_DENIED);
        row_equal(row->sentence, error.code, row->error);
    }
    talloc_free(ctx);
}

static const struct claims_row {
    const char *sentence;
    const char *scope, *claims_request, *json;
} CLAIMS[] = {
    {"sub is always there (§5.3.2)", "openid", NULL, "{\"sub\":\"u1\"}"},
    {"scopes ask for claims (§5.4)",
     "openid email", NULL, "{\"sub\":\"u1\",\"email\":\"a@example.org\",\"email_verified\":true}"},
    {"single claims by the claims parameter (§5.5)",
     "openid", "{\"userinfo\":{\"phone_number\":null}}", "{\"sub\":\"u1\",\"phone_number\":\"+1\"}"},
    {"those for the ID token stay there", "openid", "{\"id_token\":{\"phone_number\":null}}", "{\"sub\":\"u1\"}"},
    {"a claim the user has not is left out",
     "openid", "{\"userinfo\":{\"nickname\":{\"essential\":true}}}", "{\"sub\":\"u1\"}"},
    {"an operator's scope", "openid groups", NULL, "{\"sub\":\"u1\",\"groups\":[\"a\",\"b\"]}"},
    {"nobody else's sub", "openid", "{\"userinfo\":{\"sub\":{\"value\":\"u2\"}}}", "{\"sub\":\"u1\"}"},
};

static void add_claim(Rec__User *user, size_t i, const char *name, const char *json)
{
    user->claims[i] = records_new(user, &rec__claim__descriptor);
    user->claims[i]->name = mem_strdup(user, name);
    user->claims[i]->json = mem_strdup(user, json);
}

static void what_is_answered(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct scope_catalogue catalogue;
    const char *why;
    assert_int_equal(scope_catalogue_make(ctx, (char *[]){(char[]){"groups:groups"}}, 1, &catalogue, &why), OP_OK);
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    user->user_id = mem_strdup(ctx, "u1");
    user->n_claims = 4;
    user->claims = mem_array(ctx, Rec__Claim *, user->n_claims);
    add_claim(user, 0, "email", "\"a@example.org\"");
    add_claim(user, 1, "email_verified", "true");
    add_claim(user, 2, "phone_number", "\"+1\"");
    add_claim(user, 3, "groups", "[\"a\",\"b\"]");
    for (size_t i = 0; i < COUNT(CLAIMS); i++) {
        struct access_token token = make_token(ctx, CLAIMS[i].scope, ISSUER, "u1");
        token.grant->claims_request = (char *)(uintptr_t)CLAIMS[i].claims_request;
        row_string(CLAIMS[i].sentence, json_text(ctx, userinfo_claims(ctx, &token, user, &catalogue)), CLAIMS[i].json);
    }
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_the_token_is),
        cmocka_unit_test(who_is_answered),
        cmocka_unit_test(what_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
