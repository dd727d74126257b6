#include "store_script.h"

#include "data/digest.h"
#include "operator/operate_clients.h"
#include "store/clients.h"

/* RFC 7517 appendix A.1, its EC key, with use sig. */
#define JWKS                                                                                                           \
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","              \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"use\":\"sig\"}]}"
#define WIKI "\"client_name\":\"Wiki\",\"redirect_uris\":[\"https://wiki.example/cb\"]"
#define MACHINE "\"client_name\":\"Job\",\"grant_types\":[\"client_credentials\"]"

static const struct operate_client_fresh FRESH = {"the-id", "the-secret"};
static struct scope_definition known[] = {{.scope = "openid"}, {.scope = "email"}};
static const struct scope_catalogue CATALOGUE = {known, 2};

static json_t *read_json(const void *ctx, const char *text)
{
    json_t *value = NULL;
    return json_read(ctx, bytes_of(text), &value) == OP_OK ? value : NULL;
}

/* --- what may be made --- */

static void what_may_be_registered(void **state)
{
    (void)state;
    static const struct {
        const char *document;
        enum operate_place place;
        const char *member; /* of the refusal; NULL: it may; "": about no single one */
    } rows[] = {
        {"{" WIKI "}", OPERATE_OVER_NETWORK, NULL},
        {"{" WIKI ",\"audiences\":[\"api\"],\"resources\":[\"urn:api\"],\"first_party\":true}", OPERATE_OVER_NETWORK, NULL},
        {"{" WIKI ",\"scope\":\"openid what ever\"}", OPERATE_OVER_NETWORK, NULL},
        {"{" WIKI ",\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":" JWKS "}", OPERATE_OVER_NETWORK, NULL},
        {"{" MACHINE ",\"introspection_allowed\":true,\"rotate_refresh_tokens\":false}", OPERATE_OVER_NETWORK, NULL},
        {"{" MACHINE ",\"administration\":[\"users\",\"clients:read\"]}", OPERATE_ON_MACHINE, NULL},
        {"{" MACHINE ",\"administration\":[\"users\"]}", OPERATE_OVER_NETWORK, "administration"},
        {"{" MACHINE ",\"administration\":null}", OPERATE_OVER_NETWORK, "administration"},
        {"{" MACHINE ",\"administration\":[\"everything\"]}", OPERATE_ON_MACHINE, "administration"},
        {"{" WIKI ",\"administration\":[\"users\"]}", OPERATE_ON_MACHINE, "administration"},
        {"{" WIKI ",\"scope\":\"openid admin:users\"}", OPERATE_ON_MACHINE, "scope"},
        {"{\"redirect_uris\":[\"https://wiki.example/cb\"]}", OPERATE_OVER_NETWORK, "client_name"},
        {"{\"client_name\":\"Wiki\"}", OPERATE_OVER_NETWORK, "redirect_uris"},
        {"{\"client_name\":7," "\"redirect_uris\":[]}", OPERATE_OVER_NETWORK, "client_name"},
        {"{" MACHINE ",\"redirect_uris\":[\"https://wiki.example/cb\"]}", OPERATE_OVER_NETWORK, "redirect_uris"},
        {"{\"client_name\":\"A\",\"redirect_uris\":[\"http://a.example/\"]}", OPERATE_OVER_NETWORK, "redirect_uris"},
        {"{\"client_name\":\"A\",\"redirect_uris\":\"https://a.example/\"}", OPERATE_OVER_NETWORK, "redirect_uris"},
        {"{" WIKI ",\"client_id\":\"mine\"}", OPERATE_OVER_NETWORK, "client_id"},
        {"{" WIKI ",\"client_secret\":\"mine\"}", OPERATE_ON_MACHINE, "client_secret"},
        {"{" WIKI ",\"state\":\"disabled\"}", OPERATE_OVER_NETWORK, "state"},
        {"{" WIKI ",\"client_nmae\":\"typo\"}", OPERATE_OVER_NETWORK, "client_nmae"},
        {"{" WIKI ",\"token_endpoint_auth_method\":\"none\",\"introspection_allowed\":true}", OPERATE_OVER_NETWORK, "introspection_allowed"},
        {"{" WIKI ",\"resources\":[\"api\"]}", OPERATE_OVER_NETWORK, "resources"},
        {"{" WIKI ",\"first_party\":\"yes\"}", OPERATE_OVER_NETWORK, "first_party"},
        {"{" WIKI ",\"grant_types\":[]}", OPERATE_OVER_NETWORK, "grant_types"},
        {"{" WIKI ",\"grant_types\":[1]}", OPERATE_OVER_NETWORK, "grant_types"},
        {"{" WIKI ",\"grant_types\":\"authorization_code\"}", OPERATE_OVER_NETWORK, "grant_types"},
        {"{" WIKI ",\"id_token_signed_response_alg\":\"none\"}", OPERATE_OVER_NETWORK, "id_token_signed_response_alg"},
        {"{" WIKI ",\"token_endpoint_auth_method\":\"private_key_jwt\"}", OPERATE_OVER_NETWORK, "jwks"},
        {"{}", OPERATE_OVER_NETWORK, "redirect_uris"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rec__Client *client;
        const char *secret;
        struct refusal refusal = {NULL, NULL};
        json_t *document = read_json(ctx, rows[i].document);
        assert_non_null(document);
        enum op_err err = operate_clients_make(ctx, document, &CATALOGUE, rows[i].place, &FRESH, &client, &secret, &refusal);
        if ((err == OP_OK) != (rows[i].member == NULL) ||
            (err != OP_OK && (refusal.member == NULL || strcmp(refusal.member, rows[i].member) != 0)))
            fail_msg("row %zu: %s %s", i, refusal.member == NULL ? "-" : refusal.member, refusal.what == NULL ? "" : refusal.what);
        assert_string_equal(json_text(ctx, document), json_text(ctx, read_json(ctx, rows[i].document))); /* as it was */
    }
    talloc_free(ctx);
}

/* A new client of the document, which may be made. */
static Rec__Client *make(const void *ctx, const char *document, const char **ret_secret)
{
    Rec__Client *client = NULL;
    struct refusal refusal;
    return operate_clients_make(ctx, read_json(ctx, document), &CATALOGUE, OPERATE_ON_MACHINE, &FRESH, &client, ret_secret,
                                &refusal) == OP_OK ? client : NULL;
}

static void what_was_left_open_is_filled_in(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    const char *secret;
    Rec__Client *client = make(ctx, "{" WIKI "}", &secret);
    assert_string_equal(client->client_id, "the-id");
    assert_string_equal(secret, "the-secret");
    assert_true(client->n_grant_types == 2 && client->n_scopes == 2 && client->n_response_types == 1);
    assert_memory_equal(client->client_secret_hash.data, digest_sha256_of(ctx, secret).data, DIGEST_SHA256_LEN);
    assert_null(strstr(json_text(ctx, operate_client_json(ctx, client)), "secret\":"));
    client = make(ctx, "{" MACHINE "}", &secret);
    assert_true(client->n_scopes == 0 && client->n_response_types == 0 && client->n_grant_types == 1);
    client = make(ctx, "{" WIKI ",\"token_endpoint_auth_method\":\"none\"}", &secret);
    assert_true(secret == NULL && !client->has_client_secret_hash);
    client = make(ctx, "{" WIKI ",\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":" JWKS "}", &secret);
    assert_true(secret == NULL && !client->has_client_secret_hash && client->jwks != NULL);
    talloc_free(ctx);
}

/* --- what is changed --- */

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    static const char *const documents[][2] = {
        {"wiki", "{" WIKI ",\"tos_uri\":\"https://wiki.example/tos\",\"default_max_age\":60}"},
        {"admin", "{" MACHINE ",\"administration\":[\"users\"]}"},
        {"public", "{" WIKI ",\"token_endpoint_auth_method\":\"none\"}"},
        {"keys", "{" WIKI ",\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":" JWKS "}"},
    };
    struct script *script = arg;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        const char *secret;
        Rec__Client *client = make(script->ctx, documents[i][1], &secret);
        CHECK(client != NULL);
        client->client_id = mem_strdup(client, documents[i][0]);
        CHECK(operate_clients_add(txn, client) == OP_OK && client->created_at == kv_now(txn));
        CHECK(operate_clients_add(txn, client) == OP_EXISTS);
    }
    return OP_OK;
}

struct changed {
    Rec__Client *client;
    const char *secret;
    struct refusal refusal;
};

static enum op_err change(struct kv_txn *txn, const void *ctx, const char *client_id, const char *patch,
                          struct changed *ret)
{
    *ret = (struct changed){.secret = ""};
    return operate_clients_change(txn, ctx, client_id, read_json(ctx, patch), OPERATE_OVER_NETWORK, "another",
                                  &ret->client, &ret->secret, &ret->refusal);
}

static enum op_err patches(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct changed done;
    Rec__Client *stored;
    CHECK(change(txn, script->ctx, "wiki", "{\"client_name\":\"Wikis\",\"tos_uri\":null}", &done) == OP_OK);
    CHECK(done.secret == NULL && done.client->version == 2);
    CHECK(clients_get(txn, script->ctx, "wiki", &stored) == OP_OK && stored->has_client_secret_hash);
    CHECK(strcmp(stored->client_name, "Wikis") == 0 && stored->tos_uri == NULL && stored->default_max_age == 60);
    CHECK(change(txn, script->ctx, "wiki", "{\"redirect_uris\":null}", &done) == OP_INVALID);
    CHECK(strcmp(done.refusal.member, "redirect_uris") == 0);
    CHECK(change(txn, script->ctx, "wiki", "{\"grant_types\":[\"client_credentials\"],\"redirect_uris\":[]}", &done) == OP_OK);
    CHECK(done.client->n_response_types == 0 && done.client->n_redirect_uris == 0);
    CHECK(change(txn, script->ctx, "wiki", "{\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":" JWKS "}", &done) == OP_OK);
    CHECK(!done.client->has_client_secret_hash);
    CHECK(change(txn, script->ctx, "wiki", "{\"jwks_uri\":\"https://wiki.example/jwks\"}", &done) == OP_OK);
    CHECK(done.client->jwks == NULL && done.client->jwks_uri != NULL);
    CHECK(change(txn, script->ctx, "wiki", "{\"token_endpoint_auth_method\":null,\"jwks_uri\":null}", &done) == OP_OK);
    CHECK(strcmp(done.secret, "another") == 0 && strcmp(done.client->token_endpoint_auth_method, "client_secret_basic") == 0);
    CHECK(change(txn, script->ctx, "nobody", "{}", &done) == OP_ABSENT);
    CHECK(change(txn, script->ctx, "wiki", "{\"client_id\":\"other\"}", &done) == OP_INVALID);
    return OP_OK;
}

/* Who may change clients over the network does not get what a client that administers may. */
static enum op_err powers(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *client;
    struct refusal refusal;
    struct changed done;
    CHECK(change(txn, script->ctx, "admin", "{\"client_name\":\"Mine\"}", &done) == OP_INVALID && done.refusal.member == NULL);
    CHECK(change(txn, script->ctx, "wiki", "{\"administration\":[\"users\"]}", &done) == OP_INVALID);
    CHECK(operate_clients_secret(txn, script->ctx, "admin", OPERATE_OVER_NETWORK, "s", &client, &refusal) == OP_INVALID);
    CHECK(operate_clients_disable(txn, script->ctx, "admin", &client) == OP_OK && client->since > kv_now(txn));
    int64_t since = client->since;
    CHECK(operate_clients_enable(txn, script->ctx, "admin", OPERATE_OVER_NETWORK, &client, &refusal) == OP_INVALID);
    CHECK(operate_clients_enable(txn, script->ctx, "admin", OPERATE_ON_MACHINE, &client, &refusal) == OP_OK);
    CHECK(!client->disabled && client->since == since); /* what was dead stays so */
    CHECK(operate_clients_secret(txn, script->ctx, "admin", OPERATE_ON_MACHINE, "s", &client, &refusal) == OP_OK);
    return OP_OK;
}

static enum op_err give_token(struct kv_txn *txn, const void *ctx, Rec__Client **ret)
{
    static uint8_t hash[DIGEST_SHA256_LEN];
    enum op_err err = clients_get(txn, ctx, "admin", ret);
    if (err != OP_OK)
        return err;
    (*ret)->has_registration_access_token_hash = true;
    (*ret)->registration_access_token_hash = (ProtobufCBinaryData){sizeof hash, hash};
    return clients_update(txn, *ret);
}

/* A client manages its registration over the network: not one that is given powers, nor one that had them. */
static enum op_err powers_end_management(struct kv_txn *txn, void *arg)
{
    static const struct {
        const char *patch;
        bool keeps;
    } rows[] = {
        {"{\"administration\":null}", false},
        {"{\"client_name\":\"Mine\"}", true},
        {"{\"administration\":[\"users:read\"]}", false},
        {"{\"client_name\":\"Still mine\"}", false},
    };
    struct script *script = arg;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rec__Client *client;
        const char *secret;
        struct refusal refusal;
        CHECK(give_token(txn, script->ctx, &client) == OP_OK);
        CHECK(operate_clients_change(txn, script->ctx, "admin", read_json(script->ctx, rows[i].patch), OPERATE_ON_MACHINE,
                                     "s", &client, &secret, &refusal) == OP_OK);
        CHECK(clients_get(txn, script->ctx, "admin", &client) == OP_OK);
        CHECK(client->has_registration_access_token_hash == rows[i].keeps);
    }
    return OP_OK;
}

static enum op_err secrets(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *client;
    struct refusal refusal;
    CHECK(operate_clients_secret(txn, script->ctx, "public", OPERATE_ON_MACHINE, "s", &client, &refusal) == OP_INVALID);
    CHECK(operate_clients_secret(txn, script->ctx, "keys", OPERATE_ON_MACHINE, "s", &client, &refusal) == OP_INVALID);
    CHECK(operate_clients_secret(txn, script->ctx, "wiki", OPERATE_OVER_NETWORK, "s", &client, &refusal) == OP_OK);
    CHECK(memcmp(client->client_secret_hash.data, digest_sha256_of(script->ctx, "s").data, DIGEST_SHA256_LEN) == 0);
    return OP_OK;
}

static enum op_err remove_and_list(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct listing part;
    CHECK(operate_clients_list(txn, script->ctx, NULL, 3, &part) == OP_OK && json_array_size(part.items) == 3);
    CHECK(operate_clients_list(txn, script->ctx, part.next, 3, &part) == OP_OK && json_array_size(part.items) == 1);
    CHECK(part.next == NULL);
    CHECK(operate_clients_remove(txn, "keys") == OP_OK);
    CHECK(operate_clients_remove(txn, "keys") == OP_ABSENT);
    CHECK(operate_clients_list(txn, script->ctx, NULL, 3, &part) == OP_OK && part.next == NULL);
    return OP_OK;
}

static void clients_are_changed(void **state)
{
    (void)state;
    RUN(KV_CLIENTS, insert, patches, powers, powers_end_management, secrets, remove_and_list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_registered),
        cmocka_unit_test(what_was_left_open_is_filled_in),
        cmocka_unit_test(clients_are_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
