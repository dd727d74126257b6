#include "auth.h"
#include "authorization.h"
#include "rows.h"
#include "runtime/settings.h"

enum { NOW = 100000 };

static char *uris[] = {"https://rp.example/cb"};
static char *scopes[] = {"openid", "profile", "email"};
static char *audiences[] = {"https://api.example"};
static char *resources[] = {"https://mail.example/", "urn:example:files"};

#define BASE "client_id=rp&redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=code&scope=openid+profile"

#define REFERENCE "client_id=rp&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc"

/* What the store says in a row. */
enum world {
    NOBODY = 0,
    UNKNOWN_CLIENT = 1,
    FIRST_PARTY = 2,
    SIGNED_IN = 4,
    CONSENTED = 8,
    WITHDRAWN = 16,
    HINTED = 32,        /* a verified hint for the user who is signed in */
    HINTED_OTHER = 64,  /* for somebody else */
    SIGNED_IN_NOW = 128, /* the visit signed in, in this very session */
    SIGNED_IN_ELSEWHERE = 256, /* the visit signed in, in a session that is not the present one */
    CHOSEN = 512,
    MAY_LACK = 1024,
    MUST_PUSH = 2048,   /* the client is registered so */
    WAS_PUSHED = 4096,  /* the form is what was pushed under the request_uri that the browser brought */
};

static Rec__Client *make_client(void *ctx, unsigned world)
{
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    client->client_id = mem_strdup(ctx, "rp");
    client->client_secret_hash = (ProtobufCBinaryData){.len = 1, .data = mem_array(ctx, uint8_t, 1)};
    client->has_client_secret_hash = true;
    client->token_endpoint_auth_method = mem_strdup(ctx, "client_secret_basic");
    client->redirect_uris = uris;
    client->n_redirect_uris = 1;
    client->scopes = scopes;
    client->n_scopes = 3;
    client->audiences = audiences;
    client->n_audiences = 1;
    client->resources = resources;
    client->n_resources = 2;
    client->first_party = (world & FIRST_PARTY) != 0;
    client->require_pushed_authorization_requests = (world & MUST_PUSH) != 0;
    return client;
}

static void sign_in(void *ctx, struct authorization *a)
{
    a->user = records_new(ctx, &rec__user__descriptor);
    a->user->user_id = mem_strdup(ctx, "u1");
    a->user->username = mem_strdup(ctx, "ann");
    a->session = records_new(ctx, &rec__session__descriptor);
    a->session->sid = mem_strdup(ctx, "s1");
    a->session->user_id = mem_strdup(ctx, "u1");
    a->session->acr = mem_strdup(ctx, "pwd");
    a->session->auth_time = a->session->created_at = a->session->last_used = NOW - 300;
    a->session->idle_expires_at = a->session->expires_at = NOW + 1000;
}

static struct authorization *make(void *ctx, const char *query, unsigned world)
{
    struct authorization *a = mem_new(ctx, struct authorization);
    const char *why = NULL;
    assert_int_equal(scope_catalogue_make(ctx, NULL, 0, &auth.catalogue, &why), OP_OK);
    settings.password_acr = "pwd";
    settings.code_lifetime = 60;
    settings.session_idle_lifetime = 1000;
    assert_int_equal(form_parse(ctx, bytes_of(query), 64, &a->form), OP_OK);
    a->sent = a->form;
    if ((world & WAS_PUSHED) != 0) {
        a->pushed = query;
        assert_int_equal(form_parse(ctx, bytes_of(REFERENCE), 64, &a->sent), OP_OK);
    }
    a->client = (world & UNKNOWN_CLIENT) != 0 ? NULL : make_client(ctx, world);
    if ((world & SIGNED_IN) != 0)
        sign_in(ctx, a);
    if ((world & CONSENTED) != 0) {
        a->consent = records_new(ctx, &rec__consent__descriptor);
        a->consent->scopes = records_strings(ctx, scopes, 2);
        a->consent->n_scopes = 2;
        a->consent->withdrawn = (world & WITHDRAWN) != 0;
    }
    if ((world & (HINTED | HINTED_OTHER)) != 0) {
        json_t *hint = json_make_object(ctx);
        json_set_string(hint, "sub", (world & HINTED) != 0 ? "u1" : "u2");
        a->hint = hint;
    }
    a->visit.sid = (world & SIGNED_IN_ELSEWHERE) != 0 ? "s0" : "s1";
    a->visit.signed_in = (world & (SIGNED_IN_NOW | SIGNED_IN_ELSEWHERE)) != 0;
    a->visit.account_chosen = (world & CHOSEN) != 0;
    a->may_lack_cookies = (world & MAY_LACK) != 0;
    return a;
}

static void each_request_has_its_outcome(void **state)
{
    (void)state;
    static const struct {
        const char *what, *query;
        unsigned world;
        enum consent_answer answer;
        enum authorization_outcome outcome;
        enum oauth_code error;
    } rows[] = {
        /* RFC 6749 §4.1.2.1: client and redirect URI are judged first, and never answered by a redirect */
        {"no client_id", "response_type=code", NOBODY, 0, OUTCOME_PROBLEM, OAUTH_INVALID_REQUEST},
        {"unknown client", BASE, UNKNOWN_CLIENT, 0, OUTCOME_PROBLEM, OAUTH_INVALID_CLIENT},
        {"foreign redirect_uri", "client_id=rp&redirect_uri=https%3A%2F%2Fevil.example%2F&response_type=code",
         SIGNED_IN, 0,
         OUTCOME_PROBLEM, OAUTH_INVALID_REQUEST},
        {"the rest goes to the client", BASE "&prompt=dance", SIGNED_IN, 0, OUTCOME_ERROR, OAUTH_INVALID_REQUEST},
        /* a POST from another site comes without the session's cookie: nothing is decided by its absence */
        {"POST is sent round once more", BASE, MAY_LACK, 0, OUTCOME_REENTER, OAUTH_OK},
        {"also with prompt=none", BASE "&prompt=none", MAY_LACK, 0, OUTCOME_REENTER, OAUTH_OK},
        {"but errors are told at once", BASE "&prompt=dance", MAY_LACK, 0, OUTCOME_ERROR, OAUTH_INVALID_REQUEST},
        {"and problems", BASE, MAY_LACK | UNKNOWN_CLIENT, 0, OUTCOME_PROBLEM, OAUTH_INVALID_CLIENT},
        /* RFC 9126 §4: an expired request_uri MUST be rejected; it says nothing of where to answer */
        {"unknown, expired, used, another client's", REFERENCE, SIGNED_IN | CONSENTED, 0, OUTCOME_PROBLEM,
         OAUTH_INVALID_REQUEST_URI},
        {"whatever stands beside it", REFERENCE "&redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=code&scope=openid",
         SIGNED_IN | CONSENTED, 0, OUTCOME_PROBLEM, OAUTH_INVALID_REQUEST_URI},
        {"whoever asks", REFERENCE, UNKNOWN_CLIENT, 0, OUTCOME_PROBLEM, OAUTH_INVALID_REQUEST_URI},
        {"without client_id (RFC 9101 §5)", "request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc", SIGNED_IN, 0,
         OUTCOME_PROBLEM, OAUTH_INVALID_REQUEST},
        {"another kind of request_uri", BASE "&request_uri=https%3A%2F%2Frp.example%2Fr", SIGNED_IN, 0, OUTCOME_ERROR,
         OAUTH_REQUEST_URI_NOT_SUPPORTED},
        {"what was pushed", BASE, WAS_PUSHED | SIGNED_IN | CONSENTED, 0, OUTCOME_GRANT, OAUTH_OK},
        {"is validated as any other: the client's redirect URIs changed",
         "client_id=rp&redirect_uri=https%3A%2F%2Frp.example%2Fold&response_type=code&scope=openid", WAS_PUSHED | SIGNED_IN, 0,
         OUTCOME_PROBLEM, OAUTH_INVALID_REQUEST},
        {"its scopes changed", BASE "%20phone", WAS_PUSHED | SIGNED_IN, 0, OUTCOME_ERROR, OAUTH_INVALID_SCOPE},
        {"it was switched off", BASE, WAS_PUSHED | UNKNOWN_CLIENT, 0, OUTCOME_PROBLEM, OAUTH_INVALID_CLIENT},
        {"a POST of a pushed request is sent round, too", BASE, WAS_PUSHED | MAY_LACK, 0, OUTCOME_REENTER, OAUTH_OK},
        {"policy may make pushing the only way", BASE, MUST_PUSH | SIGNED_IN | CONSENTED, 0, OUTCOME_ERROR, OAUTH_INVALID_REQUEST},
        {"before anything is asked of the person", BASE "&prompt=login", MUST_PUSH, 0, OUTCOME_ERROR, OAUTH_INVALID_REQUEST},
        {"then this one is good", BASE, MUST_PUSH | WAS_PUSHED | SIGNED_IN | CONSENTED, 0, OUTCOME_GRANT, OAUTH_OK},
        /* OpenID Connect Core §3.1.2.3 */
        {"nobody is signed in", BASE, NOBODY, 0, OUTCOME_SIGN_IN, OAUTH_OK},
        {"nobody, and nobody may be asked", BASE "&prompt=none", NOBODY, 0, OUTCOME_ERROR, OAUTH_LOGIN_REQUIRED},
        {"prompt=login asks again", BASE "&prompt=login", SIGNED_IN | CONSENTED, 0, OUTCOME_SIGN_IN, OAUTH_OK},
        {"but once", BASE "&prompt=login", SIGNED_IN | CONSENTED | SIGNED_IN_NOW, 0, OUTCOME_GRANT, OAUTH_OK},
        {"and only where it was done", BASE "&prompt=login", SIGNED_IN | CONSENTED | SIGNED_IN_ELSEWHERE, 0,
         OUTCOME_SIGN_IN,
         OAUTH_OK},
        {"max_age passed", BASE "&max_age=299", SIGNED_IN | CONSENTED, 0, OUTCOME_SIGN_IN, OAUTH_OK},
        {"max_age not passed", BASE "&max_age=300", SIGNED_IN | CONSENTED, 0, OUTCOME_GRANT, OAUTH_OK},
        {"select_account asks", BASE "&prompt=select_account", SIGNED_IN | CONSENTED, 0, OUTCOME_SELECT_ACCOUNT,
         OAUTH_OK},
        {"but once", BASE "&prompt=select_account", SIGNED_IN | CONSENTED | CHOSEN, 0, OUTCOME_GRANT, OAUTH_OK},
        /* §3.1.2.1 id_token_hint */
        {"a hint that is no ID token of ours", BASE "&id_token_hint=x.y.z", SIGNED_IN | CONSENTED, 0, OUTCOME_ERROR,
         OAUTH_INVALID_REQUEST},
        {"a hint for this user", BASE "&prompt=none&id_token_hint=x.y.z", SIGNED_IN | CONSENTED | HINTED, 0,
         OUTCOME_GRANT,
         OAUTH_OK},
        {"a hint for another user", BASE "&prompt=none&id_token_hint=x.y.z", SIGNED_IN | CONSENTED | HINTED_OTHER, 0,
         OUTCOME_ERROR, OAUTH_LOGIN_REQUIRED},
        {"a hint for another user, who may be asked", BASE "&id_token_hint=x.y.z",
         SIGNED_IN | CONSENTED | HINTED_OTHER, 0,
         OUTCOME_SIGN_IN, OAUTH_OK},
        /* §3.1.2.4 */
        {"consent is asked for", BASE, SIGNED_IN, 0, OUTCOME_CONSENT, OAUTH_OK},
        {"and remembered", BASE, SIGNED_IN | CONSENTED, 0, OUTCOME_GRANT, OAUTH_OK},
        {"for these scopes only", BASE "+email", SIGNED_IN | CONSENTED, 0, OUTCOME_CONSENT, OAUTH_OK},
        {"until it is withdrawn", BASE, SIGNED_IN | CONSENTED | WITHDRAWN, 0, OUTCOME_CONSENT, OAUTH_OK},
        {"a first-party client needs none", BASE, SIGNED_IN | FIRST_PARTY, 0, OUTCOME_GRANT, OAUTH_OK},
        {"nobody may be asked", BASE "&prompt=none", SIGNED_IN, 0, OUTCOME_ERROR, OAUTH_CONSENT_REQUIRED},
        {"allowed", BASE, SIGNED_IN, CONSENT_ALLOWED, OUTCOME_GRANT, OAUTH_OK},
        {"denied", BASE, SIGNED_IN, CONSENT_DENIED, OUTCOME_ERROR, OAUTH_ACCESS_DENIED},
        {"denied what was allowed before", BASE "&prompt=consent", SIGNED_IN | CONSENTED, CONSENT_DENIED, OUTCOME_ERROR,
         OAUTH_ACCESS_DENIED},
        {"allowed in another session", BASE, SIGNED_IN | SIGNED_IN_ELSEWHERE, CONSENT_ALLOWED, OUTCOME_CONSENT,
         OAUTH_OK},
        {"denied in another session", BASE, SIGNED_IN | SIGNED_IN_ELSEWHERE, CONSENT_DENIED, OUTCOME_CONSENT, OAUTH_OK},
        {"allowed after signing out", BASE, NOBODY, CONSENT_ALLOWED, OUTCOME_SIGN_IN, OAUTH_OK},
        /* §5.5.1.1 */
        {"an essential acr that is ours",
         BASE "&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C%22value%22%3A%22pwd%22%7D%7D%7D",
         SIGNED_IN | FIRST_PARTY, 0, OUTCOME_GRANT, OAUTH_OK},
        {"one that nobody here reaches",
         BASE "&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C%22value%22%3A%22hw%22%7D%7D%7D",
         SIGNED_IN | FIRST_PARTY, 0, OUTCOME_ERROR, OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS},
        {"acr_values only ask", BASE "&acr_values=hw", SIGNED_IN | FIRST_PARTY, 0, OUTCOME_GRANT, OAUTH_OK},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct authorization *a = make(ctx, rows[i].query, rows[i].world);
        a->answer = rows[i].answer;
        row_equal(rows[i].what, authorization_judge(ctx, a, NOW), rows[i].outcome);
        row_equal(rows[i].what, a->error.code, rows[i].error);
        talloc_free(ctx);
    }
}

static void the_code_says_what_was_granted(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct authorization *a = make(ctx,
                                   BASE "&nonce=n&code_challenge=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU&code_challenge_method=S256",
                                   SIGNED_IN | CONSENTED);
    assert_int_equal(authorization_judge(ctx, a, NOW), OUTCOME_GRANT);
    Rec__Code *code = authorization_code(ctx, a, NOW);
    assert_string_equal(code->redirect_uri, uris[0]);
    assert_true(code->redirect_uri_was_sent);
    assert_string_equal(code->code_challenge_method, "S256");
    assert_int_equal(code->expires_at, NOW + 60);
    assert_string_equal(code->grant->client_id, "rp");
    assert_string_equal(code->grant->user_id, "u1");
    assert_string_equal(code->grant->sid, "s1");
    assert_string_equal(code->grant->nonce, "n");
    assert_int_equal(code->grant->auth_time, NOW - 300);
    assert_string_equal(code->grant->acr, "pwd");
    assert_int_equal(code->grant->n_scopes, 2);
    assert_int_equal(code->grant->n_audiences, 1);
    assert_string_equal(code->grant->audiences[0], audiences[0]);
    assert_false(code->grant->first_party);
    talloc_free(ctx);
}

/* RFC 8707 §2.1: the resource is applicable to the full grant. */
static void the_code_is_for_the_resources_that_were_named(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct authorization *a = make(ctx, BASE "&resource=urn%3Aexample%3Afiles&resource=https%3A%2F%2Fmail.example%2F",
                                   SIGNED_IN | CONSENTED);
    assert_int_equal(authorization_judge(ctx, a, NOW), OUTCOME_GRANT);
    Rec__Code *code = authorization_code(ctx, a, NOW);
    assert_int_equal(code->grant->n_audiences, 2);
    assert_string_equal(code->grant->audiences[0], resources[1]);
    assert_string_equal(code->grant->audiences[1], resources[0]);
    a = make(ctx, BASE "&resource=https%3A%2F%2Fapi.example", SIGNED_IN | CONSENTED);
    assert_int_equal(authorization_judge(ctx, a, NOW), OUTCOME_ERROR);
    assert_int_equal(a->error.code, OAUTH_INVALID_TARGET);
    talloc_free(ctx);
}

/* A grant of the second in which power was taken away must be told from those before it. */
static void a_grant_is_never_older_than_what_it_leans_on(void **state)
{
    (void)state;
    static const struct { const char *what; int64_t user, client, consent, granted_at; } rows[] = {
        {"all older", 5, 6, 7, NOW},
        {"the user's since", NOW + 1, 0, 0, NOW + 1},
        {"the client's", 0, NOW + 1, 0, NOW + 1},
        {"the consent's", 0, 0, NOW + 2, NOW + 2},
        {"the latest", NOW + 1, NOW + 3, NOW + 2, NOW + 3},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct authorization *a = make(ctx, BASE, SIGNED_IN | CONSENTED);
        assert_int_equal(authorization_judge(ctx, a, NOW), OUTCOME_GRANT);
        a->user->since = rows[i].user;
        a->client->since = rows[i].client;
        a->consent->since = rows[i].consent;
        row_equal(rows[i].what, authorization_code(ctx, a, NOW)->grant->granted_at, rows[i].granted_at);
        talloc_free(ctx);
    }
}

/* What waited to be written must not outlive what was taken away while it waited. */
static void a_grant_is_as_old_as_its_judgement(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct authorization *a = make(ctx, BASE, SIGNED_IN | CONSENTED);
    assert_int_equal(authorization_judge(ctx, a, NOW), OUTCOME_GRANT);
    Rec__Code *code = authorization_code(ctx, a, NOW + 2);
    assert_true(code->grant->granted_at == NOW && code->created_at == NOW + 2 && code->expires_at == NOW + 62);
    talloc_free(ctx);
}

static void consents_grow_and_start_anew(void **state)
{
    (void)state;
    static const struct { const char *what; unsigned world; size_t scopes; } rows[] = {
        {"the first", SIGNED_IN, 2},
        {"added to", SIGNED_IN | CONSENTED, 3},
        {"after it was withdrawn", SIGNED_IN | CONSENTED | WITHDRAWN, 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct authorization *a = make(ctx,
                                       "client_id=rp&redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=code&scope=openid+email"
                                            "&claims=%7B%22userinfo%22%3A%7B%22name%22%3Anull%7D%7D", rows[i].world);
        a->answer = CONSENT_ALLOWED;
        assert_int_equal(authorization_judge(ctx, a, NOW), OUTCOME_GRANT);
        Rec__Consent *consent = authorization_consent(ctx, a, NOW);
        row_equal(rows[i].what, (long)consent->n_scopes, (long)rows[i].scopes);
        row_equal(rows[i].what, (long)consent->n_claims, 1);
        assert_string_equal(consent->claims[0], "name");
        assert_false(consent->withdrawn);
        assert_int_equal(consent->granted_at, NOW);
        assert_true(authorize_consent_covers(consent, &a->request));
        talloc_free(ctx);
    }
}

static void sessions_are_noted_now_and_then(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct authorization *a = make(ctx, BASE, SIGNED_IN | CONSENTED);
    a->session->last_used = NOW - 99; /* a tenth of the idle time is 100 s */
    assert_false(authorization_session_is_settled(a, NOW)); /* it does not know the client */
    authorization_settle_session(ctx, a, NOW);
    assert_int_equal(a->session->n_client_ids, 1);
    assert_int_equal(a->session->idle_expires_at, NOW + 1000);
    assert_true(authorization_session_is_settled(a, NOW + 99));
    assert_false(authorization_session_is_settled(a, NOW + 100));
    authorization_settle_session(ctx, a, NOW + 100);
    assert_int_equal(a->session->n_client_ids, 1);
    for (int i = 0; i < 400; i++) {
        a->client->client_id = mem_printf(ctx, "client %d", i);
        authorization_settle_session(ctx, a, NOW);
    }
    assert_int_equal(a->session->n_client_ids, 256);
    assert_true(authorization_session_is_settled(a, NOW));
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_its_outcome),
        cmocka_unit_test(the_code_says_what_was_granted),
        cmocka_unit_test(the_code_is_for_the_resources_that_were_named),
        cmocka_unit_test(a_grant_is_never_older_than_what_it_leans_on),
        cmocka_unit_test(a_grant_is_as_old_as_its_judgement),
        cmocka_unit_test(consents_grow_and_start_anew),
        cmocka_unit_test(sessions_are_noted_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
