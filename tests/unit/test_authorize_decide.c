/* What has to happen before a code can be given: authorize_decide and authorize_consent_covers. */
#include "rows.h"

#include "protocol/authorize_request.h"

enum { NOW = 1000000, AUTHENTICATED = NOW - 300 };

static char user_id[] = "user", client_id[] = "client", sid[] = "sid", acr[] = "1";
static char openid[] = "openid", email[] = "email", offline[] = "offline_access", name_claim[] = "name";

/* A user signed in five minutes ago who consented to openid and email; the client asks for openid. */
struct world {
    void *ctx;
    struct authorize_request request;
    Rec__Client client;
    Rec__Session session;
    Rec__User user;
    Rec__Consent consent;
    char *asked[3], *consented[3], *consented_claims[1];
    struct scope_list reachable;
    char *reachable_items[2];
    struct authorize_facts facts;
};

static void world_make(void *ctx, struct world *w)
{
    *w = (struct world){.ctx = ctx, .asked = {openid, email}, .consented = {openid, email}, .consented_claims = {name_claim},
                        .reachable_items = {acr, offline}};
    rec__client__init(&w->client);
    rec__session__init(&w->session);
    rec__user__init(&w->user);
    rec__consent__init(&w->consent);
    w->client.client_id = client_id;
    w->user.user_id = w->session.user_id = user_id;
    w->session.sid = sid;
    w->session.acr = acr;
    w->session.created_at = w->session.auth_time = AUTHENTICATED;
    w->session.idle_expires_at = w->session.expires_at = NOW + 100;
    w->consent.scopes = w->consented;
    w->consent.n_scopes = 2;
    w->consent.claims = w->consented_claims;
    w->request = (struct authorize_request){.scopes = {w->asked, 1}, .max_age_seconds = -1};
    w->reachable = (struct scope_list){w->reachable_items, 1};
    w->facts = (struct authorize_facts){.request = &w->request, .client = &w->client, .session = &w->session,
                                        .user = &w->user, .consent = &w->consent, .now = NOW};
}

static void claims(struct world *w, const char *text)
{
    struct oauth_error error;
    assert_int_equal(claims_request_parse(w->ctx, text, &w->request.claims_request, &error), OP_OK);
}

static void nothing(struct world *w) { (void)w; }
static void nobody(struct world *w) { w->facts.session = NULL; w->facts.user = NULL; }
static void user_gone(struct world *w) { w->facts.user = NULL; }
static void user_disabled(struct world *w) { w->user.disabled = true; }
static void session_over(struct world *w) { w->session.expires_at = NOW; }
static void signed_out_everywhere(struct world *w) { w->user.since = AUTHENTICATED + 1; }
static void just_signed_in(struct world *w) { w->facts.signed_in_just_now = true; w->session.auth_time = NOW - 2; }

static void none(struct world *w) { w->request.prompt_none = true; }
static void nobody_none(struct world *w) { nobody(w); none(w); }
static void session_over_none(struct world *w) { session_over(w); none(w); }
static void login(struct world *w) { w->request.prompt_login = true; }
static void login_done(struct world *w) { login(w); just_signed_in(w); }
static void login_consent(struct world *w) { login(w); w->request.prompt_consent = true; }
static void login_consent_signed_in(struct world *w) { login_consent(w); just_signed_in(w); }
static void login_consent_done(struct world *w) { login_consent_signed_in(w); w->facts.consented_just_now = true; }

static void max_age_edge(struct world *w) { w->request.max_age_seconds = NOW - AUTHENTICATED; }
static void max_age_over(struct world *w) { w->request.max_age_seconds = NOW - AUTHENTICATED - 1; }
static void max_age_over_none(struct world *w) { max_age_over(w); none(w); }
static void max_age_over_done(struct world *w) { w->request.max_age_seconds = 1; just_signed_in(w); }
static void max_age_zero(struct world *w) { w->request.max_age_seconds = 0; w->session.auth_time = NOW; }
static void max_age_zero_none(struct world *w) { max_age_zero(w); none(w); }
static void max_age_zero_done(struct world *w) { max_age_zero(w); just_signed_in(w); }
static void default_max_age(struct world *w) { w->client.has_default_max_age = true; w->client.default_max_age = 60; }
static void default_max_age_zero(struct world *w) { default_max_age(w); w->client.default_max_age = 0; }
static void default_overridden(struct world *w) { default_max_age(w); w->request.max_age_seconds = 3600; }
static void default_made_stricter(struct world *w) { default_max_age_zero(w); w->client.default_max_age = 3600; max_age_over(w); }

static void hint_same(struct world *w) { w->facts.hinted_user_id = user_id; }
static void hint_other(struct world *w) { w->facts.hinted_user_id = "other"; }
static void hint_same_none(struct world *w) { hint_same(w); none(w); }
static void hint_other_none(struct world *w) { hint_other(w); none(w); }
static void hint_other_done(struct world *w) { hint_other(w); just_signed_in(w); }
static void hint_same_done(struct world *w) { hint_same(w); just_signed_in(w); }
static void sub_same(struct world *w) { claims(w, "{\"id_token\":{\"sub\":{\"value\":\"user\"}}}"); }
static void sub_other(struct world *w) { claims(w, "{\"id_token\":{\"sub\":{\"value\":\"other\"}}}"); }
static void sub_other_none(struct world *w) { sub_other(w); none(w); }
static void sub_other_done(struct world *w) { sub_other(w); just_signed_in(w); }
static void sub_number_done(struct world *w) { claims(w, "{\"id_token\":{\"sub\":{\"value\":1}}}"); just_signed_in(w); }
static void sub_without_value(struct world *w) { claims(w, "{\"id_token\":{\"sub\":{\"essential\":true}}}"); }

static void acr_values(struct world *w) { w->request.acr_values = "9"; }
static void acr_voluntary(struct world *w) { claims(w, "{\"id_token\":{\"acr\":{\"values\":[\"9\"]}}}"); }
static void acr_not_essential(struct world *w) { claims(w, "{\"id_token\":{\"acr\":{\"essential\":false,\"value\":\"9\"}}}"); }
static void acr_met(struct world *w) { claims(w, "{\"id_token\":{\"acr\":{\"essential\":true,\"values\":[\"9\",\"1\"]}}}"); }
static void acr_any(struct world *w) { claims(w, "{\"id_token\":{\"acr\":{\"essential\":true}}}"); }
static void acr_unmet(struct world *w) { claims(w, "{\"id_token\":{\"acr\":{\"essential\":true,\"values\":[\"9\"]}}}"); }
static void acr_unmet_value(struct world *w) { claims(w, "{\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"9\"}}}"); }
static void acr_unmet_none(struct world *w) { acr_unmet(w); none(w); }
static void acr_unmet_done(struct world *w) { acr_unmet(w); just_signed_in(w); }
static void acr_unmet_value_done(struct world *w) { acr_unmet_value(w); just_signed_in(w); }
static void acr_unreachable(struct world *w) { acr_unmet(w); w->facts.reachable_acrs = &w->reachable; }
static void acr_unreachable_nobody(struct world *w) { acr_unreachable(w); nobody(w); }
static void acr_reachable(struct world *w) { acr_met(w); w->facts.reachable_acrs = &w->reachable; w->session.acr = NULL; }
static void acr_for_userinfo(struct world *w) { claims(w, "{\"userinfo\":{\"acr\":{\"essential\":true,\"value\":\"9\"}}}"); }

static void choose(struct world *w) { w->request.prompt_select_account = true; }
static void select_nobody(struct world *w) { choose(w); nobody(w); }
static void select_chosen(struct world *w) { choose(w); w->facts.account_chosen_just_now = true; }
static void select_signed_in(struct world *w) { choose(w); just_signed_in(w); }
static void select_login(struct world *w) { choose(w); login(w); }
static void select_consent(struct world *w) { choose(w); w->request.prompt_consent = true; }
static void select_consent_chosen(struct world *w) { select_consent(w); w->facts.account_chosen_just_now = true; }

static void prompt_consent(struct world *w) { w->request.prompt_consent = true; }
static void prompt_consent_done(struct world *w) { prompt_consent(w); w->facts.consented_just_now = true; }
static void prompt_consent_first_party(struct world *w) { prompt_consent(w); w->client.first_party = true; }
static void no_consent(struct world *w) { w->facts.consent = NULL; }
static void no_consent_none(struct world *w) { no_consent(w); none(w); }
static void no_consent_done(struct world *w) { no_consent(w); w->facts.consented_just_now = true; }
static void no_consent_first_party(struct world *w) { no_consent(w); w->client.first_party = true; }
static void no_consent_first_party_none(struct world *w) { no_consent_first_party(w); none(w); }
static void withdrawn(struct world *w) { w->consent.withdrawn = true; }
static void both_scopes(struct world *w) { w->request.scopes.count = 2; }
static void more_scopes(struct world *w) { both_scopes(w); w->consent.n_scopes = 1; }
static void more_scopes_none(struct world *w) { more_scopes(w); none(w); }
static void asks_offline(struct world *w) { w->asked[1] = offline; both_scopes(w); }
static void has_offline(struct world *w) { asks_offline(w); w->consented[1] = offline; }
static void asks_claim(struct world *w) { claims(w, "{\"userinfo\":{\"name\":null}}"); }
static void asks_claim_id_token(struct world *w) { claims(w, "{\"id_token\":{\"name\":null}}"); }
static void has_claim(struct world *w) { claims(w, "{\"id_token\":{\"name\":null},\"userinfo\":{\"name\":null}}"); w->consent.n_claims = 1; }
static void asks_auth_time(struct world *w) { claims(w, "{\"id_token\":{\"auth_time\":{\"essential\":true}}}"); }
static void nobody_no_consent(struct world *w) { nobody(w); no_consent(w); }

static void each_step_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        void (*change)(struct world *);
        enum authorize_step step;
        enum oauth_code error;
    } rows[] = {
        {"Core §3.1.2.3: signed in and consented", nothing, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §3.1.2.3: not already authenticated", nobody, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"the session's user is gone", user_gone, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"the session's user is disabled", user_disabled, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"the session is over", session_over, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"the session is from before the user's since", signed_out_everywhere, AUTHORIZE_SIGN_IN, OAUTH_OK},

        {"Core §3.1.2.1: prompt=none, all there", none, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §3.1.2.1: prompt=none, not already authenticated", nobody_none, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"Core §3.1.2.1: prompt=none, the session over", session_over_none, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"Core §3.1.2.6: prompt=none, no consent", no_consent_none, AUTHORIZE_ERROR, OAUTH_CONSENT_REQUIRED},
        {"Core §3.1.2.6: prompt=none, consent for less", more_scopes_none, AUTHORIZE_ERROR, OAUTH_CONSENT_REQUIRED},
        {"Core §3.1.2.4: prompt=none, no consent needed", no_consent_first_party_none, AUTHORIZE_GRANT, OAUTH_OK},

        {"Core §3.1.2.1: prompt=login signs in again", login, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"but once", login_done, AUTHORIZE_GRANT, OAUTH_OK},
        {"prompt=login consent: sign-in first", login_consent, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"then consent", login_consent_signed_in, AUTHORIZE_CONSENT, OAUTH_OK},
        {"then the code", login_consent_done, AUTHORIZE_GRANT, OAUTH_OK},

        {"Core §3.1.2.1: max_age allows as many seconds", max_age_edge, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §3.1.2.1: elapsed time greater than max_age", max_age_over, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"the same with prompt=none", max_age_over_none, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"a slow person is not asked forever", max_age_over_done, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §3.1.2.1: max_age=0 is prompt=login, even within the second", max_age_zero, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"the same with prompt=none", max_age_zero_none, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"but once", max_age_zero_done, AUTHORIZE_GRANT, OAUTH_OK},
        {"Registration §2: default_max_age", default_max_age, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"default_max_age 0", default_max_age_zero, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"Registration §2: max_age overrides it", default_overridden, AUTHORIZE_GRANT, OAUTH_OK},
        {"either way", default_made_stricter, AUTHORIZE_SIGN_IN, OAUTH_OK},

        {"Core §3.1.2.1: the user of the id_token_hint is signed in", hint_same, AUTHORIZE_GRANT, OAUTH_OK},
        {"the same with prompt=none", hint_same_none, AUTHORIZE_GRANT, OAUTH_OK},
        {"another user is signed in", hint_other, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"Core §3.1.2.1: ... otherwise login_required", hint_other_none, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"another user signed in by the request", hint_other_done, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"the user signed in by the request", hint_same_done, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §5.5.1: sub with this value", sub_same, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §5.5.1: sub with another value", sub_other, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"Core §3.1.2.2: no tokens for a different user", sub_other_none, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"Core §3.1.2.2: even if that one signs in", sub_other_done, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"a sub that is nobody's", sub_number_done, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"sub without a value asks for nobody", sub_without_value, AUTHORIZE_GRANT, OAUTH_OK},

        {"Core §3.1.2.1: acr_values are voluntary", acr_values, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §5.5.1.1: acr not essential", acr_voluntary, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §5.5.1.1: said to be not essential", acr_not_essential, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §5.5.1.1: essential and met", acr_met, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §5.5.1.1: essential without values", acr_any, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §5.5.1.1: essential and not met: may re-authenticate", acr_unmet, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"the same by value", acr_unmet_value, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"the same with prompt=none", acr_unmet_none, AUTHORIZE_ERROR, OAUTH_LOGIN_REQUIRED},
        {"Core §5.5.1.1: cannot be met: a failed authentication", acr_unmet_done, AUTHORIZE_ERROR,
         OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS},
        {"the same by value", acr_unmet_value_done, AUTHORIZE_ERROR, OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS},
        {"no sign-in here could meet it", acr_unreachable, AUTHORIZE_ERROR, OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS},
        {"so nobody is asked to", acr_unreachable_nobody, AUTHORIZE_ERROR, OAUTH_UNMET_AUTHENTICATION_REQUIREMENTS},
        {"a sign-in here could", acr_reachable, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"Core §5.5.1.1: for the ID Token only", acr_for_userinfo, AUTHORIZE_GRANT, OAUTH_OK},

        {"Core §3.1.2.1: prompt=select_account", choose, AUTHORIZE_SELECT_ACCOUNT, OAUTH_OK},
        {"nobody to choose from", select_nobody, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"chosen", select_chosen, AUTHORIZE_GRANT, OAUTH_OK},
        {"signing in is choosing", select_signed_in, AUTHORIZE_GRANT, OAUTH_OK},
        {"prompt=select_account login", select_login, AUTHORIZE_SIGN_IN, OAUTH_OK},
        {"prompt=select_account consent: choose first", select_consent, AUTHORIZE_SELECT_ACCOUNT, OAUTH_OK},
        {"then consent", select_consent_chosen, AUTHORIZE_CONSENT, OAUTH_OK},

        {"Core §3.1.2.1: prompt=consent asks again", prompt_consent, AUTHORIZE_CONSENT, OAUTH_OK},
        {"but once", prompt_consent_done, AUTHORIZE_GRANT, OAUTH_OK},
        {"even for a first-party client", prompt_consent_first_party, AUTHORIZE_CONSENT, OAUTH_OK},
        {"Core §3.1.2.4: no consent yet", no_consent, AUTHORIZE_CONSENT, OAUTH_OK},
        {"just given, perhaps for less", no_consent_done, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §3.1.2.4: or by other means: a first-party client", no_consent_first_party, AUTHORIZE_GRANT, OAUTH_OK},
        {"withdrawn", withdrawn, AUTHORIZE_CONSENT, OAUTH_OK},
        {"the scopes consented to", both_scopes, AUTHORIZE_GRANT, OAUTH_OK},
        {"more scopes than that", more_scopes, AUTHORIZE_CONSENT, OAUTH_OK},
        {"Core §11: offline_access needs consent", asks_offline, AUTHORIZE_CONSENT, OAUTH_OK},
        {"Core §11: which was given", has_offline, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §5.5: a single claim needs consent", asks_claim, AUTHORIZE_CONSENT, OAUTH_OK},
        {"Core §5.5: in the ID Token too", asks_claim_id_token, AUTHORIZE_CONSENT, OAUTH_OK},
        {"which was given", has_claim, AUTHORIZE_GRANT, OAUTH_OK},
        {"what is about the sign-in needs none", asks_auth_time, AUTHORIZE_GRANT, OAUTH_OK},
        {"Core §3.1.2.4: once authenticated: sign-in comes first", nobody_no_consent, AUTHORIZE_SIGN_IN, OAUTH_OK},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct world w;
        struct oauth_error error = {OAUTH_OK, NULL};
        world_make(ctx, &w);
        rows[i].change(&w);
        row_equal(rows[i].rule, authorize_decide(&w.facts, &error), rows[i].step);
        row_equal(rows[i].rule, error.code, rows[i].error);
        row_equal(rows[i].rule, error.description != NULL, rows[i].error != OAUTH_OK);
        talloc_free(ctx);
    }
}

/* No facts and no order of events may ask the same question twice: every way ends. */
static void every_way_ends(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++) {
        void *ctx = mem_root("test");
        struct world w;
        struct oauth_error error;
        world_make(ctx, &w);
        w.request.prompt_login = bits & 1;
        w.request.prompt_consent = bits & 2;
        w.request.prompt_select_account = bits & 4;
        w.request.max_age_seconds = bits & 8 ? 0 : -1;
        w.facts.consent = bits & 16 ? NULL : &w.consent;
        w.facts.session = bits & 32 ? NULL : &w.session;
        enum authorize_step step;
        int asked = 0;
        while ((step = authorize_decide(&w.facts, &error)) != AUTHORIZE_GRANT) {
            assert_true(++asked <= 3);
            assert_int_not_equal(step, AUTHORIZE_ERROR);
            w.facts.now += 30;
            w.session.idle_expires_at = w.session.expires_at = w.facts.now + 100;
            if (step == AUTHORIZE_SIGN_IN) {
                w.facts.session = &w.session;
                w.session.auth_time = w.facts.now;
                w.facts.signed_in_just_now = true;
            }
            w.facts.account_chosen_just_now |= step == AUTHORIZE_SELECT_ACCOUNT;
            w.facts.consented_just_now |= step == AUTHORIZE_CONSENT;
        }
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_has_its_reason),
        cmocka_unit_test(every_way_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
