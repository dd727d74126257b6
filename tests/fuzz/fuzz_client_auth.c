/* How clients authenticate. The input is taken as an Authorization header and a form (parts between line breaks), as the
 * claims of an assertion that is well signed, and as a JWK Set. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protocol/client_auth.h"
#include "protocol/client_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PUBLIC "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
static const char PRIVATE_KEY[] = "{" PUBLIC ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"; /* RFC 8037 A.1 */
static const char OWN_SET[] = "{\"keys\":[{" PUBLIC "}]}";
static const char *const US[] = {"https://op.example", "https://op.example/token"};
static const struct client_assertion_rules RULES = {
    .audiences = US, .audience_count = 2, .now = 1000000, .clock_skew = 10, .age_max = 300, .lifetime_max = 3600, .remembered_since = 5};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_refusal(const struct oauth_error *error)
{
    require(error->code == OAUTH_INVALID_CLIENT || error->code == OAUTH_INVALID_REQUEST);
    require(error->description != NULL && strpbrk(error->description, "\"\\\r\n") == NULL);
}

/* --- a header and a form --- */

static const char *next_part(void *ctx, struct bytes *rest)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    const char *part = len == 0 ? NULL : mem_strndup(ctx, (const char *)rest->data, len);
    size_t taken = len + (end != NULL);
    *rest = bytes_from(rest->data + taken, rest->len - taken);
    return part;
}

static void check_method(const struct client_auth *auth, bool has_header, const struct client_auth_form *form)
{
    bool basic = auth->method == CLIENT_AUTH_BASIC;
    require(auth->client_id != NULL && *auth->client_id != '\0');
    require(basic == has_header && basic == auth->used_header);
    require((auth->method == CLIENT_AUTH_ASSERTION) == (auth->assertion != NULL));
    require((auth->client_secret != NULL) == (basic || auth->method == CLIENT_AUTH_POST));
    if (form->client_id != NULL && *form->client_id != '\0')
        require(strcmp(form->client_id, auth->client_id) == 0);
}

static void try_form(void *ctx, struct bytes input)
{
    struct client_auth auth;
    struct oauth_error error = {0};
    const char *header = next_part(ctx, &input);
    struct client_auth_form form;
    form.client_id = next_part(ctx, &input);
    form.client_secret = next_part(ctx, &input);
    form.client_assertion_type = next_part(ctx, &input);
    form.client_assertion = next_part(ctx, &input);
    if (client_auth_parse(ctx, header, &form, &auth, &error) != OP_OK) {
        check_refusal(&error);
        return;
    }
    check_method(&auth, header != NULL, &form);
    require(client_auth_decide(&auth, NULL, &error) == OP_MISMATCH && error.description == CLIENT_AUTH_FAILED);
}

/* --- claims --- */

/* What is accepted is for us, is over soon, and is remembered until then; only its own key verifies it. */
static void check_accepted(const struct client_assertion *assertion)
{
    int64_t ends = client_assertion_ends_at(assertion, &RULES);
    bool ours = false;
    for (size_t i = 0; i < assertion->audience_count; i++)
        ours = ours || strcmp(assertion->audiences[i], US[0]) == 0 || strcmp(assertion->audiences[i], US[1]) == 0;
    require(ours && ends <= assertion->exp && ends > RULES.now - RULES.clock_skew);
    require(ends <= RULES.now + RULES.clock_skew + RULES.age_max);
    require(client_assertion_verify(assertion, bytes_of(OWN_SET)) == OP_OK);
    require(client_assertion_verify(assertion, client_keys_of_nobody()) != OP_OK);
}

static void try_claims(void *ctx, struct bytes input)
{
    json_t *claims;
    struct jose_key *key;
    char *token;
    struct client_assertion assertion;
    struct oauth_error error = {0};
    if (json_read(ctx, input, &claims) != OP_OK || !json_is_object(claims))
        return;
    require(jose_key_from_jwk(ctx, bytes_of(PRIVATE_KEY), JOSE_EDDSA, &key) == OP_OK);
    require(jose_sign(ctx, key, "JWT", claims, &token) == OP_OK);
    if (client_assertion_read(ctx, CLIENT_ASSERTION_TYPE, token, &assertion, &error) != OP_OK) {
        check_refusal(&error);
        return;
    }
    require(*assertion.client_id != '\0' && *assertion.jti != '\0' && strlen(assertion.jti) <= CLIENT_ASSERTION_JTI_MAX);
    require(assertion.audience_count > 0);
    if (client_assertion_decide(&assertion, &RULES, &error) == OP_OK)
        check_accepted(&assertion);
    else
        check_refusal(&error);
}

/* --- keys --- */

static size_t find(void *ctx, struct bytes jwks, enum jose_alg alg, const char *kid)
{
    struct jose_header header = {.alg = alg, .kid = kid};
    struct jose_key **keys;
    size_t count = 0;
    if (client_keys_find(ctx, jwks, &header, &keys, &count) != OP_OK)
        return 0;
    require(count >= 1 && count <= CLIENT_KEYS_TRIED_MAX);
    for (size_t i = 0; i < count; i++) {
        require(jose_key_alg(keys[i]) == alg && client_keys_alg_is_offered(alg));
        require(kid == NULL || strcmp(jose_key_kid(keys[i]), kid) == 0);
        require(strstr(jose_key_public_jwk(ctx, keys[i]), "\"d\"") == NULL);
    }
    return count;
}

static void try_keys(void *ctx, struct bytes input)
{
    const char *text = mem_strndup(ctx, (const char *)input.data, input.len);
    for (enum jose_alg alg = JOSE_RS256; alg <= JOSE_HS256; alg++) {
        size_t any = find(ctx, input, alg, NULL), named = find(ctx, input, alg, "a");
        require(alg != JOSE_HS256 || any + named == 0);
        if (alg != JOSE_HS256 && strlen(text) == input.len && client_keys_problem(text, alg) == NULL)
            require(any > 0);
    }
    if (client_keys_uri_problem(text) == NULL)
        require(strncasecmp(text, "https://", 8) == 0 && strpbrk(text, "# \\\r\n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    struct bytes input = bytes_from(data, size);
    try_form(ctx, input);
    try_claims(ctx, input);
    try_keys(ctx, input);
    talloc_free(ctx);
    return 0;
}
