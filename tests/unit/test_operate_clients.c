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
/* An hour unused, a day at all. */
static const struct operate_client_rules ON_MACHINE = {OPERATE_ON_MACHINE, {3600, 86400}},
                                         OVER_NETWORK = {OPERATE_OVER_NETWORK, {3600, 86400}};

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
        const struct operate_client_rules *rules;
        const char *member; /* of the refusal; NULL: it may; "": about no single one */
    } rows[] = {
        {"{" WIKI "}", &OVER_NETWORK, NULL},
        {"{" WIKI ",\"audiences\":[\"api\"],\"resources\":[\"urn:api\"],\"first_party\":true}", &OVER_NETWORK, NULL},
        {"{" WIKI ",\"scope\":\"openid what ever\"}", &OVER_NETWORK, NULL},
        {"{" WIKI ",\"token_endpoint_auth_method\":\"private_key_jwt\",\"jwks\":" JWKS "}", &OVER_NETWORK, NULL},
        {"{" MACHINE ",\"introspection_allowed\":true,\"rotate_refresh_tokens\":false}", &OVER_NETWORK, NULL},
        {"{" MACHINE ",\"administration\":[\"users\",\"clients:read\"]}", &ON_MACHINE, NULL},
        {"{" MACHINE ",\"administration\":[\"users\"]}", &OVER_NETWORK, "administration"},
        {"{" MACHINE ",\"administration\":null}", &OVER_NETWORK, "administration"},
        {"{" MACHINE ",\"administration\":[\"everything\"]}", &ON_MACHINE, "administration"},
        {"{" WIKI ",\"administration\":[\"users\"]}", &ON_MACHINE, "administration"},
        {"{" WIKI ",\"scope\":\"openid admin:users\"}", &ON_MACHINE, "scope"},
        {"{\"redirect_uris\":[\"https://wiki.example/cb\"]}", &OVER_NETWORK, "client_name"},
        {"{\"client_name\":\"Wiki\"}", &OVER_NETWORK, "redirect_uris"},
        {"{\"client_name\":7," "\"redirect_uris\":[]}", &OVER_NETWORK, "client_name"},
        {"{" MACHINE ",\"redirect_uris\":[\"https://wiki.example/cb\"]}", &OVER_NETWORK, "redirect_uris"},
        {"{\"client_name\":\"A\",\"redirect_uris\":[\"http://a.example/\"]}", &OVER_NETWORK, "redirect_uris"},
        {"{\"client_name\":\"A\",\"redirect_uris\":\"https://a.example/\"}", &OVER_NETWORK, "redirect_uris"},
        {"{" WIKI ",\"client_id\":\"mine\"}", &OVER_NETWORK, "client_id"},
        {"{" WIKI ",\"client_secret\":\"mine\"}", &ON_MACHINE, "client_secret"},
        {"{" WIKI ",\"state\":\"disabled\"}", &OVER_NETWORK, "state"},
        {"{" WIKI ",\"client_nmae\":\"typo\"}", &OVER_NETWORK, "client_nmae"},
        {"{" WIKI ",\"token_endpoint_auth_method\":\"none\",\"introspection_allowed\":true}", &OVER_NETWORK, "introspection_allowed"},
        {"{" WIKI ",\"resources\":[\"api\"]}", &OVER_NETWORK, "resources"},
        {"{" WIKI ",\"first_party\":\"yes\"}", &OVER_NETWORK, "first_party"},
        {"{" WIKI ",\"grant_types\":[]}", &OVER_NETWORK, "grant_types"},
        {"{" WIKI ",\"grant_types\":[1]}", &OVER_NETWORK, "grant_types"},
        {"{" WIKI ",\"grant_types\":\"authorization_code\"}", &OVER_NETWORK, "grant_types"},
        {"{" WIKI ",\"id_token_signed_response_alg\":\"none\"}", &OVER_NETWORK, "id_token_signed_response_alg"},
        {"{" WIKI ",\"token_endpoint_auth_method\":\"private_key_jwt\"}", &OVER_NETWORK, "jwks"},
        {"{" WIKI ",\"refresh_token_idle_lifetime\":3600,\"refresh_token_lifetime\":86400}", &OVER_NETWORK, NULL},
        {"{" WIKI ",\"refresh_token_idle_lifetime\":0,\"refresh_token_lifetime\":null}", &OVER_NETWORK, NULL},
        {"{" WIKI ",\"refresh_token_idle_lifetime\":3601}", &OVER_NETWORK, "refresh_token_idle_lifetime"},
        {"{" WIKI ",\"refresh_token_lifetime\":86401}", &ON_MACHINE, "refresh_token_lifetime"},
        {"{" WIKI ",\"refresh_token_lifetime\":9223372036854775807}", &OVER_NETWORK, "refresh_token_lifetime"},
        {"{" WIKI ",\"refresh_token_lifetime\":-1}", &OVER_NETWORK, "refresh_token_lifetime"},
        {"{" WIKI ",\"refresh_token_lifetime\":1.5}", &OVER_NETWORK, "refresh_token_lifetime"},
        {"{" WIKI ",\"refresh_token_idle_lifetime\":\"1h\"}", &OVER_NETWORK, "refresh_token_idle_lifetime"},
        {"{}", &OVER_NETWORK, "redirect_uris"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rec__Client *client;
        const char *secret;
        struct refusal refusal = {NULL, NULL};
        json_t *document = read_json(ctx, rows[i].document);
        assert_non_null(document);
        enum op_err err = operate_clients_make(ctx, document, &CATALOGUE, rows[i].rules, &FRESH, &client, &secret, &refusal);
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
    return operate_clients_make(ctx, read_json(ctx, document), &CATALOGUE, &ON_MACHINE, &FRESH, &client, ret_secret,
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
    return operate_clients_change(txn, ctx, client_id, read_json(ctx, patch), &OVER_NETWORK, "another",
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

/* What an older version would ignore it must not read; what restricts nothing any more it reads again. */
static enum op_err lifetimes(struct kv_txn *txn, void *arg)
{
    static const struct {
        const char *patch;
        int64_t idle, whole; /* 0: none of its own */
    } rows[] = {
        {"{\"client_name\":\"Wiki\"}", 0, 0},
        {"{\"refresh_token_idle_lifetime\":60}", 60, 0},
        {"{\"client_name\":\"Wikis\"}", 60, 0},
        {"{\"refresh_token_lifetime\":600}", 60, 600},
        {"{\"refresh_token_idle_lifetime\":null}", 0, 600},
        {"{\"refresh_token_lifetime\":0}", 0, 0},
        {"{\"refresh_token_idle_lifetime\":0}", 0, 0},
    };
    struct script *script = arg;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct changed done;
        Rec__Client *stored;
        bool own = rows[i].idle != 0 || rows[i].whole != 0;
        CHECK(change(txn, script->ctx, "wiki", rows[i].patch, &done) == OP_OK);
        CHECK(clients_get(txn, script->ctx, "wiki", &stored) == OP_OK);
        CHECK(stored->refresh_token_idle_lifetime == rows[i].idle && stored->refresh_token_lifetime == rows[i].whole);
        CHECK(stored->has_refresh_token_idle_lifetime == (rows[i].idle != 0));
        CHECK(stored->has_refresh_token_lifetime == (rows[i].whole != 0));
        CHECK(stored->has_needs == own && stored->needs == (own ? RECORDS_FORMAT_LIFETIMES : 0));
    }
    return OP_OK;
}

/* A client with more than the house allows today, which became stricter since, can be changed in everything else. */
static enum op_err a_stricter_house(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct changed done;
    Rec__Client *client;
    CHECK(clients_get(txn, script->ctx, "wiki", &client) == OP_OK);
    client->has_refresh_token_lifetime = true;
    client->refresh_token_lifetime = 100000;
    CHECK(clients_update(txn, client) == OP_OK);
    CHECK(change(txn, script->ctx, "wiki", "{\"client_name\":\"Other\"}", &done) == OP_OK);
    CHECK(done.client->refresh_token_lifetime == 100000);
    CHECK(change(txn, script->ctx, "wiki", "{\"refresh_token_lifetime\":100000}", &done) == OP_INVALID);
    CHECK(change(txn, script->ctx, "wiki", "{\"refresh_token_lifetime\":null}", &done) == OP_OK);
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
        CHECK(operate_clients_change(txn, script->ctx, "admin", read_json(script->ctx, rows[i].patch), &ON_MACHINE,
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
    RUN(KV_CLIENTS, insert, patches, lifetimes, a_stricter_house, powers, powers_end_management, secrets, remove_and_list);
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
