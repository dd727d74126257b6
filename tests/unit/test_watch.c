#include "rows.h"
#include "watch.h"

#define LINE(endpoint, status, error, count) \
    "partita_requests_total{endpoint=\"" endpoint "\",status=\"" status "\",error=\"" error "\"} " count "\n"
#define BUCKET(endpoint, bound, count) \
    "partita_request_duration_seconds_bucket{endpoint=\"" endpoint "\",le=\"" bound "\"} " count "\n"

static const char METRICS[] =
    "# HELP partita_requests_total Requests answered.\n# TYPE partita_requests_total counter\n"
    LINE("/token", "200", "", "90") LINE("/token", "400", "invalid_grant", "6") LINE("/token", "401", "invalid_client", "1")
    LINE("/other", "400", "invalid_grant", "1") LINE("/token", "503", "temporarily_unavailable", "2")
    LINE("/.well-known/jwks.json", "200", "", "10") LINE("/.ready", "503", "", "1000")
    BUCKET("/token", "0.001", "50") BUCKET("/token", "0.01", "99") BUCKET("/token", "+Inf", "100")
    BUCKET("/.ready", "0.001", "0") BUCKET("/.ready", "0.01", "0") BUCKET("/.ready", "+Inf", "1000")
    "partita_build_info{version=\"0.2.0\"} 1\npartita_connections 7\npartita_connections_more 8\n";

static void what_metrics_say(void **unused)
{
    (void)unused;
    void *ctx = mem_root("test");
    size_t count;
    struct exposition_requests requests = exposition_requests(METRICS);
    assert_int_equal(requests.all, 110);
    assert_int_equal(requests.server_errors, 2);
    struct exposition_answer *answers = exposition_answers(ctx, METRICS, &count);
    assert_int_equal(count, 6);
    assert_string_equal(answers[1].endpoint, "/token");
    assert_string_equal(answers[1].error, "invalid_grant");
    size_t named;
    assert_int_equal(exposition_errors(ctx, METRICS, &named)[0].count, 7); /* of both endpoints */
    assert_int_equal(named, 3);
    assert_true(answers[1].status == 400 && answers[1].count == 6 && *answers[0].error == '\0');
    assert_string_equal(exposition_label(ctx, METRICS, "partita_build_info", "version"), "0.2.0");
    assert_string_equal(exposition_label(ctx, METRICS, "partita_nothing", "version"), "");
    assert_true(exposition_value(METRICS, "partita_connections") == 7 && exposition_value(METRICS, "partita_absent") == 0);
    assert_true(exposition_requests("").all == 0);
    talloc_free(ctx);
}

static void quantiles_are_those_of_the_time_between(void **unused)
{
    (void)unused;
    static const char later[] =
        BUCKET("/token", "0.001", "50") BUCKET("/token", "0.01", "109") BUCKET("/token", "+Inf", "110");
    assert_true(exposition_quantile("", METRICS, 0.5) == 0.001 && exposition_quantile("", METRICS, 0.99) == 0.01);
    assert_true(exposition_quantile("", METRICS, 0.999) == 0.02); /* twice the largest bound */
    assert_true(exposition_quantile("", "", 0.99) == -1);
    assert_true(exposition_quantile(METRICS, later, 0.5) == 0.01); /* ten more, all slower */
    assert_true(exposition_quantile(METRICS, METRICS, 0.5) == -1);
    assert_true(exposition_quantile(later, METRICS, 0.5) == 0.001); /* it was started again */
}

static void processes_that_started_again_count_from_zero(void **unused)
{
    (void)unused;
    void *ctx = mem_root("test");
    struct watch_tally before = {0}, now = {0};
    watch_add(ctx, &before, METRICS);
    watch_add(ctx, &now, LINE("/token", "200", "", "5") LINE("/token", "400", "invalid_scope", "3"));
    struct watch_tally since = watch_since(ctx, &before, &now);
    assert_int_equal(watch_requests(&since), 3);
    watch_add(ctx, &now, METRICS);
    since = watch_since(ctx, &before, &now);
    assert_int_equal(watch_requests(&since), 8);
    talloc_free(ctx);
}

static const struct row {
    const char *name, *fresh, *old;
    struct watch_limits limits;
    const char *why; /* NULL: goes on */
} ROWS[] = {
    {"nothing happened", "", "", {5, 5}, NULL},
    {"all good", LINE("/token", "200", "", "100"), LINE("/token", "200", "", "100"), {5, 5}, NULL},
    {"5xx", LINE("/token", "200", "", "90") LINE("/token", "500", "", "10"), LINE("/token", "200", "", "100"), {5, 5},
     "status 5xx in 10 of 100 answers of /token, against 0 of 100"},
    {"as many as the old one", LINE("/token", "200", "", "90") LINE("/token", "500", "", "10"),
     LINE("/token", "200", "", "45") LINE("/token", "500", "", "5"), {5, 5}, NULL},
    {"within the margin", LINE("/token", "200", "", "95") LINE("/token", "500", "", "5"), LINE("/token", "200", "", "100"), {5, 5}, NULL},
    {"over a margin of nothing", LINE("/token", "200", "", "191") LINE("/token", "500", "", "9"), LINE("/token", "200", "", "200"), {0, 5},
     "status 5xx in 9 of 200"},
    {"what chance makes of few", LINE("/token", "200", "", "9") LINE("/token", "400", "authorization_pending", "5"),
     LINE("/token", "200", "", "70") LINE("/token", "400", "authorization_pending", "30"), {5, 5}, NULL},
    {"and not of many", LINE("/token", "200", "", "900") LINE("/token", "400", "authorization_pending", "500"),
     LINE("/token", "200", "", "1400") LINE("/token", "400", "authorization_pending", "600"), {5, 5}, "error authorization_pending in 500 of 1400"},
    {"nor when all of them fail", LINE("/token", "500", "", "5"), LINE("/token", "200", "", "5"), {5, 5}, "status 5xx in 5 of 5"},
    {"too few to tell", LINE("/token", "500", "", "4"), LINE("/token", "200", "", "100"), {5, 5}, NULL},
    {"an OAuth error", LINE("/token", "200", "", "50") LINE("/token", "400", "invalid_grant", "50"),
     LINE("/token", "200", "", "90") LINE("/token", "400", "invalid_grant", "10"), {5, 5},
     "error invalid_grant in 50 of 100 answers of /token, against 10 of 100"},
    {"an error that the old one never had", LINE("/token", "200", "", "80") LINE("/token", "400", "invalid_scope", "20"),
     LINE("/token", "200", "", "90") LINE("/token", "400", "invalid_grant", "10"), {5, 5}, "error invalid_scope in 20 of 100"},
    {"the old one had nothing to do", LINE("/token", "200", "", "80") LINE("/token", "500", "", "20"), "", {5, 5}, "against 0 of 0"},
    {"an endpoint that is seldom asked for", LINE("/token", "200", "", "1000") LINE("/register", "403", "access_denied", "6"),
     LINE("/token", "200", "", "1000") LINE("/register", "201", "", "6"), {5, 5}, "error access_denied in 6 of 6 answers of /register, against 0 of 6"},
    {"one that the old one was not asked for", LINE("/register", "403", "access_denied", "6"), LINE("/token", "200", "", "1000"), {5, 5},
     "against 0 of 0"},
    {"few at each of many", LINE("/a", "500", "", "3") LINE("/b", "500", "", "3"), LINE("/a", "200", "", "3") LINE("/b", "200", "", "3"), {5, 5},
     "status 5xx in 6 of 6 answers, against 0 of 6"},
    {"what the operator asks is no work", LINE("/.ready", "503", "", "100"), LINE("/token", "200", "", "100"), {5, 5}, NULL},
};

static void who_does_worse(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        void *ctx = mem_root("test");
        struct watch_tally fresh = {0}, old = {0};
        watch_add(ctx, &fresh, ROWS[i].fresh);
        watch_add(ctx, &old, ROWS[i].old);
        const char *why = watch_judge(ctx, &fresh, &old, &ROWS[i].limits);
        if ((why == NULL) != (ROWS[i].why == NULL) || (why != NULL && strstr(why, ROWS[i].why) == NULL))
            fail_msg("%s: %s", ROWS[i].name, why == NULL ? "goes on" : why);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_metrics_say),
        cmocka_unit_test(quantiles_are_those_of_the_time_between),
        cmocka_unit_test(processes_that_started_again_count_from_zero),
        cmocka_unit_test(who_does_worse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
