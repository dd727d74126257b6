#include "store/keyring.h"

#include <string.h>

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

enum { KEYS_MAX = 64, PRIVATE_KEYS_MAX = 128 };

/* --- repositories --- */

static void *signing_key_from_key(const void *ctx, struct bytes key)
{
    Rec__SigningKey *record = records_new(ctx, &rec__signing_key__descriptor);
    record->has_needs = true;
    record->needs = RECORDS_FORMAT + 1;
    record->kid = mem_strndup(record, (const char *)key.data, key.len);
    return record;
}

static void *private_key_from_key(const void *ctx, struct bytes key)
{
    Rec__PrivateKey *record = records_new(ctx, &rec__private_key__descriptor);
    record->has_needs = true;
    record->needs = RECORDS_FORMAT + 1;
    record->kid = mem_strndup(record, (const char *)key.data, key.len);
    return record;
}

const struct repository REPOSITORY_SIGNING_KEYS = {&TABLE_SIGNING_KEYS, &rec__signing_key__descriptor,
                                               signing_key_from_key};
const struct repository REPOSITORY_PRIVATE_KEYS = {&TABLE_PRIVATE_KEYS, &rec__private_key__descriptor,
                                               private_key_from_key};
const struct repository REPOSITORY_ROTATION_WISH = {&TABLE_ROTATION_WISH, &rec__rotation_wish__descriptor, NULL};
static const char WISH[] = "wish";

enum op_err signing_keys_get(struct kv_txn *txn, const void *ctx, const char *kid, Rec__SigningKey **ret)
{
    return repository_get(txn, &REPOSITORY_SIGNING_KEYS, bytes_of(kid), ctx, ret);
}

enum op_err signing_keys_put(struct kv_txn *txn, const Rec__SigningKey *key)
{
    void *scratch = mem_root("signing_keys_put");
    Rec__SigningKey *stored;
    enum op_err err = signing_keys_get(txn, scratch, key->kid, &stored);
    if (err != OP_DENIED)
        err = repository_put(txn, &REPOSITORY_SIGNING_KEYS, bytes_of(key->kid), key, 0);
    talloc_free(scratch);
    return err;
}

enum op_err signing_keys_delete(struct kv_txn *txn, const char *kid)
{
    return kv_delete(txn, &TABLE_SIGNING_KEYS, bytes_of(kid));
}

enum op_err signing_keys_list(struct kv_txn *txn, const void *ctx, Rec__SigningKey ***ret, size_t *ret_count)
{
    struct bytes all = bytes_of(NULL);
    return repository_list(txn, &REPOSITORY_SIGNING_KEYS, all, all, KEYS_MAX, ctx, ret, ret_count);
}

static bool is_in_state(const Rec__SigningKey *record, const char *state)
{
    return record->state != NULL && strcmp(record->state, state) == 0;
}

static struct signing_key_age *age_of(struct signing_key_age *ages, size_t *count, enum jose_alg alg)
{
    for (size_t i = 0; i < *count; i++)
        if (ages[i].alg == alg)
            return &ages[i];
    ages[*count] = (struct signing_key_age){.alg = alg};
    return &ages[(*count)++];
}

enum op_err signing_keys_ages(struct kv_txn *txn, const void *ctx, struct signing_key_age **ret, size_t *ret_count)
{
    Rec__SigningKey **records;
    size_t record_count, count = 0;
    enum op_err err = signing_keys_list(txn, ctx, &records, &record_count);
    if (err != OP_OK)
        return err;
    struct signing_key_age *ages = mem_array(ctx, struct signing_key_age, record_count);
    for (size_t i = 0; i < record_count; i++) {
        bool is_current = is_in_state(records[i], "current"), is_next = is_in_state(records[i], "next");
        enum jose_alg alg = jose_alg_from_name(records[i]->alg);
        if (!(is_current || is_next) || alg == JOSE_ALG_NONE)
            continue;
        struct signing_key_age *age = age_of(ages, &count, alg);
        if (is_current && (!age->has_current || records[i]->current_at > age->current_at))
            age->current_at = records[i]->current_at;
        age->has_current = age->has_current || is_current;
        age->has_next = age->has_next || is_next;
    }
    *ret = ages;
    *ret_count = count;
    return OP_OK;
}

enum op_err private_keys_get(struct kv_txn *txn, const void *ctx, const char *kid, Rec__PrivateKey **ret)
{
    return repository_get(txn, &REPOSITORY_PRIVATE_KEYS, bytes_of(kid), ctx, ret);
}

enum op_err private_keys_insert(struct kv_txn *txn, const Rec__PrivateKey *key)
{
    return repository_insert(txn, &REPOSITORY_PRIVATE_KEYS, bytes_of(key->kid), key, 0);
}

enum op_err private_keys_delete(struct kv_txn *txn, const char *kid)
{
    return kv_delete(txn, &TABLE_PRIVATE_KEYS, bytes_of(kid));
}

enum op_err private_keys_list(struct kv_txn *txn, const void *ctx, Rec__PrivateKey ***ret, size_t *ret_count)
{
    struct bytes all = bytes_of(NULL);
    return repository_list(txn, &REPOSITORY_PRIVATE_KEYS, all, all, PRIVATE_KEYS_MAX, ctx, ret, ret_count);
}

enum op_err rotation_wish_put(struct kv_txn *txn, const Rec__RotationWish *wish)
{
    void *scratch = mem_root("rotation_wish_put");
    Rec__RotationWish *stored;
    enum op_err err = rotation_wish_get(txn, scratch, &stored);
    if (err != OP_DENIED)
        err = repository_put(txn, &REPOSITORY_ROTATION_WISH, bytes_of(WISH), wish, 0);
    if (err == OP_OK)
        kv_ring(txn);
    talloc_free(scratch);
    return err;
}

enum op_err rotation_wish_get(struct kv_txn *txn, const void *ctx, Rec__RotationWish **ret)
{
    return repository_get(txn, &REPOSITORY_ROTATION_WISH, bytes_of(WISH), ctx, ret);
}

enum op_err rotation_wish_take(struct kv_txn *txn, const void *ctx, Rec__RotationWish **ret)
{
    enum op_err err = rotation_wish_get(txn, ctx, ret);
    return err != OP_OK ? err : kv_delete(txn, &TABLE_ROTATION_WISH, bytes_of(WISH));
}

/* --- the process's parsed keys --- */

struct ring_key {
    const char *kid;
    struct jose_key *public;
    struct jose_key *private; /* only of current ones; NULL when it cannot be unsealed */
    bool is_current;
    int64_t current_at;
};

struct keyring {
    struct kv *kv;
    uint8_t *seal_key; /* NULL: verifies only */
    void *loaded;      /* owns keys; NULL until they have been read */
    struct ring_key *keys;
    size_t count;
    uint64_t jwks_seen, keys_seen;
    char *missing; /* what keyring_not_ready said last */
};

struct keyring *keyring_new(const void *ctx, struct kv *kv, const uint8_t *seal_key)
{
    struct keyring *ring = mem_new(ctx, struct keyring);
    ring->kv = kv;
    if (seal_key != NULL) {
        ring->seal_key = mem_secret(mem_array(ring, uint8_t, DIGEST_KEY_LEN));
        memcpy(ring->seal_key, seal_key, DIGEST_KEY_LEN);
    }
    return ring;
}

struct reading {
    const struct keyring *ring;
    void *ctx;
    bool moved; /* something was committed since the ring was loaded, and the rest is filled */
    uint64_t jwks_seen, keys_seen;
    Rec__SigningKey **records;
    Rec__PrivateKey **sealed; /* beside records; NULL where there is none to be had */
    size_t count;
    enum op_err result;
};

static enum op_err read_keys(struct kv_txn *txn, void *arg)
{
    struct reading *reading = arg;
    const struct keyring *ring = reading->ring;
    /* jwks first: who sees a public half there then sees its private half, which was written before. */
    reading->jwks_seen = kv_snapshot(txn, KV_JWKS);
    reading->keys_seen = ring->seal_key == NULL ? 0 : kv_snapshot(txn, KV_KEYS);
    reading->moved =
        ring->loaded == NULL || reading->keys_seen != ring->keys_seen || reading->jwks_seen != ring->jwks_seen;
    if (!reading->moved)
        return OP_OK;
    enum op_err err = signing_keys_list(txn, reading->ctx, &reading->records, &reading->count);
    if (err != OP_OK || ring->seal_key == NULL)
        return err;
    reading->sealed = mem_array(reading->ctx, Rec__PrivateKey *, reading->count);
    for (size_t i = 0; i < reading->count; i++) {
        if (is_in_state(reading->records[i], "current"))
            err = private_keys_get(txn, reading->ctx, reading->records[i]->kid, &reading->sealed[i]);
        if (err == OP_FULL || err == OP_BUSY)
            return err;
    }
    return OP_OK;
}

static void keep_result(enum op_err result, void *arg)
{
    ((struct reading *)arg)->result = result;
}

static bool are_halves(const void *ctx, const struct ring_key *key, const struct jose_key *private)
{
    const char *kid = jose_key_kid(private);
    return kid != NULL && strcmp(kid, key->kid) == 0 &&
           strcmp(jose_key_thumbprint(ctx, private), jose_key_thumbprint(ctx, key->public)) == 0;
}

/* The private half, if it is the one of this public key. */
static struct jose_key *unseal(const struct keyring *ring, const void *ctx, const struct ring_key *key,
                               const Rec__PrivateKey *record)
{
    struct bytes plain;
    struct jose_key *private = NULL;
    if (record == NULL)
        return NULL;
    void *scratch = talloc_new(ctx);
    struct bytes sealed = bytes_from(record->sealed.data, record->sealed.len);
    if (digest_open(scratch, ring->seal_key, bytes_of(key->kid), sealed, &plain) == OP_OK &&
        jose_key_from_jwk(ctx, plain, jose_key_alg(key->public), &private) == OP_OK &&
        !are_halves(scratch, key, private)) {
        talloc_free(private);
        private = NULL;
    }
    talloc_free(scratch);
    return private;
}

static bool parse_key(const struct keyring *ring, const void *ctx, const Rec__SigningKey *record,
                      const Rec__PrivateKey *sealed, struct ring_key *ret)
{
    enum jose_alg alg = jose_alg_from_name(record->alg);
    struct ring_key key = {.is_current = is_in_state(record, "current"), .current_at = record->current_at};
    if (record->kid == NULL || record->jwk == NULL ||
        jose_key_from_jwk(ctx, bytes_of(record->jwk), alg, &key.public) != OP_OK)
        return false;
    key.kid = mem_strdup(ctx, record->kid);
    key.private = unseal(ring, ctx, &key, sealed);
    *ret = key;
    return true;
}

static void load(struct keyring *ring, const struct reading *reading)
{
    talloc_free(ring->loaded);
    ring->loaded = talloc_new(ring);
    ring->keys = mem_array(ring->loaded, struct ring_key, reading->count);
    ring->count = 0;
    ring->jwks_seen = reading->jwks_seen;
    ring->keys_seen = reading->keys_seen;
    for (size_t i = 0; i < reading->count; i++) {
        const Rec__PrivateKey *sealed = reading->sealed == NULL ? NULL : reading->sealed[i];
        if (parse_key(ring, ring->loaded, reading->records[i], sealed, &ring->keys[ring->count]))
            ring->count++;
    }
}

static enum op_err refresh(struct keyring *ring)
{
    struct reading reading = {.ring = ring, .ctx = mem_root("keyring")};
    kv_run(ring->kv, KV_READ_ONLY, read_keys, keep_result, &reading);
    if (reading.result == OP_OK && reading.moved)
        load(ring, &reading);
    talloc_free(reading.ctx);
    return reading.result;
}

/* The newest current key of alg, or NULL. */
static const struct ring_key *current_key(const struct keyring *ring, enum jose_alg alg)
{
    const struct ring_key *found = NULL;
    for (size_t i = 0; i < ring->count; i++) {
        const struct ring_key *key = &ring->keys[i];
        if (key->is_current && jose_key_alg(key->public) == alg &&
            (found == NULL || key->current_at > found->current_at))
            found = key;
    }
    return found;
}

enum op_err keyring_sign(struct keyring *ring, const void *ctx, enum jose_alg alg, const char *typ,
                         const json_t *claims, char **ret_token)
{
    enum op_err err = refresh(ring);
    if (err != OP_OK)
        return err;
    const struct ring_key *key = current_key(ring, alg);
    if (key == NULL)
        return OP_ABSENT;
    return key->private == NULL ? OP_BROKEN : jose_sign(ctx, key->private, typ, claims, ret_token);
}

bool keyring_ready(struct keyring *ring, enum jose_alg alg)
{
    const struct ring_key *key = refresh(ring) == OP_OK ? current_key(ring, alg) : NULL;
    return key != NULL && key->private != NULL;
}

const char *keyring_not_ready(struct keyring *ring, const enum jose_alg *algs, size_t count)
{
    TALLOC_FREE(ring->missing);
    bool is_read = refresh(ring) == OP_OK;
    for (size_t i = 0; i < count && ring->missing == NULL; i++) {
        const struct ring_key *key = is_read ? current_key(ring, algs[i]) : NULL;
        if (key == NULL || (ring->seal_key != NULL && key->private == NULL))
            ring->missing = mem_printf(ring, "there is no signing key of %s yet", jose_alg_name(algs[i]));
    }
    return ring->missing;
}

static const struct ring_key *key_named(const struct keyring *ring, const char *kid)
{
    for (size_t i = 0; i < ring->count; i++)
        if (strcmp(ring->keys[i].kid, kid) == 0)
            return &ring->keys[i];
    return NULL;
}

/* typ NULL stands for a token that says nothing, or "JWT". */
static bool is_of_type(const struct jose_header *header, const char *typ)
{
    if (header->typ == NULL)
        return typ == NULL;
    return strcasecmp(header->typ, typ == NULL ? "JWT" : typ) == 0;
}

enum op_err keyring_verify(struct keyring *ring, const void *ctx, const char *token, const char *typ,
                           json_t **ret_claims)
{
    void *scratch = talloc_new(ctx);
    struct jose_header header;
    enum op_err err = jose_peek(scratch, token, &header);
    if (err == OP_OK && header.kid == NULL)
        err = OP_INVALID;
    if (err == OP_OK && !is_of_type(&header, typ))
        err = OP_MISMATCH;
    if (err == OP_OK)
        err = refresh(ring);
    if (err == OP_OK) {
        const struct ring_key *key = key_named(ring, header.kid);
        err = key == NULL ? OP_ABSENT : jose_verify(ctx, token, key->public, ret_claims);
    }
    talloc_free(scratch);
    return err;
}
