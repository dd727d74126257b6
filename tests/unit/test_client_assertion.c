#include "protocol/client_assertion.h"

#include "base/buf.h"
#include "base/codec.h"
#include "protocol/client_auth.h"
#include "rows.h"

#include <stdio.h>

/* --- reading --- */

static char *unsigned_token(const void *ctx, const char *header, const char *claims)
{
    return mem_printf(ctx, "%s.%s.c2lnbmF0dXJl", codec_base64url(ctx, bytes_of(header)),
                      codec_base64url(ctx, bytes_of(claims)));
}

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"a\"}"
#define IDS "\"iss\":\"client\",\"sub\":\"client\","
#define GOOD IDS "\"aud\":\"https://op.example\",\"exp\":1000,\"jti\":\"1\""

static void assertions_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *header, *claims;
        bool good;
    } rows[] = {
        {"all that is required", HEADER, "{" GOOD "}", true},
        {"with all that may be there", HEADER, "{" GOOD ",\"nbf\":1,\"iat\":2,\"other\":[1]}", true},
        {"RFC 7523 §3 no. 1: iss is required", HEADER, "{\"sub\":\"client\",\"aud\":\"a\",\"exp\":1,\"jti\":\"1\"}", false},
        {"Core §9: iss is the client_id", HEADER,
         "{\"iss\":\"other\",\"sub\":\"client\",\"aud\":\"a\",\"exp\":1,\"jti\":\"1\"}", false},
        {"RFC 7523 §3 no. 2: sub is required", HEADER, "{\"iss\":\"client\",\"aud\":\"a\",\"exp\":1,\"jti\":\"1\"}", false},
        {"sub is empty", HEADER, "{\"iss\":\"\",\"sub\":\"\",\"aud\":\"a\",\"exp\":1,\"jti\":\"1\"}", false},
        {"sub is a number", HEADER, "{\"iss\":1,\"sub\":1,\"aud\":\"a\",\"exp\":1,\"jti\":\"1\"}", false},
        {"RFC 7523 §3 no. 3: aud is required", HEADER, "{" IDS "\"exp\":1,\"jti\":\"1\"}", false},
        {"RFC 7519 §4.1.3: aud may be an array", HEADER, "{" IDS "\"aud\":[\"a\",\"b\"],\"exp\":1,\"jti\":\"1\"}", true},
        {"aud is an empty array", HEADER, "{" IDS "\"aud\":[],\"exp\":1,\"jti\":\"1\"}", false},
        {"aud is an array of numbers", HEADER, "{" IDS "\"aud\":[\"a\",1],\"exp\":1,\"jti\":\"1\"}", false},
        {"aud is an object", HEADER, "{" IDS "\"aud\":{},\"exp\":1,\"jti\":\"1\"}", false},
        {"RFC 7523 §3 no. 4: exp is required", HEADER, "{" IDS "\"aud\":\"a\",\"jti\":\"1\"}", false},
        {"RFC 7519 §2: a NumericDate may have a fraction", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":1000.5,\"jti\":\"1\"}", true},
        {"exp is text", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":\"1000\",\"jti\":\"1\"}", false},
        {"exp is negative", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":-1,\"jti\":\"1\"}", false},
        {"exp is no time", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":1e300,\"jti\":\"1\"}", false},
        {"exp is in milliseconds", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":1700000000000,\"jti\":\"1\"}", false},
        {"exp is null", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":null,\"jti\":\"1\"}", false},
        {"nbf is text", HEADER, "{" GOOD ",\"nbf\":\"1\"}", false},
        {"iat is text", HEADER, "{" GOOD ",\"iat\":\"1\"}", false},
        {"iat is true", HEADER, "{" GOOD ",\"iat\":true}", false},
        {"Core §9: jti is required", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":1}", false},
        {"jti is empty", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":1,\"jti\":\"\"}", false},
        {"jti is a number", HEADER, "{" IDS "\"aud\":\"a\",\"exp\":1,\"jti\":1}", false},
        {"RFC 7523 §3 no. 9: signed", "{\"alg\":\"none\"}", "{" GOOD "}", false},
        {"Core §9: private_key_jwt is not symmetric", "{\"alg\":\"HS256\"}", "{" GOOD "}", false},
        {"an alg that is not ours", "{\"alg\":\"ES512\"}", "{" GOOD "}", false},
        {"no alg", "{}", "{" GOOD "}", false},
        {"RFC 7515 §4.1.11: crit", "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", "{" GOOD "}", false},
        {"RFC 7797: b64", "{\"alg\":\"ES256\",\"b64\":false}", "{" GOOD "}", false},
        {"RFC 7519 §5.1: typ JWT", "{\"alg\":\"ES256\",\"typ\":\"jwt\"}", "{" GOOD "}", true},
        {"typ of client authentication", "{\"alg\":\"ES256\",\"typ\":\"client-authentication+jwt\"}", "{" GOOD "}", true},
        {"RFC 8725 §3.11: an access token", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", "{" GOOD "}", false},
        {"a logout token", "{\"alg\":\"ES256\",\"typ\":\"application/logout+jwt\"}", "{" GOOD "}", false},
        {"claims that are no object", HEADER, "[1]", false},
        {"claims that are no JSON", HEADER, "exp", false},
        {"a claim twice", HEADER, "{" GOOD ",\"jti\":\"2\"}", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct client_assertion assertion;
        struct oauth_error error = {OAUTH_OK, NULL};
        const char *token = unsigned_token(ctx, rows[i].header, rows[i].claims);
        enum op_err err = client_assertion_read(ctx, CLIENT_ASSERTION_TYPE, token, &assertion, &error);
        row_equal(rows[i].rule, err, rows[i].good ? OP_OK : OP_INVALID);
        row_equal(rows[i].rule, error.code, rows[i].good ? OAUTH_OK : OAUTH_INVALID_CLIENT);
        if (rows[i].good)
            row_string(rows[i].rule, assertion.client_id, "client");
        talloc_free(ctx);
    }
}

static void only_jwts_of_one_type_are_read(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *long_jti = mem_printf(ctx, "{" IDS "\"aud\":\"a\",\"exp\":1,\"jti\":\"%0257d\"}", 0);
    char *jti = mem_printf(ctx, "{" IDS "\"aud\":\"a\",\"exp\":1,\"jti\":\"%0256d\"}", 0);
    const char *good = unsigned_token(ctx, HEADER, "{" GOOD "}");
    const struct {
        const char *rule, *type, *token;
        bool good;
    } rows[] = {
        {"RFC 7523 §2.2: the type", CLIENT_ASSERTION_TYPE, good, true},
        {"RFC 7522: a SAML assertion", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", good, false},
        {"another case", "urn:ietf:params:oauth:client-assertion-type:JWT-bearer", good, false},
        {"no JWT", CLIENT_ASSERTION_TYPE, "assertion", false},
        {"two parts", CLIENT_ASSERTION_TYPE, "e30.e30", false},
        {"five parts, as a JWE has", CLIENT_ASSERTION_TYPE, "e30.e30.e30.e30.e30", false},
        {"something behind it", CLIENT_ASSERTION_TYPE, mem_printf(ctx, "%s ", good), false},
        {"padding", CLIENT_ASSERTION_TYPE, mem_printf(ctx, "%s=", good), false},
        {"a jti of 256 bytes", CLIENT_ASSERTION_TYPE, unsigned_token(ctx, HEADER, jti), true},
        {"a longer one", CLIENT_ASSERTION_TYPE, unsigned_token(ctx, HEADER, long_jti), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client_assertion assertion;
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err err = client_assertion_read(ctx, rows[i].type, rows[i].token, &assertion, &error);
        row_equal(rows[i].rule, err, rows[i].good ? OP_OK : OP_INVALID);
        row_equal(rows[i].rule, error.code, rows[i].good ? OAUTH_OK : OAUTH_INVALID_CLIENT);
    }
    talloc_free(ctx);
}

/* --- judging --- */

enum { NOW = 1000000, SKEW = 60, AGE = 300, LIFETIME = 3600, LONG_AGO = -500000, NONE = -NOW };

static void assertions_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *audience;
        int64_t exp, nbf, iat, made; /* seconds from now; NONE: not there */
        bool good;
        int64_t ends;                /* seconds from now */
    } rows[] = {
        {"Core §9: aud is the token endpoint", "https://op.example/token", 60, NONE, 0, LONG_AGO, true, 60},
        {"RFC 7523 §3 no. 3: or the issuer", "https://op.example", 60, NONE, 0, LONG_AGO, true, 60},
        {"RFC 9126 §2: or the endpoint that is asked", "https://op.example/as/par", 60, NONE, 0, LONG_AGO, true, 60},
        {"somebody else", "https://evil.example/token", 60, NONE, 0, LONG_AGO, false, 0},
        {"RFC 3986 §6.2.1: compared as strings", "https://op.example/", 60, NONE, 0, LONG_AGO, false, 0},
        {"and in the same case", "https://OP.example", 60, NONE, 0, LONG_AGO, false, 0},
        {"no. 4: expired, but for the clocks", "https://op.example", -SKEW + 1, NONE, -100, LONG_AGO, true, -SKEW + 1},
        {"no. 4: expired", "https://op.example", -SKEW, NONE, -100, LONG_AGO, false, 0},
        {"no. 4: unreasonably far away", "https://op.example", LIFETIME + 1, NONE, 0, LONG_AGO, false, 0},
        {"an hour of which only the first minutes are used", "https://op.example", LIFETIME, NONE, 0, LONG_AGO, true, AGE},
        {"without iat: as far as it may be", "https://op.example", AGE + SKEW, NONE, NONE, LONG_AGO, true, AGE + SKEW},
        {"without iat: further", "https://op.example", AGE + SKEW + 1, NONE, NONE, LONG_AGO, false, 0},
        {"no. 5: nbf has come", "https://op.example", 60, 0, 0, LONG_AGO, true, 60},
        {"no. 5: nbf has come, but for the clocks", "https://op.example", 60, SKEW, 0, LONG_AGO, true, 60},
        {"no. 5: not yet", "https://op.example", 90, SKEW + 1, 0, LONG_AGO, false, 0},
        {"no. 6: iat in the future, but for the clocks", "https://op.example", 90, NONE, SKEW, LONG_AGO, true, 90},
        {"no. 6: iat in the future", "https://op.example", 90, NONE, SKEW + 1, LONG_AGO, false, 0},
        {"no. 6: issued long ago, but for the clocks", "https://op.example", 60, NONE, -AGE - SKEW + 1, LONG_AGO, true,
         -SKEW + 1},
        {"no. 6: issued long ago", "https://op.example", 60, NONE, -AGE - SKEW, LONG_AGO, false, 0},
        {"no. 7: issued when memory began", "https://op.example", 60, NONE, -10, -10, true, 60},
        {"no. 7: issued before: it may have been used", "https://op.example", 60, NONE, -10, -9, false, 0},
        {"without iat: as early as it may have been issued", "https://op.example", 60, NONE, NONE, 60 - AGE, true, 60},
        {"without iat: that was before memory began", "https://op.example", 60, NONE, NONE, 60 - AGE + 1, false, 0},
    };
    static const char *const ours[] = {"https://op.example", "https://op.example/token", "https://op.example/as/par"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char audience[64];
        char *audiences[] = {audience};
        snprintf(audience, sizeof audience, "%s", rows[i].audience);
        struct client_assertion assertion = {
            .client_id = "client", .audiences = audiences, .audience_count = 1, .jti = "1", .exp = NOW + rows[i].exp,
            .has_nbf = rows[i].nbf != NONE, .nbf = NOW + rows[i].nbf,
            .has_iat = rows[i].iat != NONE, .iat = NOW + rows[i].iat,
        };
        struct client_assertion_rules rules = {
            .audiences = ours, .audience_count = COUNT(ours), .now = NOW, .clock_skew = SKEW, .age_max = AGE,
            .lifetime_max = LIFETIME, .remembered_since = NOW + rows[i].made,
        };
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err err = client_assertion_decide(&assertion, &rules, &error);
        row_equal(rows[i].rule, err, rows[i].good ? OP_OK : OP_MISMATCH);
        row_equal(rows[i].rule, error.code, rows[i].good ? OAUTH_OK : OAUTH_INVALID_CLIENT);
        if (rows[i].good)
            row_equal(rows[i].rule, client_assertion_ends_at(&assertion, &rules) - NOW, rows[i].ends);
    }
}

static void one_of_several_audiences_is_enough(void **state)
{
    (void)state;
    static const char *const ours[] = {"https://op.example"};
    char a[] = "https://a.example", op[] = "https://op.example", b[] = "https://b.example";
    char *with[] = {a, op, b}, *without[] = {a, b};
    struct client_assertion assertion = {.audiences = with, .audience_count = 3, .exp = NOW + 60};
    struct client_assertion_rules rules = {
        .audiences = ours, .audience_count = 1, .now = NOW, .age_max = AGE, .lifetime_max = LIFETIME};
    struct oauth_error error;
    assert_int_equal(client_assertion_decide(&assertion, &rules, &error), OP_OK);
    assertion.audiences = without;
    assertion.audience_count = 2;
    assert_int_equal(client_assertion_decide(&assertion, &rules, &error), OP_MISMATCH);
}

static void the_algorithm_is_the_registered_one(void **state)
{
    (void)state;
    static const struct {
        const char *registered;
        enum jose_alg alg;
        bool differs;
    } rows[] = {
        {NULL, JOSE_ES256, false},    {NULL, JOSE_RS256, false},   {"ES256", JOSE_ES256, false},
        {"RS256", JOSE_ES256, true},  {"PS256", JOSE_RS256, true}, {"from the future", JOSE_ES256, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char registered[32];
        Rec__Client client = REC__CLIENT__INIT;
        snprintf(registered, sizeof registered, "%s", rows[i].registered == NULL ? "" : rows[i].registered);
        client.token_endpoint_auth_signing_alg = rows[i].registered == NULL ? NULL : registered;
        struct client_assertion assertion = {.header = {.alg = rows[i].alg}};
        row_equal(registered, client_assertion_alg_differs(&assertion, &client), rows[i].differs);
    }
}

/* --- verifying --- */

struct signer {
    struct jose_key *key;
    char *jwk; /* public, with kid */
};

static struct signer make_signer(const void *ctx, enum jose_alg alg)
{
    struct signer signer;
    assert_int_equal(jose_key_generate(ctx, alg, &signer.key), OP_OK);
    signer.jwk = jose_key_public_jwk(ctx, signer.key);
    return signer;
}

static struct client_assertion sign(const void *ctx, const struct signer *signer, bool with_kid)
{
    json_t *claims;
    struct client_assertion assertion;
    struct oauth_error error;
    struct jose_key *key = signer->key;
    char *token;
    assert_int_equal(json_read(ctx, bytes_of("{" GOOD "}"), &claims), OP_OK);
    if (!with_kid) {
        json_t *jwk;
        assert_int_equal(json_read(ctx, bytes_of(jose_key_private_jwk(ctx, key)), &jwk), OP_OK);
        json_object_del(jwk, "kid");
        assert_int_equal(jose_key_from_jwk(ctx, bytes_of(json_text(ctx, jwk)), jose_key_alg(key), &key), OP_OK);
    }
    assert_int_equal(jose_sign(ctx, key, NULL, claims, &token), OP_OK);
    assert_int_equal(client_assertion_read(ctx, CLIENT_ASSERTION_TYPE, token, &assertion, &error), OP_OK);
    assert_true((assertion.header.kid != NULL) == with_kid);
    return assertion;
}

static void signatures_are_verified(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct signer a = make_signer(ctx, JOSE_ES256), b = make_signer(ctx, JOSE_ES256), c = make_signer(ctx, JOSE_EDDSA);
    const char *both = mem_printf(ctx, "{\"keys\":[%s,%s,%s]}", b.jwk, a.jwk, c.jwk);
    const char *only_b = mem_printf(ctx, "{\"keys\":[%s]}", b.jwk);
    json_t *impostor; /* b's key under a's kid */
    assert_int_equal(json_read(ctx, bytes_of(b.jwk), &impostor), OP_OK);
    json_set_string(impostor, "kid", jose_key_kid(a.key));
    const char *stolen_kid = mem_printf(ctx, "{\"keys\":[%s]}", json_text(ctx, impostor));
    struct client_assertion by_a = sign(ctx, &a, true), by_c = sign(ctx, &c, true), bare = sign(ctx, &a, false);
    char *forged = mem_strdup(ctx, by_a.token);
    forged[strlen(forged) - 10] = forged[strlen(forged) - 10] == 'A' ? 'B' : 'A';
    struct client_assertion forgery = by_a;
    forgery.token = forged;
    const struct {
        const char *rule;
        const struct client_assertion *assertion;
        const char *jwks;
        enum op_err err;
    } rows[] = {
        {"by its kid among others", &by_a, both, OP_OK},
        {"EdDSA", &by_c, both, OP_OK},
        {"without kid: one of those of its alg", &bare, both, OP_OK},
        {"an unknown kid: newer keys may know it", &by_a, only_b, OP_ABSENT},
        {"without kid, none verifies: newer keys may", &bare, only_b, OP_ABSENT},
        {"RFC 7523 §3 no. 9: a wrong signature", &forgery, both, OP_MISMATCH},
        {"signed by another than the one it names", &by_a, stolen_kid, OP_MISMATCH},
        {"no set", &by_a, "{}", OP_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].rule, client_assertion_verify(rows[i].assertion, bytes_of(rows[i].jwks)), rows[i].err);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assertions_are_read),
        cmocka_unit_test(only_jwts_of_one_type_are_read),
        cmocka_unit_test(assertions_are_judged),
        cmocka_unit_test(one_of_several_audiences_is_enough),
        cmocka_unit_test(the_algorithm_is_the_registered_one),
        cmocka_unit_test(signatures_are_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
