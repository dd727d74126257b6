#include "jwks.h"

#include <stdlib.h>

#include "data/json.h"
#include "document.h"
#include "runtime/reply.h"
#include "stored.h"

static struct {
    const void *ctx;
    struct kv *kv;
    const struct rotation_rules *rules;
    struct document_life life;
    /* what was read last */
    void *loaded;        /* owns document; NULL until it has been read */
    struct document document;
    bool complete;       /* a current key of every algorithm */
    uint64_t seen;
    int64_t valid_until; /* a key leaves the published set then */
} served;

struct reading {
    void *ctx;
    bool moved; /* and the rest is filled */
    uint64_t seen;
    int64_t now;
    struct stored_keys stored;
    enum op_err result;
};

void jwks_setup(const void *ctx, struct kv *kv, const struct rotation_rules *rules, struct document_life life)
{
    served.ctx = ctx;
    served.kv = kv;
    served.rules = rules;
    served.life = life;
}

static enum op_err read_keys(struct kv_txn *txn, void *arg)
{
    struct reading *reading = arg;
    reading->seen = kv_snapshot(txn, KV_JWKS);
    reading->now = kv_now(txn);
    reading->moved = served.loaded == NULL || reading->seen != served.seen || reading->now >= served.valid_until;
    return reading->moved ? stored_load(txn, reading->ctx, &reading->stored) : OP_OK;
}

static void keep_result(enum op_err result, void *arg)
{
    ((struct reading *)arg)->result = result;
}

/* Adds the published keys of one state. */
static void append_keys(const struct reading *reading, json_t *keys, enum rotation_state state, int64_t *valid_until)
{
    for (size_t i = 0; i < reading->stored.count; i++) {
        const struct rotation_key *key = &reading->stored.keys[i];
        json_t *jwk;
        if (key->state != state || !rotation_is_published(key, reading->now) ||
            json_read(reading->ctx, bytes_of(reading->stored.records[i]->jwk), &jwk) != OP_OK)
            continue;
        if (json_array_append(keys, jwk) != 0)
            abort(); /* out of memory */
        if (state == ROTATION_RETIRED && key->unpublish_at < *valid_until)
            *valid_until = key->unpublish_at;
    }
}

static bool has_current(const struct stored_keys *stored, enum jose_alg alg)
{
    for (size_t i = 0; i < stored->count; i++)
        if (stored->keys[i].alg == alg && stored->keys[i].state == ROTATION_CURRENT)
            return true;
    return false;
}

static void load(const struct reading *reading)
{
    talloc_free(served.loaded);
    served.loaded = talloc_new(served.ctx);
    served.seen = reading->seen;
    served.valid_until = INT64_MAX;
    json_t *keys = json_make_array(reading->ctx), *set = json_make_object(reading->ctx);
    /* Clients that ignore kid try the first one first. */
    append_keys(reading, keys, ROTATION_CURRENT, &served.valid_until);
    append_keys(reading, keys, ROTATION_NEXT, &served.valid_until);
    append_keys(reading, keys, ROTATION_RETIRED, &served.valid_until);
    json_set(set, "keys", keys);
    served.document = document_make(served.loaded, json_text(served.loaded, set));
    served.complete = true;
    for (size_t i = 0; i < served.rules->alg_count; i++)
        served.complete = served.complete && has_current(&reading->stored, served.rules->algs[i]);
}

static enum op_err refresh(void)
{
    struct reading reading = {.ctx = mem_root("jwks")};
    kv_run(served.kv, KV_READ_ONLY, read_keys, keep_result, &reading);
    if (reading.result == OP_OK && reading.moved)
        load(&reading);
    talloc_free(reading.ctx);
    return reading.result;
}

static const char NO_KEYS[] = "there are no signing keys yet";

/* An empty set would be cached by clients. */
static void refuse(struct http_request *req)
{
    json_t *body = json_make_object(req);
    req->error = "temporarily_unavailable";
    json_set_string(body, "error", req->error);
    json_set_string(body, "error_description", NO_KEYS);
    http_set_field(req, "Retry-After", "1");
    reply_json(req, 503, body);
}

void jwks_handle(struct http_request *req)
{
    enum op_err err = refresh();
    if (err != OP_OK)
        reply_store_error(req, err);
    else if (!served.complete)
        refuse(req);
    else
        document_reply(req, &served.document, served.life);
}

const char *jwks_not_ready(void)
{
    if (refresh() != OP_OK)
        return "the environment jwks cannot be read";
    return served.complete ? NULL : NO_KEYS;
}
