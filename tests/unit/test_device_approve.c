/* What has to happen before a device gets its answer, a row per sentence of RFC 8628 §3.3 and §5.4. */
#include "auth.h"
#include "device_approve.h"
#include "rows.h"
#include "runtime/settings.h"

enum { NOW = 100000 };

enum world {
    NOBODY = 0,
    SIGNED_IN = 1,
    CONSENTED = 2,   /* at another time, to all of it */
    FIRST_PARTY = 4,
    GONE = 8,        /* the client */
    DISABLED = 16,
    ELSEWHERE = 32,  /* the answer was given in a session that is not the present one */
    MAX_AGE = 64,    /* the client wants a sign-in that is newer */
    JUST_NOW = 128,  /* the visit signed in, in this very session */
    OVER = 256,      /* the session is */
};

static char *scopes[] = {(char[]){"openid"}, (char[]){"offline_access"}};
static char *resources[] = {(char[]){"https://api.example/"}};

static struct authorization *make(void *ctx, unsigned world)
{
    struct authorization *a = mem_new(ctx, struct authorization);
    settings.password_acr = "pwd";
    if ((world & GONE) == 0) {
        a->client = records_new(ctx, &rec__client__descriptor);
        a->client->client_id = mem_strdup(ctx, "tv");
        a->client->first_party = (world & FIRST_PARTY) != 0;
        a->client->disabled = (world & DISABLED) != 0;
        a->client->has_default_max_age = (world & MAX_AGE) != 0;
        a->client->default_max_age = 60;
    }
    if ((world & SIGNED_IN) != 0) {
        a->user = records_new(ctx, &rec__user__descriptor);
        a->user->user_id = mem_strdup(ctx, "u1");
        a->session = records_new(ctx, &rec__session__descriptor);
        a->session->sid = mem_strdup(ctx, "s1");
        a->session->user_id = mem_strdup(ctx, "u1");
        a->session->auth_time = a->session->created_at = NOW - 300;
        a->session->idle_expires_at = a->session->expires_at = (world & OVER) != 0 ? NOW : NOW + 1000;
    }
    if ((world & CONSENTED) != 0) {
        a->consent = records_new(ctx, &rec__consent__descriptor);
        a->consent->scopes = scopes;
        a->consent->n_scopes = COUNT(scopes);
    }
    a->visit.sid = (world & ELSEWHERE) != 0 ? "s0" : "s1";
    a->visit.signed_in = (world & JUST_NOW) != 0;
    return a;
}

static void each_visit_has_its_outcome(void **state)
{
    (void)state;
    static const struct {
        const char *sentence;
        unsigned world;
        enum consent_answer answer;
        enum authorization_outcome outcome;
    } rows[] = {
        {"the user authenticates first (§3.3)", NOBODY, CONSENT_UNASKED, OUTCOME_SIGN_IN},
        {"whatever is said without", NOBODY, CONSENT_ALLOWED, OUTCOME_SIGN_IN},
        {"and a refusal, too, is somebody's", NOBODY, CONSENT_DENIED, OUTCOME_SIGN_IN},
        {"a session that is over is none", SIGNED_IN | OVER, CONSENT_ALLOWED, OUTCOME_SIGN_IN},
        {"the server prompts the user to authorize (§3.3)", SIGNED_IN, CONSENT_UNASKED, OUTCOME_CONSENT},
        {"also who allowed the same before (§5.4)", SIGNED_IN | CONSENTED, CONSENT_UNASKED, OUTCOME_CONSENT},
        {"also for a client of the operator's own (§5.4)", SIGNED_IN | FIRST_PARTY, CONSENT_UNASKED, OUTCOME_CONSENT},
        {"signing in is no approval", SIGNED_IN | CONSENTED | JUST_NOW, CONSENT_UNASKED, OUTCOME_CONSENT},
        {"allowed", SIGNED_IN, CONSENT_ALLOWED, OUTCOME_GRANT},
        {"denied", SIGNED_IN, CONSENT_DENIED, OUTCOME_ERROR},
        {"denied now, allowed once", SIGNED_IN | CONSENTED, CONSENT_DENIED, OUTCOME_ERROR},
        {"what was said in another session does not count", SIGNED_IN | ELSEWHERE, CONSENT_ALLOWED, OUTCOME_CONSENT},
        {"nor a refusal", SIGNED_IN | ELSEWHERE, CONSENT_DENIED, OUTCOME_CONSENT},
        {"the client's default_max_age asks for a new sign-in", SIGNED_IN | MAX_AGE, CONSENT_UNASKED, OUTCOME_SIGN_IN},
        {"once", SIGNED_IN | MAX_AGE | JUST_NOW, CONSENT_UNASKED, OUTCOME_CONSENT},
        {"the client is gone", SIGNED_IN | GONE, CONSENT_ALLOWED, OUTCOME_PROBLEM},
        {"or switched off", SIGNED_IN | DISABLED, CONSENT_ALLOWED, OUTCOME_PROBLEM},
        {"then nobody has to sign in for it", NOBODY | DISABLED, CONSENT_UNASKED, OUTCOME_PROBLEM},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct authorization *a = make(ctx, rows[i].world);
        Rec__DeviceRequest asked = REC__DEVICE_REQUEST__INIT;
        asked.client_id = (char[]){"tv"};
        asked.scopes = scopes;
        asked.n_scopes = COUNT(scopes);
        a->answer = rows[i].answer;
        row_equal(rows[i].sentence, device_approve_judge(a, &asked, NOW), rows[i].outcome);
        if (rows[i].outcome == OUTCOME_ERROR)
            row_equal(rows[i].sentence, a->error.code, OAUTH_ACCESS_DENIED);
    }
    talloc_free(ctx);
}

static void what_is_granted_is_what_was_asked(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct authorization *a = make(ctx, SIGNED_IN);
    Rec__DeviceRequest asked = REC__DEVICE_REQUEST__INIT;
    asked.client_id = (char[]){"tv"};
    asked.scopes = scopes;
    asked.n_scopes = COUNT(scopes);
    asked.resources = resources;
    asked.n_resources = COUNT(resources);
    a->answer = CONSENT_ALLOWED;
    a->client->audiences = (char *[]){(char[]){"https://other.example"}};
    a->client->n_audiences = 1;
    assert_int_equal(device_approve_judge(a, &asked, NOW), OUTCOME_GRANT);
    Rec__Grant *grant = authorization_grant(ctx, a);
    assert_string_equal(grant->client_id, "tv");
    assert_string_equal(grant->user_id, "u1");
    assert_string_equal(grant->sid, "s1"); /* so that it dies with the session, but for offline_access */
    assert_true(grant->n_scopes == 2 && grant->granted_at == NOW && grant->auth_time == NOW - 300);
    assert_true(grant->n_audiences == 1);
    assert_string_equal(grant->audiences[0], resources[0]);
    assert_null(grant->nonce);
    Rec__Consent *consent = authorization_consent(ctx, a, NOW);
    assert_true(consent->n_scopes == 2 && consent->granted_at == NOW && !consent->withdrawn);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_visit_has_its_outcome),
        cmocka_unit_test(what_is_granted_is_what_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
