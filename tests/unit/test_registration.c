/* What registration and its management decide. */
#include "rows.h"

#include "data/digest.h"
#include "registration.h"

static Rec__Client *client_with(const void *ctx, const char *token, const char *secret)
{
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    client->client_id = mem_strdup(client, "the-client");
    if (token != NULL) {
        struct bytes hash = digest_sha256_of(client, token);
        client->has_registration_access_token_hash = true;
        client->registration_access_token_hash = (ProtobufCBinaryData){hash.len, (uint8_t *)(uintptr_t)hash.data};
    }
    if (secret != NULL) {
        struct bytes hash = digest_sha256_of(client, secret);
        client->has_client_secret_hash = true;
        client->client_secret_hash = (ProtobufCBinaryData){hash.len, (uint8_t *)(uintptr_t)hash.data};
    }
    return client;
}

static void who_manages(void **state)
{
    (void)state;
    static const struct {
        const char *row, *stored, *token;
        bool disabled, there, managed;
        size_t powers;
    } rows[] = {
        {"the token", "right", "right", false, true, true},
        {"another token", "right", "wrong", false, true, false},
        {"an empty token", "right", "", false, true, false},
        {"a client of the operator's", NULL, "right", false, true, false},
        {"a client of the operator's, no token", NULL, "", false, true, false},
        {"a disabled client", "right", "right", true, true, false},
        {"no client", NULL, "right", false, false, false},
        {"a client that administers", "right", "right", false, true, false, .powers = 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        Rec__Client *client = client_with(ctx, rows[i].stored, NULL);
        client->disabled = rows[i].disabled;
        client->n_administration = rows[i].powers;
        row_equal(rows[i].row, registration_is_managed_by(rows[i].there ? client : NULL, rows[i].token), rows[i].managed);
        talloc_free(ctx);
    }
}

/* RFC 7592 §2.2. */
static void what_an_update_carries(void **state)
{
    (void)state;
    static const struct {
        const char *metadata, *secret;
        bool good;
    } rows[] = {
        {"{\"client_id\":\"the-client\"}", "s", true},
        {"{\"client_id\":\"the-client\",\"client_secret\":\"s\"}", "s", true},
        {"{\"client_id\":\"the-client\",\"client_secret\":null}", "s", true},
        {"{}", "s", false},
        {"{\"client_id\":null}", "s", false},
        {"{\"client_id\":7}", "s", false},
        {"{\"client_id\":\"another\"}", "s", false},
        {"{\"client_id\":\"the-client\",\"client_secret\":\"mine\"}", "s", false},
        {"{\"client_id\":\"the-client\",\"client_secret\":\"mine\"}", NULL, false},
        {"{\"client_id\":\"the-client\",\"client_secret\":\"\"}", NULL, false},
        {"{\"client_id\":\"the-client\",\"client_secret\":{}}", "s", false},
        {"{\"client_id\":\"the-client\",\"registration_access_token\":\"t\"}", "s", false},
        {"{\"client_id\":\"the-client\",\"registration_client_uri\":\"https://op.example/register/the-client\"}", "s", false},
        {"{\"client_id\":\"the-client\",\"client_id_issued_at\":1}", "s", false},
        {"{\"client_id\":\"the-client\",\"client_secret_expires_at\":0}", "s", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct oauth_error error = {0};
        json_t *metadata;
        assert_int_equal(json_read(ctx, bytes_of(rows[i].metadata), &metadata), OP_OK);
        enum op_err err = registration_check_update(metadata, client_with(ctx, "t", rows[i].secret), &error);
        row_equal(rows[i].metadata, err, rows[i].good ? OP_OK : OP_INVALID);
        row_equal(rows[i].metadata, error.code, rows[i].good ? OAUTH_OK : OAUTH_INVALID_CLIENT_METADATA);
        talloc_free(ctx);
    }
}

static void secrets_are_given_and_taken(void **state)
{
    (void)state;
    static const struct {
        const char *method, *stored;
        bool given, has;
    } rows[] = {
        {"client_secret_basic", NULL, true, true},  {"client_secret_post", NULL, true, true},
        {"client_secret_basic", "s", false, true}, {"none", NULL, false, false},
        {"none", "s", false, false},               {"private_key_jwt", "s", false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        Rec__Client *client = client_with(ctx, "t", rows[i].stored);
        client->token_endpoint_auth_method = mem_strdup(client, rows[i].method);
        row_equal(rows[i].method, registration_settle_secret(ctx, client, "fresh"), rows[i].given);
        row_equal(rows[i].method, client->has_client_secret_hash, rows[i].has);
        talloc_free(ctx);
    }
}

static void what_the_client_is_told(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    Rec__Client *client = client_with(ctx, "t", "s");
    client->created_at = 7;
    assert_string_equal(json_text(ctx, registration_members(ctx, client, "https://op.example", "t", "s")),
                        "{\"client_id\":\"the-client\",\"client_id_issued_at\":7,\"client_secret\":\"s\","
                        "\"client_secret_expires_at\":0,\"registration_access_token\":\"t\","
                        "\"registration_client_uri\":\"https://op.example/register/the-client\",\"response_types\":[]}");
    client->has_client_secret_hash = false;
    assert_string_equal(json_text(ctx, registration_members(ctx, client, "https://op.example", "t", NULL)),
                        "{\"client_id\":\"the-client\",\"client_id_issued_at\":7,\"registration_access_token\":\"t\","
                        "\"registration_client_uri\":\"https://op.example/register/the-client\",\"response_types\":[]}");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_manages),
        cmocka_unit_test(what_an_update_carries),
        cmocka_unit_test(secrets_are_given_and_taken),
        cmocka_unit_test(what_the_client_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
