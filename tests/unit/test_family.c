#include "rows.h"

#include "protocol/family.h"

enum { NOW = 1000000, GRANTED = 900000 };

static char client[] = "client", user[] = "user", sid[] = "sid", other[] = "other";

/* Everything in order: a grant at GRANTED, of a session and a consent that hold. */
struct world {
    Rec__Grant grant;
    Rec__Family family;
    Rec__Session session;
    Rec__Consent consent;
    Rec__User user;
    Rec__Client client;
    struct family_facts facts;
};

static void world_make(struct world *w)
{
    rec__grant__init(&w->grant);
    rec__family__init(&w->family);
    rec__session__init(&w->session);
    rec__consent__init(&w->consent);
    rec__user__init(&w->user);
    rec__client__init(&w->client);
    w->grant.client_id = w->client.client_id = w->consent.client_id = client;
    w->grant.user_id = w->user.user_id = w->session.user_id = w->consent.user_id = user;
    w->grant.sid = w->session.sid = sid;
    w->grant.granted_at = GRANTED;
    w->family.idle_expires_at = w->session.idle_expires_at = NOW + 100;
    w->family.expires_at = w->session.expires_at = NOW + 200;
    w->session.created_at = w->session.auth_time = GRANTED - 50;
    w->facts = (struct family_facts){&w->family, &w->grant, false, &w->session, &w->consent, &w->user, &w->client, NOW};
}

static void nothing(struct world *w) { (void)w; }
static void no_family(struct world *w) { w->facts.family = NULL; }
static void dead(struct world *w) { w->family.dead = true; }
static void idle_over(struct world *w) { w->family.idle_expires_at = NOW; }
static void idle_edge(struct world *w) { w->family.idle_expires_at = NOW + 1; }
static void absolute_over(struct world *w) { w->family.expires_at = NOW; }
static void absolute_edge(struct world *w) { w->family.expires_at = NOW + 1; }
static void no_bounds(struct world *w) { w->family.expires_at = 0; }

static void no_session(struct world *w) { w->facts.session = NULL; }
static void session_idle_over(struct world *w) { w->session.idle_expires_at = NOW; }
static void session_over(struct world *w) { w->session.expires_at = NOW; }
static void session_edge(struct world *w) { w->session.idle_expires_at = w->session.expires_at = NOW + 1; }
static void other_session(struct world *w) { w->session.sid = other; }
static void session_of_another(struct world *w) { w->session.user_id = other; }
static void no_sid(struct world *w) { w->grant.sid = NULL; }
static void offline_no_session(struct world *w) { w->family.offline = true; w->facts.session = NULL; }
static void offline_token_no_session(struct world *w) { no_family(w); w->facts.offline = true; w->facts.session = NULL; }
static void token_no_session(struct world *w) { no_family(w); w->facts.session = NULL; }
static void revoked(struct world *w) { w->facts.revoked = true; }
static void offline_dead(struct world *w) { w->family.offline = true; w->family.dead = true; }

static void no_consent(struct world *w) { w->facts.consent = NULL; }
static void withdrawn(struct world *w) { w->consent.withdrawn = true; }
static void consent_since_edge(struct world *w) { w->consent.since = GRANTED; }
static void consent_since_later(struct world *w) { w->consent.since = GRANTED + 1; }
static void first_party_grant(struct world *w) { w->grant.first_party = true; w->facts.consent = NULL; }
static void first_party_client(struct world *w) { w->client.first_party = true; w->facts.consent = NULL; }
static void first_party_withdrawn_before(struct world *w) { w->grant.first_party = true; withdrawn(w); w->consent.since = GRANTED; }
static void first_party_withdrawn_after(struct world *w) { w->grant.first_party = true; withdrawn(w); w->consent.since = GRANTED + 1; }
static void offline_withdrawn(struct world *w) { w->family.offline = true; withdrawn(w); }

static void no_user(struct world *w) { w->facts.user = NULL; }
static void user_disabled(struct world *w) { w->user.disabled = true; }
static void user_since_edge(struct world *w) { w->user.since = GRANTED; w->session.auth_time = GRANTED; }
static void user_since_later(struct world *w) { w->user.since = GRANTED + 1; w->session.auth_time = GRANTED + 1; }
static void other_user(struct world *w) { w->user.user_id = other; }
static void offline_user_since(struct world *w) { w->family.offline = true; user_since_later(w); }

static void no_client(struct world *w) { w->facts.client = NULL; }
static void client_disabled(struct world *w) { w->client.disabled = true; }
static void client_since_edge(struct world *w) { w->client.since = GRANTED; }
static void client_since_later(struct world *w) { w->client.since = GRANTED + 1; }
static void other_client(struct world *w) { w->client.client_id = other; }

static void only_a_client(struct world *w)
{
    w->grant.user_id = NULL;
    w->facts.family = NULL;
    w->facts.session = NULL;
    w->facts.consent = NULL;
    w->facts.user = NULL;
}
static void only_a_client_revoked(struct world *w) { only_a_client(w); w->facts.revoked = true; }
static void only_a_disabled_client(struct world *w) { only_a_client(w); w->client.disabled = true; }
static void only_a_client_since(struct world *w) { only_a_client(w); w->client.since = GRANTED + 1; }

static void each_verdict_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        void (*change)(struct world *);
        enum family_verdict verdict;
    } rows[] = {
        {"all in order", nothing, FAMILY_ALIVE},
        {"DESIGN §5: for an access token an absent family is alive", no_family, FAMILY_ALIVE},
        {"marked dead", dead, FAMILY_DEAD},
        {"dead is dead, offline or not", offline_dead, FAMILY_DEAD},
        {"the token was revoked by its jti", revoked, FAMILY_DEAD},
        {"DESIGN §6: the idle lifetime is over", idle_over, FAMILY_EXPIRED},
        {"a second before that", idle_edge, FAMILY_ALIVE},
        {"DESIGN §6: the absolute lifetime is over", absolute_over, FAMILY_EXPIRED},
        {"a second before that", absolute_edge, FAMILY_ALIVE},
        {"a family without an end is none of ours", no_bounds, FAMILY_EXPIRED},
        {"DESIGN §5: dies with its session", no_session, FAMILY_SESSION_ENDED},
        {"the session was idle too long", session_idle_over, FAMILY_SESSION_ENDED},
        {"the session is over", session_over, FAMILY_SESSION_ENDED},
        {"a second before that", session_edge, FAMILY_ALIVE},
        {"another session", other_session, FAMILY_SESSION_ENDED},
        {"the session became somebody else's", session_of_another, FAMILY_SESSION_ENDED},
        {"the grant names no session", no_sid, FAMILY_SESSION_ENDED},
        {"Core §11: offline_access outlives the session", offline_no_session, FAMILY_ALIVE},
        {"the same when only the token says so", offline_token_no_session, FAMILY_ALIVE},
        {"a token without a family dies with its session", token_no_session, FAMILY_SESSION_ENDED},
        {"no consent", no_consent, FAMILY_CONSENT_WITHDRAWN},
        {"consent withdrawn", withdrawn, FAMILY_CONSENT_WITHDRAWN},
        {"Core §11: offline access ends with the consent", offline_withdrawn, FAMILY_CONSENT_WITHDRAWN},
        {"consent given again, at the grant's second", consent_since_edge, FAMILY_ALIVE},
        {"consent given again after the grant", consent_since_later, FAMILY_CONSENT_WITHDRAWN},
        {"DESIGN §5: a first-party client needs no consent", first_party_client, FAMILY_ALIVE},
        {"nor does what it was granted", first_party_grant, FAMILY_ALIVE},
        {"withdrawn before the first-party grant", first_party_withdrawn_before, FAMILY_ALIVE},
        {"withdrawn after the first-party grant", first_party_withdrawn_after, FAMILY_CONSENT_WITHDRAWN},
        {"the user is gone", no_user, FAMILY_USER_GONE},
        {"the user is disabled", user_disabled, FAMILY_USER_GONE},
        {"the user's since, at the grant's second", user_since_edge, FAMILY_ALIVE},
        {"the user's since, later", user_since_later, FAMILY_USER_GONE},
        {"and for offline access too", offline_user_since, FAMILY_USER_GONE},
        {"another user", other_user, FAMILY_USER_GONE},
        {"the client is gone", no_client, FAMILY_CLIENT_GONE},
        {"the client is disabled", client_disabled, FAMILY_CLIENT_GONE},
        {"the client's since, at the grant's second", client_since_edge, FAMILY_ALIVE},
        {"the client's since, later", client_since_later, FAMILY_CLIENT_GONE},
        {"another client", other_client, FAMILY_CLIENT_GONE},
        {"RFC 6749 §4.4: client_credentials leans on the client alone", only_a_client, FAMILY_ALIVE},
        {"which is disabled", only_a_disabled_client, FAMILY_CLIENT_GONE},
        {"whose since is later", only_a_client_since, FAMILY_CLIENT_GONE},
        {"RFC 7009 §2: revoked, and named no family", only_a_client_revoked, FAMILY_DEAD},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        world_make(&w);
        rows[i].change(&w);
        row_string(rows[i].rule, family_verdict_name(family_alive(&w.facts)), family_verdict_name(rows[i].verdict));
    }
}

/* --- how long --- */

enum { BORN = NOW - 5000, USED = NOW - 1000, NONE = 0 };

static void what_is_granted(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        int64_t own_idle, own_whole, idle, whole;
    } rows[] = {
        {"a client that says nothing has the house's", NONE, NONE, 1000, 9000},
        {"its own idle lifetime", 60, NONE, 60, 9000},
        {"its own lifetime", NONE, 600, 1000, 600},
        {"both", 60, 600, 60, 600},
        {"as long as the house's", 1000, 9000, 1000, 9000},
        {"a house that became stricter since is the stricter one", 1001, 9001, 1000, 9000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Rec__Client own = REC__CLIENT__INIT;
        own.has_refresh_token_idle_lifetime = rows[i].own_idle != NONE;
        own.refresh_token_idle_lifetime = rows[i].own_idle;
        own.has_refresh_token_lifetime = rows[i].own_whole != NONE;
        own.refresh_token_lifetime = rows[i].own_whole;
        struct family_lifetimes house = {1000, 9000}, granted = family_lifetimes(&house, &own);
        row_equal(rows[i].rule, granted.idle, rows[i].idle);
        row_equal(rows[i].rule, granted.whole, rows[i].whole);
    }
}

static void what_a_use_gives(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        int64_t granted, today, idle;
    } rows[] = {
        {"neither says anything: the house's", NONE, NONE, 1000},
        {"as it was granted", 60, 60, 60},
        {"the client's was shortened", 60, 30, 30},
        {"the client's was lengthened: as it was granted", 60, 600, 60},
        {"the client's was taken back: as it was granted", 60, NONE, 60},
        {"the client has one since", NONE, 60, 60},
        {"the house is stricter by now", 2000, 3000, 1000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Rec__Client own = REC__CLIENT__INIT;
        Rec__Family family = REC__FAMILY__INIT;
        own.has_refresh_token_idle_lifetime = rows[i].today != NONE;
        own.refresh_token_idle_lifetime = rows[i].today;
        family.has_idle_lifetime = rows[i].granted != NONE;
        family.idle_lifetime = rows[i].granted;
        row_equal(rows[i].rule, family_idle_lifetime(1000, &family, &own), rows[i].idle);
        if (rows[i].today == NONE)
            row_equal(rows[i].rule, family_idle_lifetime(1000, &family, NULL), rows[i].idle);
    }
}

/* A family born at BORN and last used at USED, which the record says ends 2000 after the one and 9000 after the other. */
static void when_it_ends(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        int64_t granted, idle, whole; /* the family's own idle lifetime, the client's two of today */
        struct family_ends ends;
    } rows[] = {
        {"what the record says", NONE, NONE, NONE, {USED + 2000, BORN + 9000}},
        {"which its own idle lifetime made", 2000, 2000, NONE, {USED + 2000, BORN + 9000}},
        {"its own counts, whoever wrote the record", 60, NONE, NONE, {USED + 60, BORN + 9000}},
        {"a shortened one holds at once, from the last use", 2000, 600, NONE, {USED + 600, BORN + 9000}},
        {"a lengthened one does not", 2000, 3000, 10000, {USED + 2000, BORN + 9000}},
        {"the client's lifetime was shortened: from the birth", NONE, NONE, 6000, {USED + 2000, BORN + 6000}},
        {"both", NONE, 100, 200, {USED + 100, BORN + 200}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        world_make(&w);
        w.family.offline = true; /* nothing else ends */
        w.family.created_at = BORN;
        w.family.last_used = USED;
        w.family.idle_expires_at = USED + 2000;
        w.family.expires_at = BORN + 9000;
        w.family.has_idle_lifetime = rows[i].granted != NONE;
        w.family.idle_lifetime = rows[i].granted;
        w.client.has_refresh_token_idle_lifetime = rows[i].idle != NONE;
        w.client.refresh_token_idle_lifetime = rows[i].idle;
        w.client.has_refresh_token_lifetime = rows[i].whole != NONE;
        w.client.refresh_token_lifetime = rows[i].whole;
        struct family_ends ends = family_ends(&w.family, &w.client);
        const struct family_ends *due = &rows[i].ends;
        int64_t end = due->idle < due->whole ? due->idle : due->whole;
        row_equal(rows[i].rule, ends.idle, due->idle);
        row_equal(rows[i].rule, ends.whole, due->whole);
        row_equal(rows[i].rule, family_end(&w.family, &w.client), end);
        row_equal(rows[i].rule, family_alive(&w.facts), end > NOW ? FAMILY_ALIVE : FAMILY_EXPIRED);
        w.facts.now = end - 1;
        row_equal(rows[i].rule, family_alive(&w.facts), FAMILY_ALIVE);
        w.facts.now = end;
        row_equal(rows[i].rule, family_alive(&w.facts), FAMILY_EXPIRED);
    }
}

static void session_older_than_since(struct world *w) { w->user.since = GRANTED - 49; }
static void session_made_at_since(struct world *w) { w->user.since = w->session.created_at; }
static void session_renewed(struct world *w) { w->user.since = w->session.created_at = GRANTED; }
static void session_signed_in_again(struct world *w) { w->user.since = w->session.auth_time = GRANTED; }

static void a_session_is_alive_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        void (*change)(struct world *);
        bool alive;
    } rows[] = {
        {"all in order", nothing, true},
        {"no session", no_session, false},
        {"no user", no_user, false},
        {"a disabled user", user_disabled, false},
        {"of another user", session_of_another, false},
        {"idle too long", session_idle_over, false},
        {"over", session_over, false},
        {"a second before that", session_edge, true},
        {"DESIGN §5: sessions from before since are dead", session_older_than_since, false},
        {"one of that second is not", session_made_at_since, true},
        {"DESIGN §5: the session that asked is renewed", session_renewed, true},
        {"a session signed in to again since", session_signed_in_again, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct world w;
        world_make(&w);
        rows[i].change(&w);
        row_equal(rows[i].rule, session_alive(w.facts.session, w.facts.user, NOW), rows[i].alive);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verdict_has_its_reason),
        cmocka_unit_test(what_is_granted),
        cmocka_unit_test(what_a_use_gives),
        cmocka_unit_test(when_it_ends),
        cmocka_unit_test(a_session_is_alive_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
