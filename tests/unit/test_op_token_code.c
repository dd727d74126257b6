/* The rules of redeeming a code, a row per sentence of RFC 6749 §4.1.3, §4.1.4, §5.2, RFC 7636 §4.6,
 * RFC 9700 §2.1.1 and OpenID Connect Core §3.1.3.2. */
#include "rows.h"

#include "code.h"

#define URI "https://rp.example/cb"
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  /* RFC 7636 appendix B */
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define WRONG "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

enum there { CODE, CODE_WITHOUT_URI, SPENT, SPENT_BY_OTHER, NOTHING };

static const struct row {
    const char *sentence;
    enum there there;
    const char *challenge, *method; /* of the authorization request */
    const char *client_id, *redirect_uri, *verifier;
    int64_t now; /* the code is good before 100 */
    enum family_verdict alive;
    enum code_verdict verdict;
    enum oauth_code error;
} ROWS[] = {
    {"a valid request is answered with tokens (§4.1.4)",
     CODE, CHALLENGE, "S256", "c1", URI, VERIFIER, 50, FAMILY_ALIVE, CODE_REDEEM, OAUTH_OK},
    {"PKCE is optional where the client did not use it",
     CODE, NULL, NULL, "c1", URI, NULL, 50, FAMILY_ALIVE, CODE_REDEEM, OAUTH_OK},
    {"ensure that the code was issued to the authenticated client",
     CODE, CHALLENGE, "S256", "c2", URI, VERIFIER, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"verify that the code is valid: nobody made it",
     NOTHING, NULL, NULL, "c1", URI, NULL, 50, FAMILY_DEAD, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"verify that the code is valid: the last second",
     CODE, NULL, NULL, "c1", URI, NULL, 99, FAMILY_ALIVE, CODE_REDEEM, OAUTH_OK},
    {"verify that the code is valid: expired",
     CODE, NULL, NULL, "c1", URI, NULL, 100, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"a code used more than once must be denied, and what it produced should be revoked (§4.1.2)",
     SPENT, NULL, NULL, "c1", URI, VERIFIER, 50, FAMILY_DEAD, CODE_REPLAY, OAUTH_INVALID_GRANT},
    {"but not at the word of another client",
     SPENT_BY_OTHER, NULL, NULL, "c1", URI, VERIFIER, 50, FAMILY_DEAD, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"redirect_uri is required if it was part of the authorization request",
     CODE, NULL, NULL, "c1", NULL, NULL, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_REQUEST},
    {"redirect_uri values must be identical",
     CODE, NULL, NULL, "c1", URI "/", NULL, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"identical means in their case, too",
     CODE, NULL, NULL, "c1", "HTTPS://rp.example/cb", NULL, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"redirect_uri may be missing if it was not part of the authorization request",
     CODE_WITHOUT_URI, NULL, NULL, "c1", NULL, NULL, 50, FAMILY_ALIVE, CODE_REDEEM, OAUTH_OK},
    {"but not be another one than was used",
     CODE_WITHOUT_URI, NULL, NULL, "c1", "https://evil.example", NULL, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"the server must return invalid_grant if the PKCE values are not equal (RFC 7636 §4.6)",
     CODE, CHALLENGE, "S256", "c1", URI, WRONG, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"the challenge itself is no verifier under S256",
     CODE, CHALLENGE, "S256", "c1", URI, CHALLENGE, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"under plain the values are compared directly",
     CODE, VERIFIER, "plain", "c1", URI, VERIFIER, 50, FAMILY_ALIVE, CODE_REDEEM, OAUTH_OK},
    {"without a method it is plain (RFC 7636 §4.3)",
     CODE, VERIFIER, NULL, "c1", URI, VERIFIER, 50, FAMILY_ALIVE, CODE_REDEEM, OAUTH_OK},
    {"plain, not equal",
     CODE, VERIFIER, "plain", "c1", URI, WRONG, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"a method nobody knows never fits",
     CODE, VERIFIER, "S1", "c1", URI, VERIFIER, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"a challenge asks for its verifier",
     CODE, CHALLENGE, "S256", "c1", URI, NULL, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_REQUEST},
    {"a verifier without a challenge: somebody stripped it (RFC 9700 §2.1.1)",
     CODE, NULL, NULL, "c1", URI, VERIFIER, 50, FAMILY_ALIVE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"the session ended meanwhile",
     CODE, NULL, NULL, "c1", URI, NULL, 50, FAMILY_SESSION_ENDED, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"the consent was withdrawn meanwhile",
     CODE, NULL, NULL, "c1", URI, NULL, 50, FAMILY_CONSENT_WITHDRAWN, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"the user was disabled meanwhile",
     CODE, NULL, NULL, "c1", URI, NULL, 50, FAMILY_USER_GONE, CODE_REFUSE, OAUTH_INVALID_GRANT},
    {"the client was disabled meanwhile",
     CODE, NULL, NULL, "c1", URI, NULL, 50, FAMILY_CLIENT_GONE, CODE_REFUSE, OAUTH_INVALID_GRANT},
};

static void every_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct row *row = &ROWS[i];
        Rec__Grant grant = REC__GRANT__INIT;
        Rec__Code code = REC__CODE__INIT;
        Rec__SpentCode spent = REC__SPENT_CODE__INIT;
        grant.client_id = (char[]){"c1"};
        code.grant = &grant;
        code.redirect_uri = (char[]){URI};
        code.redirect_uri_was_sent = row->there == CODE;
        code.code_challenge = (char *)(uintptr_t)row->challenge;
        code.code_challenge_method = (char *)(uintptr_t)row->method;
        code.expires_at = 100;
        spent.client_id = row->there == SPENT ? (char[]){"c1"} : (char[]){"c2"};
        struct code_facts facts = {
            .code = row->there <= CODE_WITHOUT_URI ? &code : NULL,
            .spent = row->there == SPENT || row->there == SPENT_BY_OTHER ? &spent : NULL,
            .alive = row->alive,
            .client_id = row->client_id,
            .redirect_uri = row->redirect_uri,
            .code_verifier = row->verifier,
            .now = row->now,
        };
        struct oauth_error error = {OAUTH_OK, NULL};
        row_equal(row->sentence, code_decide(&facts, &error), row->verdict);
        row_equal(row->sentence, error.code, row->error);
        row_equal(row->sentence, error.description != NULL, row->verdict != CODE_REDEEM);
    }
}

static void a_stranger_learns_nothing(void **state)
{
    (void)state;
    Rec__Grant grant = REC__GRANT__INIT;
    Rec__Code code = REC__CODE__INIT;
    struct oauth_error unknown, foreign;
    grant.client_id = (char[]){"c1"};
    code.grant = &grant;
    code.expires_at = 100;
    struct code_facts facts = {.client_id = "c2", .redirect_uri = URI, .now = 50};
    assert_int_equal(code_decide(&facts, &unknown), CODE_REFUSE);
    facts.code = &code;
    assert_int_equal(code_decide(&facts, &foreign), CODE_REFUSE);
    assert_string_equal(unknown.description, foreign.description);
}

static void a_code_without_a_grant_is_refused(void **state)
{
    (void)state;
    Rec__Code code = REC__CODE__INIT;
    struct oauth_error error;
    code.expires_at = 100;
    struct code_facts facts = {.code = &code, .client_id = "c1", .now = 50};
    assert_int_equal(code_decide(&facts, &error), CODE_REFUSE);
    assert_int_equal(error.code, OAUTH_INVALID_GRANT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sentence),
        cmocka_unit_test(a_stranger_learns_nothing),
        cmocka_unit_test(a_code_without_a_grant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
