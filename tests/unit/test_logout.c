#include "logout_decide.h"
#include "rows.h"

static char *post_logout[] = {"https://rp.example/out", "https://rp.example/out?x=1"};

enum world { SIGNED_IN = 1, CLIENT = 2, DISABLED = 4, UNVERIFIED = 8, MAY_LACK = 16, CONFIRMED = 32 };

static void each_request_has_its_step(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct logout_request request;
        const char *hint; /* its claims; NULL none */
        unsigned world;
        enum logout_step step;
    } rows[] = {
        {"nothing said, nobody there", {0}, NULL, 0, LOGOUT_ANSWER},
        {"nothing said: ask", {0}, NULL, SIGNED_IN, LOGOUT_ASK},
        {"the person said yes", {0}, NULL, SIGNED_IN | CONFIRMED, LOGOUT_END},
        {"a hint for this person and session needs no question", {.id_token_hint = "t"},
         "{\"iss\":\"i\",\"sub\":\"u\",\"sid\":\"s\",\"aud\":\"rp\"}", SIGNED_IN | CLIENT, LOGOUT_END},
        {"a hint from another session of this person does", {.id_token_hint = "t"},
         "{\"iss\":\"i\",\"sub\":\"u\",\"sid\":\"s2\",\"aud\":\"rp\"}", SIGNED_IN | CLIENT, LOGOUT_ASK},
        {"so does one that names no session", {.id_token_hint = "t"}, "{\"iss\":\"i\",\"sub\":\"u\",\"aud\":\"rp\"}",
         SIGNED_IN | CLIENT, LOGOUT_ASK},
        {"another session, and the person said yes", {.id_token_hint = "t"},
         "{\"iss\":\"i\",\"sub\":\"u\",\"sid\":\"s2\",\"aud\":\"rp\"}", SIGNED_IN | CLIENT | CONFIRMED, LOGOUT_END},
        {"and one for somebody else", {.id_token_hint = "t"},
         "{\"iss\":\"i\",\"sub\":\"v\",\"sid\":\"s\",\"aud\":\"rp\"}", SIGNED_IN | CLIENT, LOGOUT_ASK},
        {"a hint, nobody there", {.id_token_hint = "t"}, "{\"iss\":\"i\",\"sub\":\"u\",\"aud\":\"rp\"}", CLIENT,
         LOGOUT_ANSWER},
        {"a hint that is no token of ours", {.id_token_hint = "t"}, NULL, SIGNED_IN | CLIENT | UNVERIFIED,
         LOGOUT_PROBLEM},
        {"a hint of another issuer", {.id_token_hint = "t"}, "{\"iss\":\"j\",\"sub\":\"u\",\"aud\":\"rp\"}",
         SIGNED_IN | CLIENT,
         LOGOUT_PROBLEM},
        {"a hint for another client than client_id", {.id_token_hint = "t", .client_id = "rp2"},
         "{\"iss\":\"i\",\"sub\":\"u\",\"aud\":[\"rp\",\"rp3\"]}", SIGNED_IN | CLIENT, LOGOUT_PROBLEM},
        {"client_id among the audiences", {.id_token_hint = "t", .client_id = "rp"},
         "{\"iss\":\"i\",\"sub\":\"u\",\"sid\":\"s\",\"aud\":[\"x\",\"rp\"]}", SIGNED_IN | CLIENT, LOGOUT_END},
        {"an unknown client_id", {.client_id = "rp"}, NULL, SIGNED_IN, LOGOUT_PROBLEM},
        {"a disabled client", {.client_id = "rp"}, NULL, SIGNED_IN | CLIENT | DISABLED, LOGOUT_PROBLEM},
        {"client_id alone asks", {.client_id = "rp"}, NULL, SIGNED_IN | CLIENT, LOGOUT_ASK},
        {"a redirect of nobody's", {.post_logout_redirect_uri = "https://rp.example/out"}, NULL, SIGNED_IN,
         LOGOUT_PROBLEM},
        {"a registered one", {.client_id = "rp", .post_logout_redirect_uri = "https://rp.example/out"}, NULL, CLIENT,
         LOGOUT_ANSWER},
        {"exactly, with its query", {.client_id = "rp", .post_logout_redirect_uri = "https://rp.example/out?x=1"},
         NULL, CLIENT,
         LOGOUT_ANSWER},
        {"longer", {.client_id = "rp", .post_logout_redirect_uri = "https://rp.example/out/"}, NULL, CLIENT,
         LOGOUT_PROBLEM},
        {"shorter", {.client_id = "rp", .post_logout_redirect_uri = "https://rp.example/"}, NULL, CLIENT,
         LOGOUT_PROBLEM},
        {"another query", {.client_id = "rp", .post_logout_redirect_uri = "https://rp.example/out?x=2"}, NULL, CLIENT,
         LOGOUT_PROBLEM},
        {"in other case", {.client_id = "rp", .post_logout_redirect_uri = "https://RP.example/out"}, NULL, CLIENT,
         LOGOUT_PROBLEM},
        {"confirmed or not", {.client_id = "rp", .post_logout_redirect_uri = "https://evil.example/"}, NULL,
         CLIENT | SIGNED_IN | CONFIRMED, LOGOUT_PROBLEM},
        {"a POST that may lack its cookies", {.client_id = "rp"}, NULL, CLIENT | MAY_LACK, LOGOUT_REENTER},
        {"and is wrong", {.client_id = "rp"}, NULL, MAY_LACK, LOGOUT_PROBLEM},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        json_t *hint = NULL;
        if (rows[i].hint != NULL)
            assert_int_equal(json_read(ctx, bytes_of(rows[i].hint), &hint), OP_OK);
        Rec__Client *client = records_new(ctx, &rec__client__descriptor);
        client->post_logout_redirect_uris = post_logout;
        client->n_post_logout_redirect_uris = 2;
        client->disabled = (rows[i].world & DISABLED) != 0;
        Rec__Session *session = records_new(ctx, &rec__session__descriptor);
        session->user_id = mem_strdup(ctx, "u");
        session->sid = mem_strdup(ctx, "s");
        struct logout_facts facts = {
            .request = &rows[i].request,
            .issuer = "i",
            .hint_verified = hint != NULL && (rows[i].world & UNVERIFIED) == 0,
            .hint = hint,
            .client = (rows[i].world & CLIENT) != 0 ? client : NULL,
            .session = (rows[i].world & SIGNED_IN) != 0 ? session : NULL,
            .may_lack_cookies = (rows[i].world & MAY_LACK) != 0,
            .confirmed = (rows[i].world & CONFIRMED) != 0,
        };
        struct oauth_error error = {0};
        row_equal(rows[i].what, logout_decide(&facts, &error), rows[i].step);
        row_equal(rows[i].what, error.code, rows[i].step == LOGOUT_PROBLEM ? OAUTH_INVALID_REQUEST : OAUTH_OK);
        talloc_free(ctx);
    }
}

static void the_client_is_found(void **state)
{
    (void)state;
    static const struct { const char *what, *client_id, *hint, *found; } rows[] = {
        {"said", "a", "{\"aud\":\"b\"}", "a"},
        {"the audience", NULL, "{\"aud\":\"b\"}", "b"},
        {"the only audience", NULL, "{\"aud\":[\"b\"]}", "b"},
        {"the authorized party", NULL, "{\"aud\":[\"b\",\"c\"],\"azp\":\"c\"}", "c"},
        {"several audiences", NULL, "{\"aud\":[\"b\",\"c\"]}", NULL},
        {"nobody", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        json_t *hint = NULL;
        if (rows[i].hint != NULL)
            assert_int_equal(json_read(ctx, bytes_of(rows[i].hint), &hint), OP_OK);
        struct logout_request request = {.client_id = rows[i].client_id};
        row_string(rows[i].what, logout_client_id(&request, hint), rows[i].found);
        talloc_free(ctx);
    }
}

static void state_comes_back(void **state)
{
    (void)state;
    static const struct { const char *uri, *state, *target; } rows[] = {
        {NULL, "s", NULL},
        {"https://rp.example/out", NULL, "https://rp.example/out"},
        {"https://rp.example/out", "a&b", "https://rp.example/out?state=a%26b"},
        {"https://rp.example/out?x=1", "s", "https://rp.example/out?x=1&state=s"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct logout_request request = {.post_logout_redirect_uri = rows[i].uri, .state = rows[i].state};
        row_string("target", logout_target(ctx, &request), rows[i].target);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_its_step),
        cmocka_unit_test(the_client_is_found),
        cmocka_unit_test(state_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
