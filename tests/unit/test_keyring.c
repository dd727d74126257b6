#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/digest.h"
#include "store/keyring.h"
#include "store/tables.h"
#include "store_home.h"

static const struct kv_store STORES[] = {{KV_KEYS, true}, {KV_JWKS, true}};
static const uint8_t SEAL_KEY[DIGEST_KEY_LEN] = "a key that seals keys in a test";

struct fixture {
    struct store_home home;
    void *ctx;
    struct kv *kv;
    struct keyring *ring;
    struct signing_key_age *ages;
    size_t age_count;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    f->ctx = f;
    store_home_make(&f->home, STORES, 2, 4 << 20);
    f->kv = store_home_open(&f->home, f, STORES, 2);
    f->ring = keyring_new(f, f->kv, SEAL_KEY);
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

/* One signing key as op-discovery keeps it, and what a test does to it. */
struct stored {
    void *ctx;
    struct jose_key *key;
    const char *state;
    int64_t current_at;
    uint32_t needs;
    const uint8_t *seal_key;
    const char *sealed_for; /* the kid in the seal; NULL its own */
    struct jose_key *half;  /* whose private half is stored; NULL its own */
    Rec__SigningKey *read;
    Rec__SigningKey **list;
    size_t count;
};

static struct stored stored_key(struct fixture *f, enum jose_alg alg, const char *state)
{
    struct stored stored = {.ctx = f, .state = state, .current_at = 1, .seal_key = SEAL_KEY};
    assert_int_equal(jose_key_generate(f, alg, &stored.key), OP_OK);
    return stored;
}

static enum op_err put_public(struct kv_txn *txn, void *arg)
{
    struct stored *stored = arg;
    Rec__SigningKey *record = records_new(stored->ctx, &rec__signing_key__descriptor);
    record->has_needs = stored->needs != 0;
    record->needs = stored->needs;
    record->kid = mem_strdup(record, jose_key_kid(stored->key));
    record->alg = mem_strdup(record, jose_alg_name(jose_key_alg(stored->key)));
    record->jwk = jose_key_public_jwk(record, stored->key);
    record->state = mem_strdup(record, stored->state);
    record->has_current_at = true;
    record->current_at = stored->current_at;
    return signing_keys_put(txn, record);
}

static enum op_err insert_private(struct kv_txn *txn, void *arg)
{
    struct stored *stored = arg;
    const char *kid = jose_key_kid(stored->key), *aad = stored->sealed_for == NULL ? kid : stored->sealed_for;
    Rec__PrivateKey *record = records_new(stored->ctx, &rec__private_key__descriptor);
    char *jwk = jose_key_private_jwk(record, stored->half == NULL ? stored->key : stored->half);
    struct bytes sealed = digest_seal(record, stored->seal_key, bytes_of(aad), bytes_of(jwk));
    record->kid = mem_strdup(record, kid);
    record->has_sealed = true;
    record->sealed.data = (uint8_t *)sealed.data;
    record->sealed.len = sealed.len;
    return private_keys_insert(txn, record);
}

static void store(struct fixture *f, struct stored *stored)
{
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, insert_private, stored), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_public, stored), OP_OK);
}

static void move_to(struct fixture *f, struct stored *stored, const char *state)
{
    stored->state = state;
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_public, stored), OP_OK);
}

static enum op_err delete_public(struct kv_txn *txn, void *arg)
{
    return signing_keys_delete(txn, jose_key_kid(((struct stored *)arg)->key));
}

static enum op_err delete_private(struct kv_txn *txn, void *arg)
{
    return private_keys_delete(txn, jose_key_kid(((struct stored *)arg)->key));
}

static enum op_err get_public(struct kv_txn *txn, void *arg)
{
    struct stored *stored = arg;
    return signing_keys_get(txn, stored->ctx, jose_key_kid(stored->key), &stored->read);
}

static enum op_err list_public(struct kv_txn *txn, void *arg)
{
    struct stored *stored = arg;
    return signing_keys_list(txn, stored->ctx, &stored->list, &stored->count);
}

static json_t *some_claims(struct fixture *f)
{
    json_t *claims = json_make_object(f);
    json_set_string(claims, "sub", "anna");
    return claims;
}

static enum op_err sign(struct fixture *f, enum jose_alg alg, const char *typ, char **ret)
{
    return keyring_sign(f->ring, f, alg, typ, some_claims(f), ret);
}

/* The kid that a fresh signature names. */
static const char *signing_kid(struct fixture *f, enum jose_alg alg)
{
    char *token;
    struct jose_header header;
    assert_int_equal(sign(f, alg, NULL, &token), OP_OK);
    assert_int_equal(jose_peek(f, token, &header), OP_OK);
    return header.kid;
}

static void public_keys_are_kept(void **state)
{
    struct fixture *f = *state;
    struct stored one = stored_key(f, JOSE_ES256, "next"), two = stored_key(f, JOSE_EDDSA, "current");
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, get_public, &one), OP_ABSENT);
    store(f, &one);
    store(f, &two);
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, get_public, &one), OP_OK);
    assert_string_equal(one.read->state, "next");
    move_to(f, &one, "retired");
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, get_public, &one), OP_OK);
    assert_string_equal(one.read->state, "retired");
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, list_public, &one), OP_OK);
    assert_int_equal(one.count, 2);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, delete_public, &one), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, delete_public, &one), OP_ABSENT);
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, list_public, &one), OP_OK);
    assert_int_equal(one.count, 1);
    assert_string_equal(one.list[0]->kid, jose_key_kid(two.key));
}

static void a_private_key_is_never_replaced(void **state)
{
    struct fixture *f = *state;
    struct stored one = stored_key(f, JOSE_ES256, "next");
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, insert_private, &one), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, insert_private, &one), OP_EXISTS);
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, delete_private, &one), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, delete_private, &one), OP_ABSENT);
}

static void a_key_of_a_newer_version_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct stored one = stored_key(f, JOSE_ES256, "current");
    char *token;
    one.needs = RECORDS_FORMAT + 1;
    store(f, &one);
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, get_public, &one), OP_DENIED);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_public, &one), OP_DENIED);
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, list_public, &one), OP_OK);
    assert_int_equal(one.count, 1);
    assert_string_equal(one.list[0]->kid, jose_key_kid(one.key));
    assert_null(one.list[0]->jwk);
    assert_true(one.list[0]->needs > RECORDS_FORMAT);
    assert_int_equal(sign(f, JOSE_ES256, NULL, &token), OP_ABSENT);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, delete_public, &one), OP_OK);
}

static enum op_err put_wish(struct kv_txn *txn, void *arg)
{
    return rotation_wish_put(txn, arg);
}

struct taken {
    void *ctx;
    Rec__RotationWish *wish;
};

static enum op_err take_wish(struct kv_txn *txn, void *arg)
{
    struct taken *taken = arg;
    return rotation_wish_take(txn, taken->ctx, &taken->wish);
}

static void a_wish_is_taken_once(void **state)
{
    struct fixture *f = *state;
    Rec__RotationWish *wish = records_new(f, &rec__rotation_wish__descriptor);
    struct taken taken = {.ctx = f};
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, take_wish, &taken), OP_ABSENT);
    wish->has_at_once = true;
    wish->at_once = true;
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_wish, wish), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, take_wish, &taken), OP_OK);
    assert_true(taken.wish->at_once);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, take_wish, &taken), OP_ABSENT);
    wish->has_needs = true;
    wish->needs = RECORDS_FORMAT + 1;
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_wish, wish), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, take_wish, &taken), OP_DENIED);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, take_wish, &taken), OP_DENIED); /* it stays */
}

static void count_ring(void *arg)
{
    ++*(unsigned *)arg;
}

static void a_wish_is_heard(void **state)
{
    struct fixture *f = *state;
    Rec__RotationWish *wish = records_new(f, &rec__rotation_wish__descriptor);
    struct pollfd fd = {.fd = kv_event_fd(f->kv), .events = POLLIN};
    unsigned rings = 0;
    assert_int_equal(kv_watch(f->kv, KV_JWKS, count_ring, &rings), OP_OK);
    kv_dispatch(f->kv);
    rings = 0;
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_wish, wish), OP_OK);
    for (int i = 0; i < 5 && rings == 0 && poll(&fd, 1, 1000) == 1; i++)
        kv_dispatch(f->kv);
    assert_int_equal(rings, 1);
}

static void only_a_current_key_signs(void **state)
{
    struct fixture *f = *state;
    char *token = NULL;
    assert_false(keyring_ready(f->ring, JOSE_ES256));
    assert_int_equal(sign(f, JOSE_ES256, NULL, &token), OP_ABSENT);
    struct stored one = stored_key(f, JOSE_ES256, "next");
    store(f, &one);
    assert_int_equal(sign(f, JOSE_ES256, NULL, &token), OP_ABSENT);
    assert_null(token);
    move_to(f, &one, "current");
    assert_true(keyring_ready(f->ring, JOSE_ES256));
    assert_false(keyring_ready(f->ring, JOSE_EDDSA));
    const enum jose_alg both[] = {JOSE_ES256, JOSE_EDDSA};
    assert_null(keyring_not_ready(f->ring, both, 1));
    assert_string_equal(keyring_not_ready(f->ring, both, 2), "there is no signing key of EdDSA yet");
    assert_int_equal(sign(f, JOSE_EDDSA, NULL, &token), OP_ABSENT);
    assert_string_equal(signing_kid(f, JOSE_ES256), jose_key_kid(one.key));
    move_to(f, &one, "retired");
    assert_int_equal(sign(f, JOSE_ES256, NULL, &token), OP_ABSENT);
    assert_false(keyring_ready(f->ring, JOSE_ES256));
}

static enum op_err take_ages(struct kv_txn *txn, void *arg)
{
    struct fixture *f = arg;
    return signing_keys_ages(txn, f, &f->ages, &f->age_count);
}

static void ages_are_those_of_the_newest_current_key(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, take_ages, f), OP_OK);
    assert_int_equal(f->age_count, 0);
    struct stored old = stored_key(f, JOSE_ES256, "current"), new = stored_key(f, JOSE_ES256, "current");
    struct stored next = stored_key(f, JOSE_RS256, "next"), gone = stored_key(f, JOSE_EDDSA, "retired");
    old.current_at = 100;
    new.current_at = 200;
    store(f, &new);
    store(f, &old);
    store(f, &next);
    store(f, &gone);
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, take_ages, f), OP_OK);
    assert_int_equal(f->age_count, 2);
    const struct signing_key_age *es256 = &f->ages[f->ages[0].alg == JOSE_ES256 ? 0 : 1];
    const struct signing_key_age *rs256 = es256 == f->ages ? &f->ages[1] : &f->ages[0];
    assert_true(es256->has_current && es256->current_at == 200 && !es256->has_next);
    assert_true(rs256->alg == JOSE_RS256 && !rs256->has_current && rs256->has_next);
}

static void rotation_is_followed_at_once(void **state)
{
    struct fixture *f = *state;
    char *old, *new;
    json_t *claims = NULL;
    struct stored one = stored_key(f, JOSE_ES256, "current"), two = stored_key(f, JOSE_ES256, "next");
    store(f, &one);
    store(f, &two);
    assert_int_equal(sign(f, JOSE_ES256, "at+jwt", &old), OP_OK);
    move_to(f, &one, "retired");
    move_to(f, &two, "current");
    assert_string_equal(signing_kid(f, JOSE_ES256), jose_key_kid(two.key));
    assert_int_equal(sign(f, JOSE_ES256, "at+jwt", &new), OP_OK);
    assert_int_equal(keyring_verify(f->ring, f, old, "at+jwt", &claims), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, delete_public, &one), OP_OK);
    assert_int_equal(keyring_verify(f->ring, f, old, "at+jwt", &claims), OP_ABSENT);
    assert_int_equal(keyring_verify(f->ring, f, new, "at+jwt", &claims), OP_OK);
    assert_true(json_equal(claims, some_claims(f)));
}

static void the_newest_of_two_current_keys_signs(void **state)
{
    struct fixture *f = *state;
    struct stored one = stored_key(f, JOSE_EDDSA, "current"), two = stored_key(f, JOSE_EDDSA, "current");
    one.current_at = 2000;
    two.current_at = 1000;
    store(f, &one);
    store(f, &two);
    assert_string_equal(signing_kid(f, JOSE_EDDSA), jose_key_kid(one.key));
    two.current_at = 3000;
    move_to(f, &two, "current");
    assert_string_equal(signing_kid(f, JOSE_EDDSA), jose_key_kid(two.key));
}

static void tokens_are_taken_for_their_type_only(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *signed_as, *wanted;
        enum op_err err;
    } rows[] = {
        {"at+jwt", "at+jwt", OP_OK},
        {"application/at+jwt", "at+jwt", OP_OK},
        {"AT+JWT", "at+jwt", OP_OK},
        {"at+jwt", NULL, OP_MISMATCH},
        {"JWT", "at+jwt", OP_MISMATCH},
        {NULL, "at+jwt", OP_MISMATCH},
        {"logout+jwt", "at+jwt", OP_MISMATCH},
        {NULL, NULL, OP_OK},
        {"JWT", NULL, OP_OK},
        {"jwt", NULL, OP_OK},
        {"", NULL, OP_MISMATCH},
    };
    struct stored one = stored_key(f, JOSE_ES256, "current");
    store(f, &one);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *token;
        json_t *claims;
        assert_int_equal(sign(f, JOSE_ES256, rows[i].signed_as, &token), OP_OK);
        assert_int_equal(keyring_verify(f->ring, f, token, rows[i].wanted, &claims), rows[i].err);
    }
}

static void tokens_of_others_are_refused(void **state)
{
    struct fixture *f = *state;
    struct stored one = stored_key(f, JOSE_ES256, "current"), stranger = stored_key(f, JOSE_ES256, "current");
    json_t *claims = NULL;
    char *token;
    store(f, &one);
    assert_int_equal(jose_sign(f, stranger.key, NULL, some_claims(f), &token), OP_OK);
    assert_int_equal(keyring_verify(f->ring, f, token, NULL, &claims), OP_ABSENT);
    /* A stranger's key that bears our kid. */
    char *jwk = jose_key_private_jwk(f, stranger.key), *kid = strstr(jwk, jose_key_kid(stranger.key));
    memcpy(kid, jose_key_kid(one.key), strlen(jose_key_kid(one.key)));
    assert_int_equal(jose_key_from_jwk(f, bytes_of(jwk), JOSE_ES256, &stranger.key), OP_OK);
    assert_int_equal(jose_sign(f, stranger.key, NULL, some_claims(f), &token), OP_OK);
    assert_int_equal(keyring_verify(f->ring, f, token, NULL, &claims), OP_MISMATCH);
    /* {"alg":"ES256"} and {"alg":"none"}: no kid at all. */
    assert_int_equal(keyring_verify(f->ring, f, "eyJhbGciOiJFUzI1NiJ9.e30.AA", NULL, &claims), OP_INVALID);
    assert_int_equal(keyring_verify(f->ring, f, "eyJhbGciOiJub25lIn0.e30.", NULL, &claims), OP_INVALID);
    assert_int_equal(keyring_verify(f->ring, f, "rubbish", NULL, &claims), OP_INVALID);
    assert_null(claims);
}

static void check_unusable(struct fixture *f, struct stored *stored)
{
    char *token = NULL;
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_public, stored), OP_OK);
    assert_int_equal(sign(f, JOSE_ES256, NULL, &token), OP_BROKEN);
    assert_false(keyring_ready(f->ring, JOSE_ES256));
    assert_null(token);
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, delete_public, stored), OP_OK);
}

static void a_private_half_that_does_not_fit_is_not_used(void **state)
{
    struct fixture *f = *state;
    static const uint8_t other_seal[DIGEST_KEY_LEN] = {1};
    struct stored missing = stored_key(f, JOSE_ES256, "current");
    check_unusable(f, &missing);
    struct stored sealed_otherwise = stored_key(f, JOSE_ES256, "current");
    sealed_otherwise.seal_key = other_seal;
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, insert_private, &sealed_otherwise), OP_OK);
    check_unusable(f, &sealed_otherwise);
    struct stored moved = stored_key(f, JOSE_ES256, "current");
    moved.sealed_for = "another kid";
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, insert_private, &moved), OP_OK);
    check_unusable(f, &moved);
    struct stored foreign = stored_key(f, JOSE_ES256, "current");
    foreign.half = missing.key;
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, insert_private, &foreign), OP_OK);
    check_unusable(f, &foreign);
}

static void a_private_half_that_comes_late_is_found(void **state)
{
    struct fixture *f = *state;
    struct stored one = stored_key(f, JOSE_ES256, "current");
    char *token;
    assert_int_equal(kv_run_wait(f->kv, KV_JWKS, put_public, &one), OP_OK);
    assert_int_equal(sign(f, JOSE_ES256, NULL, &token), OP_BROKEN);
    assert_int_equal(kv_run_wait(f->kv, KV_KEYS, insert_private, &one), OP_OK);
    assert_int_equal(sign(f, JOSE_ES256, NULL, &token), OP_OK);
}

static void without_a_seal_key_it_only_verifies(void **state)
{
    struct fixture *f = *state;
    struct keyring *verifier = keyring_new(f, f->kv, NULL);
    struct stored one = stored_key(f, JOSE_ES256, "current");
    char *token, *none = NULL;
    json_t *claims;
    store(f, &one);
    assert_int_equal(sign(f, JOSE_ES256, NULL, &token), OP_OK);
    assert_int_equal(keyring_verify(verifier, f, token, NULL, &claims), OP_OK);
    assert_false(keyring_ready(verifier, JOSE_ES256));
    const enum jose_alg both[] = {JOSE_ES256, JOSE_EDDSA};
    assert_null(keyring_not_ready(verifier, both, 1));
    assert_string_equal(keyring_not_ready(verifier, both, 2), "there is no signing key of EdDSA yet");
    assert_int_equal(keyring_sign(verifier, f, JOSE_ES256, NULL, some_claims(f), &none), OP_BROKEN);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(public_keys_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_private_key_is_never_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_of_a_newer_version_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wish_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wish_is_heard, setup, teardown),
        cmocka_unit_test_setup_teardown(only_a_current_key_signs, setup, teardown),
        cmocka_unit_test_setup_teardown(ages_are_those_of_the_newest_current_key, setup, teardown),
        cmocka_unit_test_setup_teardown(rotation_is_followed_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_of_two_current_keys_signs, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_are_taken_for_their_type_only, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_of_others_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_private_half_that_does_not_fit_is_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(a_private_half_that_comes_late_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_seal_key_it_only_verifies, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
