#include "rows.h"

#include <stdio.h>

#include "base/codec.h"
#include "data/digest.h"
#include "protocol/client_auth.h"

/* "Basic " and the base64 of the text; the text itself when it starts with '='; NULL for NULL. */
static const char *header_of(const void *ctx, const char *text)
{
    if (text == NULL)
        return NULL;
    return *text == '=' ? text + 1 : mem_printf(ctx, "Basic %s", codec_base64(ctx, bytes_of(text)));
}

static void credentials_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *authorization, *form_id, *form_secret;
        enum oauth_code error;
        enum client_auth_method method;
        const char *id, *secret;
    } rows[] = {
        {"RFC 6749 §2.3.1: Basic", "id:secret", NULL, NULL, OAUTH_OK, CLIENT_AUTH_BASIC, "id", "secret"},
        {"RFC 7617 §2: the scheme is case-insensitive", "=bAsIc aWQ6c2VjcmV0", NULL, NULL, OAUTH_OK, CLIENT_AUTH_BASIC,
         "id", "secret"},
        {"RFC 6749 §2.3.1: both halves are form-encoded", "i%3Ad:s%25+%2B", NULL, NULL, OAUTH_OK, CLIENT_AUTH_BASIC,
         "i:d", "s% +"},
        {"RFC 7617 §2: a colon in the secret stays", "id:a:b", NULL, NULL, OAUTH_OK, CLIENT_AUTH_BASIC, "id", "a:b"},
        {"RFC 6749 §2.3.1: an empty secret", "id:", NULL, NULL, OAUTH_OK, CLIENT_AUTH_BASIC, "id", ""},
        {"the same client_id in the form", "id:secret", "id", NULL, OAUTH_OK, CLIENT_AUTH_BASIC, "id", "secret"},
        {"an empty client_secret in the form counts as left out", "id:secret", "", "", OAUTH_OK, CLIENT_AUTH_BASIC, "id",
         "secret"},
        {"another client_id in the form", "id:secret", "other", NULL, OAUTH_INVALID_REQUEST, 0, NULL, NULL},
        {"RFC 6749 §2.3: not more than one method", "id:secret", "id", "secret", OAUTH_INVALID_REQUEST, 0, NULL, NULL},
        {"no colon", "id", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"no client_id in the header", ":secret", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"nothing in the header", "=Basic ", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"an empty header", "=", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"no base64", "=Basic ???", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"something behind the base64", "=Basic aWQ6c2VjcmV0 x", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"base64 without its padding", "=Basic aWQ6c2VjcmU", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"a bad percent escape", "id:%zz", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"an encoded NUL", "id:%00", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"not UTF-8", "id:%ff", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"RFC 6749 §5.2: an unsupported method", "=Bearer aWQ6c2VjcmV0", NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"a bad header is not saved by the form", "=Bearer x", "id", NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"RFC 6749 §2.3.1: in the form", NULL, "id", "secret", OAUTH_OK, CLIENT_AUTH_POST, "id", "secret"},
        {"RFC 6749 §3.2.1: a public client says its client_id", NULL, "id", NULL, OAUTH_OK, CLIENT_AUTH_NONE, "id", NULL},
        {"RFC 6749 §3.1: an empty secret counts as left out", NULL, "id", "", OAUTH_OK, CLIENT_AUTH_NONE, "id", NULL},
        {"RFC 6749 §5.2: no client authentication included", NULL, NULL, NULL, OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"a secret without a client_id", NULL, NULL, "secret", OAUTH_INVALID_CLIENT, 0, NULL, NULL},
        {"an empty client_id", NULL, "", "secret", OAUTH_INVALID_CLIENT, 0, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct client_auth auth = {.client_id = NULL};
        struct oauth_error error = {OAUTH_OK, NULL};
        struct client_auth_form form = {.client_id = rows[i].form_id, .client_secret = rows[i].form_secret};
        enum op_err err = client_auth_parse(ctx, header_of(ctx, rows[i].authorization), &form, &auth, &error);
        row_equal(rows[i].rule, err == OP_OK, rows[i].error == OAUTH_OK);
        row_equal(rows[i].rule, error.code, rows[i].error);
        row_equal(rows[i].rule, auth.method, rows[i].method);
        row_string(rows[i].rule, auth.client_id, rows[i].id);
        row_string(rows[i].rule, auth.client_secret, rows[i].secret);
        row_equal(rows[i].rule, auth.used_header, rows[i].method == CLIENT_AUTH_BASIC);
        talloc_free(ctx);
    }
}

static void assertions_beside_other_methods(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static const char claims[] = "{\"iss\":\"id\",\"sub\":\"id\",\"aud\":\"a\",\"exp\":1,\"jti\":\"1\"}";
    const char *good = mem_printf(ctx, "%s.%s.AA", codec_base64url(ctx, bytes_of("{\"alg\":\"ES256\"}")),
                                  codec_base64url(ctx, bytes_of(claims)));
    const struct {
        const char *rule, *authorization;
        struct client_auth_form form;
        enum oauth_code error;
    } rows[] = {
        {"RFC 7523 §2.2: an assertion", NULL, {NULL, NULL, CLIENT_ASSERTION_TYPE, good}, OAUTH_OK},
        {"RFC 7521 §4.2: client_id is of no need", NULL, {"", NULL, CLIENT_ASSERTION_TYPE, good}, OAUTH_OK},
        {"RFC 7521 §4.2: but may be there", NULL, {"id", NULL, CLIENT_ASSERTION_TYPE, good}, OAUTH_OK},
        {"RFC 7521 §4.2: and is that of the assertion", NULL, {"other", NULL, CLIENT_ASSERTION_TYPE, good},
         OAUTH_INVALID_CLIENT},
        {"an empty secret counts as left out", NULL, {NULL, "", CLIENT_ASSERTION_TYPE, good}, OAUTH_OK},
        {"RFC 6749 §2.3: and a secret", NULL, {"id", "secret", CLIENT_ASSERTION_TYPE, good}, OAUTH_INVALID_REQUEST},
        {"RFC 6749 §2.3: and Basic", "id:secret", {NULL, NULL, CLIENT_ASSERTION_TYPE, good}, OAUTH_INVALID_REQUEST},
        {"RFC 6749 §2.3: Basic and a type alone", "id:secret", {NULL, NULL, CLIENT_ASSERTION_TYPE, NULL},
         OAUTH_INVALID_REQUEST},
        {"RFC 7521 §4.2: the type is required", NULL, {NULL, NULL, NULL, good}, OAUTH_INVALID_REQUEST},
        {"RFC 7521 §4.2: the assertion is required", NULL, {NULL, NULL, CLIENT_ASSERTION_TYPE, NULL}, OAUTH_INVALID_REQUEST},
        {"another type", NULL, {NULL, NULL, "urn:x", good}, OAUTH_INVALID_CLIENT},
        {"no JWT", NULL, {NULL, NULL, CLIENT_ASSERTION_TYPE, "x"}, OAUTH_INVALID_CLIENT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client_auth auth = {.client_id = NULL};
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err err = client_auth_parse(ctx, header_of(ctx, rows[i].authorization), &rows[i].form, &auth, &error);
        row_equal(rows[i].rule, error.code, rows[i].error);
        row_equal(rows[i].rule, err == OP_OK, rows[i].error == OAUTH_OK);
        if (err == OP_OK) {
            row_equal(rows[i].rule, auth.method, CLIENT_AUTH_ASSERTION);
            row_string(rows[i].rule, auth.client_id, "id");
            row_string(rows[i].rule, auth.assertion->token, good);
        }
    }
    talloc_free(ctx);
}

/* All but the signature. */
static void assertions_are_judged_like_other_methods(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *registered, *alg;
        bool known, disabled, good;
    } rows[] = {
        {"as registered", "private_key_jwt", NULL, true, false, true},
        {"by the registered alg", "private_key_jwt", "ES256", true, false, true},
        {"by another alg", "private_key_jwt", "RS256", true, false, false},
        {"registered for Basic", "client_secret_basic", NULL, true, false, false},
        {"registered for nothing, which is Basic", NULL, NULL, true, false, false},
        {"registered as public", "none", NULL, true, false, false},
        {"registered for assertions by a secret", "client_secret_jwt", NULL, true, false, false},
        {"disabled", "private_key_jwt", NULL, true, true, false},
        {"unknown", "private_key_jwt", NULL, false, false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char id[] = "id", registered[32], alg[32];
        snprintf(registered, sizeof registered, "%s", rows[i].registered == NULL ? "" : rows[i].registered);
        snprintf(alg, sizeof alg, "%s", rows[i].alg == NULL ? "" : rows[i].alg);
        Rec__Client client = REC__CLIENT__INIT;
        client.client_id = id;
        client.token_endpoint_auth_method = rows[i].registered == NULL ? NULL : registered;
        client.token_endpoint_auth_signing_alg = rows[i].alg == NULL ? NULL : alg;
        client.disabled = rows[i].disabled;
        struct client_assertion assertion = {.header = {.alg = JOSE_ES256}};
        struct client_auth auth = {.method = CLIENT_AUTH_ASSERTION, .client_id = "id", .assertion = &assertion};
        struct oauth_error error = {OAUTH_OK, NULL};
        row_equal(rows[i].rule, client_auth_decide(&auth, rows[i].known ? &client : NULL, &error),
                  rows[i].good ? OP_OK : OP_MISMATCH);
        row_string(rows[i].rule, error.description, rows[i].good ? NULL : CLIENT_AUTH_FAILED);
    }
}

static void who_has_a_secret(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        bool secret, public;
    } rows[] = {
        {NULL, true, false}, {"client_secret_basic", true, false}, {"client_secret_post", true, false},
        {"private_key_jwt", false, false}, {"none", false, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char method[32];
        snprintf(method, sizeof method, "%s", rows[i].method == NULL ? "" : rows[i].method);
        Rec__Client client = REC__CLIENT__INIT;
        client.token_endpoint_auth_method = rows[i].method == NULL ? NULL : method;
        row_equal(method, client_has_secret(&client), rows[i].secret);
        row_equal(method, client_is_public(&client), rows[i].public);
    }
}

static void credentials_are_judged(void **state)
{
    (void)state;
    enum { KNOWN = 1, DISABLED = 2, HASH = 4 };
    static const struct {
        const char *rule;
        unsigned client;
        const char *registered;
        enum client_auth_method method;
        const char *secret;
        bool good;
    } rows[] = {
        {"Basic as registered", KNOWN | HASH, "client_secret_basic", CLIENT_AUTH_BASIC, "secret", true},
        {"Core §9: the default is Basic", KNOWN | HASH, NULL, CLIENT_AUTH_BASIC, "secret", true},
        {"Core §9: and not the form", KNOWN | HASH, NULL, CLIENT_AUTH_POST, "secret", false},
        {"in the form as registered", KNOWN | HASH, "client_secret_post", CLIENT_AUTH_POST, "secret", true},
        {"none as registered", KNOWN, "none", CLIENT_AUTH_NONE, NULL, true},
        {"Basic, registered for the form", KNOWN | HASH, "client_secret_post", CLIENT_AUTH_BASIC, "secret", false},
        {"in the form, registered for Basic", KNOWN | HASH, "client_secret_basic", CLIENT_AUTH_POST, "secret", false},
        {"RFC 6749 §3.2.1: a confidential client must authenticate", KNOWN | HASH, "client_secret_basic", CLIENT_AUTH_NONE,
         NULL, false},
        {"a public client with a secret", KNOWN, "none", CLIENT_AUTH_POST, "secret", false},
        {"a public client with Basic and nothing", KNOWN, "none", CLIENT_AUTH_BASIC, "", false},
        {"Basic, registered for assertions", KNOWN | HASH, "private_key_jwt", CLIENT_AUTH_BASIC, "secret", false},
        {"a wrong secret", KNOWN | HASH, "client_secret_basic", CLIENT_AUTH_BASIC, "Secret", false},
        {"a longer secret", KNOWN | HASH, "client_secret_basic", CLIENT_AUTH_BASIC, "secret1", false},
        {"an empty secret", KNOWN | HASH, "client_secret_basic", CLIENT_AUTH_BASIC, "", false},
        {"no secret was ever stored", KNOWN, "client_secret_basic", CLIENT_AUTH_BASIC, "", false},
        {"a disabled client", KNOWN | DISABLED | HASH, "client_secret_basic", CLIENT_AUTH_BASIC, "secret", false},
        {"a disabled public client", KNOWN | DISABLED, "none", CLIENT_AUTH_NONE, NULL, false},
        {"an unknown client", 0, NULL, CLIENT_AUTH_BASIC, "secret", false},
        {"an unknown public client", 0, NULL, CLIENT_AUTH_NONE, NULL, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        Rec__Client *client = records_new(ctx, &rec__client__descriptor);
        client->client_id = mem_strdup(ctx, "id");
        client->token_endpoint_auth_method = rows[i].registered == NULL ? NULL : mem_strdup(ctx, rows[i].registered);
        client->disabled = (rows[i].client & DISABLED) != 0;
        if (rows[i].client & HASH) {
            struct bytes hash = digest_sha256_of(ctx, "secret");
            client->has_client_secret_hash = true;
            client->client_secret_hash = (ProtobufCBinaryData){hash.len, (uint8_t *)(uintptr_t)hash.data};
        }
        struct client_auth auth = {.method = rows[i].method, .client_id = "id", .client_secret = rows[i].secret};
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err err = client_auth_decide(&auth, rows[i].client & KNOWN ? client : NULL, &error);
        row_equal(rows[i].rule, err, rows[i].good ? OP_OK : OP_MISMATCH);
        row_equal(rows[i].rule, error.code, rows[i].good ? OAUTH_OK : OAUTH_INVALID_CLIENT);
        row_string(rows[i].rule, error.description, rows[i].good ? NULL : "client authentication failed");
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_read),
        cmocka_unit_test(assertions_beside_other_methods),
        cmocka_unit_test(assertions_are_judged_like_other_methods),
        cmocka_unit_test(who_has_a_secret),
        cmocka_unit_test(credentials_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
