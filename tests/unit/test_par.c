/* RFC 9126 §2.1 and §2.3, a row per sentence. What makes an authorization request is test_authorize_request's. */
#include "auth.h"
#include "authorization.h"
#include "par.h"
#include "rows.h"

#define GOOD "client_id=rp&redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=code&scope=openid&state=s"
#define WITHOUT_CLIENT "redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=code&scope=openid"
#define WITHOUT_URI "client_id=rp&response_type=code&scope=openid"
#define S256 "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"

enum client_kind { CONFIDENTIAL = 0, PUBLIC = 1, MUST_PUSH = 2, NO_CODES = 4, HINTED = 8 };

static Rec__Client *make_client(const void *ctx, unsigned kind)
{
    char *uris[] = {(char[]){"https://rp.example/cb"}}, *scopes[] = {(char[]){"openid"}};
    char *codes[] = {(char[]){"authorization_code"}}, *none[] = {(char[]){"client_credentials"}};
    char *resources[] = {(char[]){"urn:example:mail"}};
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    client->client_id = mem_strdup(ctx, "rp");
    client->redirect_uris = records_strings(ctx, uris, client->n_redirect_uris = 1);
    client->scopes = records_strings(ctx, scopes, client->n_scopes = 1);
    client->resources = records_strings(ctx, resources, client->n_resources = 1);
    client->grant_types = records_strings(ctx, kind & NO_CODES ? none : codes, client->n_grant_types = 1);
    client->token_endpoint_auth_method = mem_strdup(ctx, kind & PUBLIC ? "none" : "client_secret_basic");
    client->require_pushed_authorization_requests = (kind & MUST_PUSH) != 0;
    return client;
}

static enum op_err decide(const void *ctx, const char *body, unsigned kind, char **ret, struct oauth_error *error)
{
    struct form form;
    const char *why;
    assert_int_equal(scope_catalogue_make(ctx, NULL, 0, &auth.catalogue, &why), OP_OK);
    assert_int_equal(form_parse(ctx, bytes_of(body), 64, &form), OP_OK);
    struct authorize_policy policy = authorization_policy(true);
    struct par_facts facts = {&form, make_client(ctx, kind), &policy, kind & HINTED ? json_make_object(ctx) : NULL};
    return par_decide(ctx, &facts, ret, error);
}

static void requests_are_kept_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *body;
        unsigned client;
        enum oauth_code error; /* OAUTH_OK: kept */
    } rows[] = {
        {"§2.1: the parameters that comprise an authorization request", GOOD, CONFIDENTIAL, OAUTH_OK},
        {"§2: of extensions, too: PKCE", GOOD S256, PUBLIC, OAUTH_OK},
        {"§2: resource indicators", GOOD "&resource=urn%3Aexample%3Amail", CONFIDENTIAL, OAUTH_OK},
        {"§2: those of OpenID Connect", GOOD "&prompt=login&max_age=5&claims=%7B%7D&nonce=n", CONFIDENTIAL, OAUTH_OK},
        {"§2.1: client authentication is not germane to the request", GOOD "&client_secret=x&client_assertion=y", CONFIDENTIAL, OAUTH_OK},
        {"§2.1: other token endpoint parameters have no meaning", GOOD "&grant_type=authorization_code&code=x", CONFIDENTIAL, OAUTH_OK},
        {"§6: who has to push may", GOOD, MUST_PUSH, OAUTH_OK},
        {"§2.1: request_uri MUST NOT be provided", GOOD "&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc",
         CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"§2.1: of no kind", GOOD "&request_uri=https%3A%2F%2Frp.example%2Fr", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"§2.1: nor empty", GOOD "&request_uri=", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"§3: request objects MAY be supported", GOOD "&request=a.b.c", CONFIDENTIAL, OAUTH_REQUEST_NOT_SUPPORTED},
        {"§2.1: client_id is required", WITHOUT_CLIENT, CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"§2.1: with the same semantics as at the token endpoint", WITHOUT_CLIENT "&client_id=other", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"client_id twice", GOOD "&client_id=rp", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"§2.1: whether the redirect URI matches", WITHOUT_URI "&redirect_uri=https%3A%2F%2Fevil.example%2F", CONFIDENTIAL,
         OAUTH_INVALID_REQUEST},
        {"§2.3: missing redirection URI: invalid_request", WITHOUT_URI, CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"§2.1: whether the client is authorized for the scope", GOOD "&x=1", NO_CODES, OAUTH_UNAUTHORIZED_CLIENT},
        {"§2.3: the codes of RFC 6749 §4.1.2.1: scope", WITHOUT_CLIENT "%20email&client_id=rp", CONFIDENTIAL, OAUTH_INVALID_SCOPE},
        {"§2.3: response_type", "client_id=rp&redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=token&scope=openid",
         CONFIDENTIAL, OAUTH_UNSUPPORTED_RESPONSE_TYPE},
        {"§2.3: the codes of extensions: RFC 8707", GOOD "&resource=urn%3Ax", CONFIDENTIAL, OAUTH_INVALID_TARGET},
        {"§2.1: validated as at the authorization endpoint: PKCE for public clients", GOOD, PUBLIC, OAUTH_INVALID_REQUEST},
        {"parameters twice", GOOD "&state=t", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"prompt none needs nobody here (§2.3: no consent_required)", GOOD "&prompt=none", CONFIDENTIAL, OAUTH_OK},
        {"an id_token_hint that is ours", GOOD "&id_token_hint=a.b.c", HINTED, OAUTH_OK},
        {"and one that is not", GOOD "&id_token_hint=a.b.c", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct oauth_error error = {OAUTH_OK, NULL};
        char *kept = NULL;
        enum op_err err = decide(ctx, rows[i].body, rows[i].client, &kept, &error);
        row_equal(rows[i].rule, error.code, rows[i].error);
        row_equal(rows[i].rule, err, rows[i].error == OAUTH_OK ? OP_OK : OP_INVALID);
        row_equal(rows[i].rule, error.description != NULL, rows[i].error != OAUTH_OK);
        row_equal(rows[i].rule, kept != NULL, rows[i].error == OAUTH_OK);
        talloc_free(ctx);
    }
}

static void only_the_request_is_kept(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct oauth_error error;
    char *kept;
    assert_int_equal(decide(ctx, "client_secret=s3cret&client_assertion=y&client_assertion_type=z&grant_type=g&junk=1&" GOOD,
                            CONFIDENTIAL, &kept, &error), OP_OK);
    assert_string_equal(kept, "client_id=rp&redirect_uri=https%3A%2F%2Frp.example%2Fcb&response_type=code&scope=openid&state=s");
    talloc_free(ctx);
}

static void what_is_kept_is_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct oauth_error error;
    char *kept, *spaces = mem_array(ctx, char, 7001);
    memset(spaces, ' ', 7000); /* %20 each */
    assert_int_equal(decide(ctx, mem_printf(ctx, "%s&claims={%s}", GOOD, spaces), CONFIDENTIAL, &kept, &error), OP_INVALID);
    assert_int_equal(error.code, OAUTH_INVALID_REQUEST);
    spaces[4000] = '\0';
    assert_int_equal(decide(ctx, mem_printf(ctx, "%s&claims={%s}", GOOD, spaces), CONFIDENTIAL, &kept, &error), OP_OK);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_kept_or_refused),
        cmocka_unit_test(only_the_request_is_kept),
        cmocka_unit_test(what_is_kept_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
