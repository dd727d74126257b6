#include "rows.h"

#include "protocol/pkce.h"

/* RFC 7636 appendix B */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

#define A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A43 A32 "aaaaaaaaaaa"
#define A128 A32 A32 A32 A32

static void verifiers_are_verified(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *verifier, *challenge, *method;
        enum op_err err;
    } rows[] = {
        {"RFC 7636 B: the example", VERIFIER, CHALLENGE, "S256", OP_OK},
        {"RFC 7636 §4.6: S256 hashes the verifier", CHALLENGE, CHALLENGE, "S256", OP_MISMATCH},
        {"RFC 7636 §4.6: another verifier", A43, CHALLENGE, "S256", OP_MISMATCH},
        {"RFC 7636 §4.6: plain compares", VERIFIER, VERIFIER, "plain", OP_OK},
        {"RFC 7636 §4.6: plain does not hash", VERIFIER, CHALLENGE, "plain", OP_MISMATCH},
        {"RFC 7636 §4.3: plain is the default", VERIFIER, VERIFIER, NULL, OP_OK},
        {"RFC 7636 §4.3: the default does not hash", VERIFIER, CHALLENGE, NULL, OP_MISMATCH},
        {"RFC 7636 §4.2: method names are case-sensitive", VERIFIER, CHALLENGE, "s256", OP_MISMATCH},
        {"an unknown method verifies nothing", VERIFIER, VERIFIER, "S512", OP_MISMATCH},
        {"a shorter challenge", VERIFIER, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c", "S256", OP_MISMATCH},
        {"an empty challenge", VERIFIER, "", "S256", OP_MISMATCH},
        {"a malformed verifier", "short", "short", "plain", OP_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].rule, pkce_verify(rows[i].verifier, rows[i].challenge, rows[i].method), rows[i].err);
}

static void verifiers_and_challenges_have_their_form(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *text;
        bool good;
    } rows[] = {
        {"RFC 7636 §4.1: at least 43 characters", A43, true},
        {"RFC 7636 §4.1: 42 are too few", A32 "aaaaaaaaaa", false},
        {"RFC 7636 §4.1: at most 128 characters", A128, true},
        {"RFC 7636 §4.1: 129 are too many", A128 "a", false},
        {"RFC 7636 §4.1: unreserved characters", A32 "-._~AZaz09-", true},
        {"RFC 7636 §4.1: no plus", A43 "+", false},
        {"RFC 7636 §4.1: no padding", A43 "=", false},
        {"RFC 7636 §4.1: no space", A43 " ", false},
        {"RFC 7636 §4.1: ASCII", A43 "\xc3\xa4", false},
        {"not empty", "", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_equal(rows[i].rule, pkce_verifier_is_valid(rows[i].text), rows[i].good);
        row_equal(rows[i].rule, pkce_challenge_is_valid(rows[i].text), rows[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verifiers_are_verified),
        cmocka_unit_test(verifiers_and_challenges_have_their_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
