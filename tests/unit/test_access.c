/* Access tokens presented to us: which are ours (RFC 9068 §4), and what they are found to lean on. */
#include "rows.h"

#include "base/clock.h"
#include "runtime/access.h"
#include "runtime/settings.h"
#include "store/clients.h"
#include "store/families.h"
#include "store/revoked_tokens.h"
#include "store_home.h"

#define ISSUER "https://op.example"

static const struct kv_store STORES[] = {
    {KV_JWKS, true}, {KV_TOKENS, true}, {KV_CLIENTS, true}, {KV_USERS, true}, {KV_SESSIONS, true},
};
static const uint8_t DEAD[FAMILY_ID_LEN] = "the family died", NONE[FAMILY_ID_LEN] = "was not stored!";

struct fixture {
    struct store_home home;
    struct kv *kv;
    struct keyring *ring;
    struct jose_key *key, *strange;
};

static enum op_err put_key(struct kv_txn *txn, void *arg)
{
    struct fixture *f = arg;
    Rec__SigningKey *record = records_new(f, &rec__signing_key__descriptor);
    record->kid = mem_strdup(record, jose_key_kid(f->key));
    record->alg = mem_strdup(record, jose_alg_name(jose_key_alg(f->key)));
    record->jwk = jose_key_public_jwk(record, f->key);
    record->state = mem_strdup(record, "current");
    return signing_keys_put(txn, record);
}

static enum op_err put_client(struct kv_txn *txn, void *arg)
{
    Rec__Client *client = records_new(arg, &rec__client__descriptor);
    client->client_id = mem_strdup(client, "c1");
    return clients_insert(txn, client);
}

static enum op_err revoke_both(struct kv_txn *txn, void *arg)
{
    (void)arg;
    enum op_err err = families_kill(txn, bytes_from(DEAD, sizeof DEAD), "revoked");
    return err != OP_OK ? err : revoked_tokens_add(txn, "revoked", clock_now() + 60);
}

static int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    settings.issuer = ISSUER;
    store_home_make(&f->home, STORES, COUNT(STORES), 1 << 20);
    f->kv = store_home_open(&f->home, f, STORES, COUNT(STORES));
    f->ring = keyring_new(f, f->kv, NULL);
    assert_int_equal(jose_key_generate(f, JOSE_ES256, &f->key), OP_OK);
    assert_int_equal(jose_key_generate(f, JOSE_ES256, &f->strange), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_key, f), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_CLIENTS, put_client, f), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, revoke_both, f), OP_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct store_home home = f->home;
    talloc_free(f);
    store_home_remove(&home);
    return 0;
}

static json_t *claims_of(const void *ctx, const char *issuer, const uint8_t *family_id, const char *jti, int64_t lifetime)
{
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = mem_strdup(grant, "c1");
    return access_token_claims(ctx, &(struct access_token_input){
        .issuer = issuer,
        .grant = grant,
        .family_id = bytes_from(family_id, family_id == NULL ? 0 : FAMILY_ID_LEN),
        .jti = jti,
        .now = clock_now(),
        .lifetime = lifetime,
    });
}

static void only_ours_are_read(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *rule, *typ, *issuer;
        const struct jose_key *key;
        int64_t lifetime;
        bool good;
    } rows[] = {
        {"signed by us, of our issuer, not expired", ACCESS_TOKEN_TYP, ISSUER, f->key, 60, true},
        {"RFC 9068 §4: typ is at+jwt, in any case", "AT+JWT", ISSUER, f->key, 60, true},
        {"RFC 9068 §4: typ is at+jwt, not that of an ID token", NULL, ISSUER, f->key, 60, false},
        {"RFC 9068 §4: typ is at+jwt, not JWT", "JWT", ISSUER, f->key, 60, false},
        {"RFC 9068 §4: iss is ours", ACCESS_TOKEN_TYP, ISSUER "/other", f->key, 60, false},
        {"RFC 9068 §4: the signature is ours", ACCESS_TOKEN_TYP, ISSUER, f->strange, 60, false},
        {"RFC 9068 §4: before exp", ACCESS_TOKEN_TYP, ISSUER, f->key, -1, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        char *text;
        struct access_token token = {0};
        struct oauth_error error = {OAUTH_OK, NULL};
        json_t *claims = claims_of(ctx, rows[i].issuer, NULL, "j", rows[i].lifetime);
        assert_int_equal(jose_sign(ctx, rows[i].key, rows[i].typ, claims, &text), OP_OK);
        row_equal(rows[i].rule, access_verify(f->ring, ctx, text, &token, &error), rows[i].good ? OP_OK : OP_INVALID);
        row_equal(rows[i].rule, error.code, rows[i].good ? OAUTH_OK : OAUTH_INVALID_TOKEN);
        row_string(rows[i].rule, token.jti, rows[i].good ? "j" : NULL);
        talloc_free(ctx);
    }
}

static void rubbish_is_not_read(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"", ".", "..", "...", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "refresh"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        void *ctx = mem_root("test");
        struct access_token token;
        struct oauth_error error = {OAUTH_OK, NULL};
        row_equal(texts[i], access_verify(f->ring, ctx, texts[i], &token, &error), OP_INVALID);
        row_equal(texts[i], error.code, OAUTH_INVALID_TOKEN);
        talloc_free(ctx);
    }
}

struct lookup {
    const void *ctx;
    const struct access_token *token;
    struct family_facts facts;
};

static enum op_err look_up(struct kv_txn *txn, void *arg)
{
    struct lookup *lookup = arg;
    return access_load(txn, lookup->ctx, lookup->token, &lookup->facts);
}

static void what_is_revoked_is_dead(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *rule;
        const uint8_t *family_id;
        const char *jti;
        enum family_verdict verdict;
    } rows[] = {
        {"a client's own token", NULL, "j", FAMILY_ALIVE},
        {"revoked by its jti", NULL, "revoked", FAMILY_DEAD},
        {"for an access token an absent family is alive", NONE, "j", FAMILY_ALIVE},
        {"its family is dead", DEAD, "j", FAMILY_DEAD},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct access_token token;
        struct oauth_error error;
        json_t *claims = claims_of(ctx, ISSUER, rows[i].family_id, rows[i].jti, 60);
        assert_int_equal(access_token_read(ctx, claims, ISSUER, clock_now(), &token, &error), OP_OK);
        struct lookup lookup = {.ctx = ctx, .token = &token};
        row_equal(rows[i].rule, kv_run_wait(f->kv, KV_READ_ONLY, look_up, &lookup), OP_OK);
        row_equal(rows[i].rule, family_alive(&lookup.facts), rows[i].verdict);
        row_string(rows[i].rule, lookup.facts.client->client_id, "c1");
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ours_are_read),
        cmocka_unit_test(rubbish_is_not_read),
        cmocka_unit_test(what_is_revoked_is_dead),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
