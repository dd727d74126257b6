#include "rows.h"

#include "protocol/id_token.h"

enum { NOW = 1000000, LIFETIME = 3600 };

/* Core appendix A.3 has this access token with this at_hash; the other two were worked out with sha*sum. */
#define ACCESS_TOKEN "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"

static void at_hash_is_the_left_half(void **state)
{
    (void)state;
    static const struct {
        enum jose_alg alg;
        const char *at_hash;
    } rows[] = {
        {JOSE_RS256, "77QmUPtjPfzWtF2AnpK9RQ"},
        {JOSE_ES256, "77QmUPtjPfzWtF2AnpK9RQ"},
        {JOSE_ES384, "jtAeDp945y1dDqU3nkIVGNZP1HjH_MFs"},
        {JOSE_EDDSA, "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++)
        row_string(jose_alg_name(rows[i].alg), id_token_at_hash(ctx, ACCESS_TOKEN, rows[i].alg), rows[i].at_hash);
    talloc_free(ctx);
}

struct world {
    struct scope_catalogue catalogue;
    Rec__Grant *grant;
    Rec__Client client;
    Rec__User *user;
    struct id_token_input input;
};

static void world_make(const void *ctx, struct world *w)
{
    char *const scopes[] = {(char[]){"openid"}, (char[]){"email"}}, *const amr[] = {(char[]){"pwd"}};
    const char *why;
    assert_int_equal(scope_catalogue_make(ctx, NULL, 0, &w->catalogue, &why), OP_OK);
    rec__client__init(&w->client);
    w->grant = records_new(ctx, &rec__grant__descriptor);
    w->grant->client_id = mem_strdup(ctx, "client");
    w->grant->user_id = mem_strdup(ctx, "user");
    w->grant->sid = mem_strdup(ctx, "session");
    w->grant->has_auth_time = true;
    w->grant->auth_time = NOW - 20;
    w->grant->acr = mem_strdup(ctx, "1");
    w->grant->amr = records_strings(ctx, amr, 1);
    w->grant->n_amr = 1;
    w->grant->nonce = mem_strdup(ctx, "of the request");
    w->grant->scopes = records_strings(ctx, scopes, 2);
    w->grant->n_scopes = 2;
    w->user = records_new(ctx, &rec__user__descriptor);
    w->user->claims = mem_array(ctx, Rec__Claim *, 1);
    w->user->claims[w->user->n_claims++] = records_new(ctx, &rec__claim__descriptor);
    w->user->claims[0]->name = mem_strdup(ctx, "email");
    w->user->claims[0]->json = mem_strdup(ctx, "\"ada@rp.example\"");
    w->input = (struct id_token_input){
        "https://op.example", w->grant, &w->client, w->user, &w->catalogue, ACCESS_TOKEN, "n", JOSE_RS256, NOW, LIFETIME};
}

static char email_in_id_token[] = "{\"id_token\":{\"email\":null}}";
static char email_in_userinfo[] = "{\"userinfo\":{\"email\":null}}";
static char rubbish[] = "{";

static void nothing(struct world *w) { (void)w; }
static void no_nonce(struct world *w) { w->input.nonce = NULL; }
static void no_access_token(struct world *w) { w->input.access_token = NULL; }
static void no_client(struct world *w) { w->input.client = NULL; }
static void asks_for_email(struct world *w) { w->grant->claims_request = email_in_id_token; }
static void email_for_userinfo(struct world *w) { w->grant->claims_request = email_in_userinfo; }
static void asks_for_nobody(struct world *w) { asks_for_email(w); w->input.user = NULL; }
static void asks_for_rubbish(struct world *w) { w->grant->claims_request = rubbish; }
static void bare(struct world *w)
{
    w->grant->acr = w->grant->sid = NULL;
    w->grant->n_amr = 0;
    w->grant->has_auth_time = false;
    no_nonce(w);
    no_access_token(w);
}

#define FRONT "{\"iss\":\"https://op.example\",\"sub\":\"user\",\"aud\":\"client\",\"exp\":1003600,\"iat\":1000000"
#define MIDDLE ",\"auth_time\":999980"
#define BACK ",\"acr\":\"1\",\"amr\":[\"pwd\"],\"sid\":\"session\""
#define AT_HASH ",\"at_hash\":\"77QmUPtjPfzWtF2AnpK9RQ\""
#define ALL FRONT MIDDLE ",\"nonce\":\"n\"" BACK AT_HASH

static void an_id_token_says_what_core_asks(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        void (*change)(struct world *);
        const char *claims;
    } rows[] = {
        {"Core §2: all there is; no azp for a single audience", nothing, ALL "}"},
        {"Core §12.2: no nonce in a refresh", no_nonce, FRONT MIDDLE BACK AT_HASH "}"},
        {"Core §3.1.3.6: at_hash only beside an access token", no_access_token, FRONT MIDDLE ",\"nonce\":\"n\"" BACK "}"},
        {"auth_time is there whether or not the client requires it", no_client, ALL "}"},
        {"Core §5.5: a claim asked for", asks_for_email, ALL ",\"email\":\"ada@rp.example\"}"},
        {"Core §5.5: one asked for userinfo", email_for_userinfo, ALL "}"},
        {"a claim of a user who is gone", asks_for_nobody, ALL "}"},
        {"a request that is no JSON asks for nothing", asks_for_rubbish, ALL "}"},
        {"Core §2: the required ones", bare, FRONT "}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct world w;
        world_make(ctx, &w);
        rows[i].change(&w);
        row_string(rows[i].rule, json_text(ctx, id_token_claims(ctx, &w.input)), rows[i].claims);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_hash_is_the_left_half),
        cmocka_unit_test(an_id_token_says_what_core_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
