#include "keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "forget.h"
#include "generate.h"
#include "runtime/audit.h"
#include "runtime/metrics.h"
#include "runtime/trouble.h"
#include "store/keyring.h"
#include "stored.h"

enum {
    RETRY_S = 5,
    LOOK_S = 60,              /* at least this often */
    SPARE_USABLE_S = 43200,   /* a private half that is not published yet */
    ORPHAN_S = 86400,         /* and when it is taken for forgotten: nobody can be about to publish it then */
    PRIVATE_LINGERS_S = 60,   /* a retired key's, for those who read jwks before it retired */
    NEEDED_MAX = 32,
};

/* A key whose private half stands in the store and whose public half is about to. */
struct spare {
    char *kid;
    enum jose_alg alg;
    char *public_jwk;
    int64_t created_at;
    bool taken;
};

struct keys {
    struct event_base *base;
    struct kv *kv;
    uint8_t *seal_key;
    const struct rotation_rules *rules;
    struct event *tick;
    struct generate_job *job;
    bool busy; /* between a look and the end of what it led to */
    int64_t look_at;
    struct trouble trouble; /* of the looks that fail again and again */
    struct spare *spares;
    size_t spare_count;
};

static void finish(struct keys *keys, int64_t look_in)
{
    keys->busy = false;
    keys->look_at = clock_now() + look_in;
}

static void failed(struct keys *keys, const char *what, enum op_err err)
{
    enum log_level level = trouble_begins(&keys->trouble, clock_monotonic_us()) ? LOG_LEVEL_ERROR : LOG_LEVEL_DEBUG;
    log_event(level, "keys_failed", NULL, NULL, "what", what, "result", op_err_name(err), NULL);
    metrics_count("partita_key_failures_total", 1);
    finish(keys, RETRY_S);
}

/* --- spares --- */

static struct spare *find_spare(struct keys *keys, enum jose_alg alg, int64_t made_since)
{
    for (size_t i = 0; i < keys->spare_count; i++)
        if (!keys->spares[i].taken && keys->spares[i].alg == alg && keys->spares[i].created_at >= made_since)
            return &keys->spares[i];
    return NULL;
}

static void release_spares(struct keys *keys)
{
    for (size_t i = 0; i < keys->spare_count; i++)
        keys->spares[i].taken = false;
}

static void forget_taken(struct keys *keys)
{
    size_t kept = 0;
    for (size_t i = 0; i < keys->spare_count; i++)
        if (!keys->spares[i].taken)
            keys->spares[kept++] = keys->spares[i];
    keys->spare_count = kept;
}

/* What a spare must be younger than: usable ones are, and after a leak only those made since. */
static int64_t spares_since(enum rotation_wish wish, int64_t wished_at, int64_t now)
{
    int64_t usable = now - SPARE_USABLE_S;
    return wish == ROTATION_AT_ONCE && wished_at > usable ? wished_at : usable;
}

static const struct rotation_key *find_key(const struct stored_keys *stored, const char *kid)
{
    for (size_t i = 0; i < stored->count; i++)
        if (strcmp(stored->keys[i].kid, kid) == 0)
            return &stored->keys[i];
    return NULL;
}

/* A private half that nobody needs any more. */
static bool is_forgotten(const Rec__PrivateKey *private, const struct rotation_key *public, int64_t now)
{
    if (private->needs > RECORDS_FORMAT)
        return false;
    if (public == NULL)
        return now >= private->created_at + ORPHAN_S;
    return public->state == ROTATION_RETIRED && now >= public->retired_at + PRIVATE_LINGERS_S;
}

/* --- applying a decision: one transaction on jwks --- */

struct application {
    struct keys *keys;
    void *ctx;           /* the application's own */
    void *scratch;       /* of one run of the work */
    struct rotation_plan plan;
    struct stored_keys stored;
    enum rotation_wish wish;
};

/* Gives every key that is to be inserted a spare. */
static bool hand_out_spares(struct application *a, int64_t made_since)
{
    release_spares(a->keys);
    for (size_t i = 0; i < a->plan.count; i++) {
        struct rotation_key *key = &a->plan.keys[i];
        if (key->change != ROTATION_INSERT)
            continue;
        struct spare *spare = find_spare(a->keys, key->alg, made_since);
        if (spare == NULL)
            return false;
        spare->taken = true;
        key->kid = spare->kid;
    }
    return true;
}

static const char *public_jwk_of(const struct keys *keys, const char *kid)
{
    for (size_t i = 0; i < keys->spare_count; i++)
        if (strcmp(keys->spares[i].kid, kid) == 0)
            return keys->spares[i].public_jwk;
    return NULL;
}

static enum op_err write_key(struct kv_txn *txn, struct application *a, size_t i)
{
    const struct rotation_key *key = &a->plan.keys[i];
    if (key->change == ROTATION_KEEP)
        return OP_OK;
    if (key->change == ROTATION_DELETE)
        return signing_keys_delete(txn, key->kid);
    Rec__SigningKey *record = stored_record(a->scratch, i < a->stored.count ? a->stored.records[i] : NULL, key);
    if (key->change == ROTATION_INSERT)
        record->jwk = mem_strdup(a->scratch, public_jwk_of(a->keys, key->kid));
    return signing_keys_put(txn, record);
}

static enum op_err apply(struct kv_txn *txn, void *arg)
{
    struct application *a = arg;
    talloc_free(a->scratch);
    a->scratch = talloc_new(a->ctx);
    int64_t wished_at, now = kv_now(txn);
    enum op_err err = stored_wish(txn, a->scratch, &a->wish, &wished_at);
    if (err == OP_OK)
        err = stored_load(txn, a->scratch, &a->stored);
    if (err != OP_OK)
        return err;
    a->plan = rotation_decide(a->scratch, a->stored.keys, a->stored.count, a->wish, now, a->keys->rules);
    if (!hand_out_spares(a, spares_since(a->wish, wished_at, now)))
        return OP_MISMATCH; /* it is no longer what was looked at */
    for (size_t i = 0; i < a->plan.count && err == OP_OK; i++)
        err = write_key(txn, a, i);
    Rec__RotationWish *wish;
    if (err == OP_OK && a->wish != ROTATION_NO_WISH)
        err = rotation_wish_take(txn, a->scratch, &wish);
    return err;
}

static enum audit_event event_of(const struct rotation_key *key)
{
    if (key->change == ROTATION_DELETE)
        return AUDIT_KEY_DELETED;
    if (key->change == ROTATION_INSERT)
        return AUDIT_KEY_MADE;
    return key->state == ROTATION_RETIRED ? AUDIT_KEY_RETIRED : AUDIT_KEY_ROTATED;
}

static void note_changes(const struct application *a)
{
    static const char *const wishes[] = {"schedule", "asked", "leaked"};
    for (size_t i = 0; i < a->plan.count; i++) {
        const struct rotation_key *key = &a->plan.keys[i];
        metrics_count("partita_key_changes_total", key->change != ROTATION_KEEP);
        if (key->change == ROTATION_KEEP || (key->change == ROTATION_UPDATE && key->state == ROTATION_NEXT))
            continue; /* its turn comes at another time */
        const char *changed = mem_printf(a->ctx, "alg=%s state=%s", jose_alg_name(key->alg),
                                         key->change == ROTATION_DELETE ? "deleted" : stored_state_name(key->state));
        audit_write(event_of(key), NULL, &(struct audit_facts){
            .object = key->kid, .changed = changed, .reason = wishes[a->wish]});
    }
}

/* Private halves of keys that were deleted before their time go at once. */
static void remove_deleted(const struct application *a)
{
    struct forget *forget = forget_new();
    for (size_t i = 0; i < a->plan.count; i++)
        if (a->plan.keys[i].change == ROTATION_DELETE && a->plan.keys[i].signs)
            forget_add(forget, a->plan.keys[i].kid);
    forget_run(forget, a->keys->kv);
}

static void applied(enum op_err result, void *arg)
{
    struct application *a = arg;
    struct keys *keys = a->keys;
    if (result == OP_OK) {
        note_changes(a);
        remove_deleted(a);
        forget_taken(keys);
        finish(keys, 0);
    } else if (result == OP_MISMATCH) {
        release_spares(keys);
        finish(keys, 0);
    } else {
        release_spares(keys);
        failed(keys, "writing jwks", result);
    }
    talloc_free(a->ctx);
}

static void start_apply(struct keys *keys)
{
    void *ctx = mem_root("application");
    struct application *a = mem_new(ctx, struct application);
    a->keys = keys;
    a->ctx = ctx;
    kv_run(keys->kv, KV_JWKS, apply, applied, a);
}

/* --- new private halves: made on a thread, stored in keys --- */

struct storing {
    struct keys *keys;
    void *ctx;
    Rec__PrivateKey **records;
    struct spare *spares;
    size_t count;
};

static enum op_err store_private(struct kv_txn *txn, void *arg)
{
    const struct storing *storing = arg;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < storing->count && err == OP_OK; i++)
        err = private_keys_insert(txn, storing->records[i]);
    return err;
}

static void private_stored(enum op_err result, void *arg)
{
    struct storing *storing = arg;
    struct keys *keys = storing->keys;
    if (result != OP_OK) {
        failed(keys, "writing keys", result);
        talloc_free(storing->ctx);
        return;
    }
    keys->spares = mem_grow(keys, keys->spares, struct spare, keys->spare_count + storing->count);
    for (size_t i = 0; i < storing->count; i++) {
        struct spare *spare = &keys->spares[keys->spare_count++];
        *spare = storing->spares[i];
        spare->kid = mem_strdup(keys, storing->spares[i].kid);
        spare->public_jwk = mem_strdup(keys, storing->spares[i].public_jwk);
    }
    talloc_free(storing->ctx);
    start_apply(keys);
}

static void add_generated(struct storing *storing, const struct generated_key *key, int64_t now)
{
    Rec__PrivateKey *record = records_new(storing->ctx, &rec__private_key__descriptor);
    struct bytes sealed = mem_bytes(storing->ctx, key->sealed);
    record->kid = mem_strdup(storing->ctx, key->kid);
    record->has_sealed = record->has_created_at = true;
    record->sealed = (ProtobufCBinaryData){.len = sealed.len, .data = mem_array(storing->ctx, uint8_t, sealed.len)};
    memcpy(record->sealed.data, sealed.data, sealed.len);
    record->created_at = now;
    storing->records[storing->count] = record;
    storing->spares[storing->count++] = (struct spare){
        .kid = record->kid, .alg = key->alg, .public_jwk = mem_strdup(storing->ctx, key->public_jwk),
        .created_at = now};
}

static void generated(const struct generated_key *made, size_t count, void *arg)
{
    struct keys *keys = arg;
    keys->job = NULL;
    if (count == 0) {
        failed(keys, "making keys", OP_BROKEN);
        return;
    }
    void *ctx = mem_root("storing");
    struct storing *storing = mem_new(ctx, struct storing);
    *storing = (struct storing){.keys = keys, .ctx = ctx, .records = mem_array(ctx, Rec__PrivateKey *, count),
                                .spares = mem_array(ctx, struct spare, count)};
    int64_t now = clock_now();
    for (size_t i = 0; i < count; i++)
        add_generated(storing, &made[i], now);
    kv_run(keys->kv, KV_KEYS, store_private, private_stored, storing);
}

/* --- looking --- */

struct observation {
    struct keys *keys;
    void *ctx;
    struct stored_keys stored;
    enum rotation_wish wish;
    int64_t wished_at, now;
    Rec__PrivateKey **private;
    size_t private_count;
    enum op_err result;
};

static enum op_err observe(struct kv_txn *txn, void *arg)
{
    struct observation *o = arg;
    o->now = kv_now(txn);
    enum op_err err = stored_wish(txn, o->ctx, &o->wish, &o->wished_at);
    if (err == OP_OK)
        err = stored_load(txn, o->ctx, &o->stored);
    return err != OP_OK ? err : private_keys_list(txn, o->ctx, &o->private, &o->private_count);
}

static void observed(enum op_err result, void *arg)
{
    ((struct observation *)arg)->result = result;
}

static void remove_forgotten(const struct observation *o)
{
    struct forget *forget = forget_new();
    for (size_t i = 0; i < o->private_count; i++)
        if (is_forgotten(o->private[i], find_key(&o->stored, o->private[i]->kid), o->now))
            forget_add(forget, o->private[i]->kid);
    forget_run(forget, o->keys->kv);
}

/* The algorithms of the keys that the plan needs and no spare can be. */
static size_t missing(struct observation *o, const struct rotation_plan *plan, enum jose_alg algs[NEEDED_MAX])
{
    size_t count = 0;
    int64_t since = spares_since(o->wish, o->wished_at, o->now);
    release_spares(o->keys);
    for (size_t i = 0; i < plan->count && count < NEEDED_MAX; i++) {
        if (plan->keys[i].change != ROTATION_INSERT)
            continue;
        struct spare *spare = find_spare(o->keys, plan->keys[i].alg, since);
        if (spare != NULL)
            spare->taken = true;
        else
            algs[count++] = plan->keys[i].alg;
    }
    release_spares(o->keys);
    return count;
}

static void act_on(struct observation *o)
{
    struct keys *keys = o->keys;
    struct rotation_plan plan = rotation_decide(o->ctx, o->stored.keys, o->stored.count, o->wish, o->now, keys->rules);
    if (!plan.changes && o->wish == ROTATION_NO_WISH) {
        remove_forgotten(o);
        int64_t rest = plan.look_at - o->now;
        finish(keys, rest < LOOK_S ? rest : LOOK_S);
        return;
    }
    enum jose_alg algs[NEEDED_MAX];
    size_t count = missing(o, &plan, algs);
    if (count != 0)
        keys->job = generate_start(keys, keys->base, algs, count, keys->seal_key, generated, keys);
    else
        start_apply(keys);
}

static void look(struct keys *keys)
{
    if (keys->busy)
        return;
    keys->busy = true;
    struct observation o = {.keys = keys, .ctx = mem_root("observation")};
    kv_run(keys->kv, KV_READ_ONLY, observe, observed, &o);
    if (o.result == OP_OK)
        act_on(&o);
    else
        failed(keys, "reading keys and jwks", o.result);
    talloc_free(o.ctx);
}

static void on_bell(void *arg)
{
    look(arg);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct keys *keys = arg;
    if (clock_now() >= keys->look_at)
        look(keys);
}

/* --- start --- */

struct seal_check {
    struct keys *keys;
    const void *ctx;
    const char *why;
};

/* A wrong seal key would make new keys that nobody else can open. */
static enum op_err check_seal(struct kv_txn *txn, void *arg)
{
    struct seal_check *check = arg;
    struct stored_keys stored;
    void *scratch = talloc_new(check->ctx);
    enum op_err err = stored_load(txn, scratch, &stored);
    for (size_t i = 0; err == OP_OK && i < stored.count; i++) {
        Rec__PrivateKey *private;
        struct bytes plain;
        const char *kid = stored.keys[i].kid;
        if (stored.keys[i].state != ROTATION_CURRENT || private_keys_get(txn, scratch, kid, &private) != OP_OK)
            continue;
        err = digest_open(scratch, check->keys->seal_key, bytes_of(kid),
                          bytes_from(private->sealed.data, private->sealed.len), &plain);
        if (err != OP_OK)
            check->why = mem_printf(check->ctx, "the credential seal-key does not open the private signing key %s: "
                                                "it is not the key that sealed it", kid);
    }
    talloc_free(scratch);
    return err;
}

static int keys_destroy(struct keys *keys)
{
    if (keys->tick != NULL)
        event_free(keys->tick);
    return 0;
}

static void start_tick(struct keys *keys)
{
    struct timeval every = {.tv_sec = 1};
    keys->tick = event_new(keys->base, -1, EV_PERSIST, on_tick, keys);
    if (keys->tick == NULL || event_add(keys->tick, &every) != 0)
        abort(); /* out of memory */
}

enum op_err keys_start(const void *ctx, struct event_base *base, struct kv *kv, const uint8_t *seal_key,
                       const struct rotation_rules *rules, struct keys **ret, const char **ret_why)
{
    struct keys *keys = mem_new(ctx, struct keys);
    *keys = (struct keys){.base = base, .kv = kv, .rules = rules};
    keys->seal_key = mem_secret(mem_array(keys, uint8_t, DIGEST_KEY_LEN));
    memcpy(keys->seal_key, seal_key, DIGEST_KEY_LEN);
    struct seal_check check = {.keys = keys, .ctx = ctx};
    enum op_err err = kv_run_wait(kv, KV_READ_ONLY, check_seal, &check);
    if (err == OP_OK)
        err = kv_watch(kv, KV_JWKS, on_bell, keys);
    if (err != OP_OK) {
        if (check.why == NULL)
            check.why = mem_printf(ctx, "the environment jwks cannot be read or watched: %s", op_err_name(err));
        *ret_why = check.why;
        talloc_free(keys);
        return err;
    }
    talloc_set_destructor(keys, keys_destroy);
    start_tick(keys);
    look(keys);
    *ret = keys;
    return OP_OK;
}
