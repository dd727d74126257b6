#include "key.h"

#include <string.h>

#include "app.h"
#include "print.h"
#include "store/keyring.h"

struct key_job {
    struct app *app;
    const char *kid;
    Rec__SigningKey *key;
    Rec__SigningKey **keys;
    size_t count;
    bool at_once;
};

static json_t *key_json(const void *ctx, const Rec__SigningKey *key, bool with_jwk)
{
    json_t *object = json_make_object(ctx), *jwk;
    json_set_string(object, "kid", key->kid);
    json_set_string(object, "alg", key->alg);
    json_set_string(object, "state", key->state);
    json_set_time(object, "created_at", key->created_at);
    json_set_time(object, "current_at", key->current_at);
    json_set_time(object, "retired_at", key->retired_at);
    json_set_time(object, "unpublish_at", key->unpublish_at);
    json_set_time(object, "delete_at", key->delete_at);
    if (with_jwk && key->jwk != NULL && json_read(ctx, bytes_of(key->jwk), &jwk) == OP_OK)
        json_set(object, "jwk", jwk);
    return object;
}

static enum op_err list_keys(struct kv_txn *txn, void *arg)
{
    struct key_job *job = arg;
    return signing_keys_list(txn, job->app->ctx, &job->keys, &job->count);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {
        "kid", "alg", "state", "created_at", "current_at", "retired_at", "unpublish_at", NULL};
    struct key_job job = {.app = app};
    enum op_err err = app_read(app, list_keys, &job);
    if (err != OP_OK)
        return app_fail_store(err, "the list of keys");
    json_t *array = json_make_array(app->ctx);
    for (size_t i = 0; i < job.count; i++)
        json_array_append(array, key_json(app->ctx, job.keys[i], false));
    return app_list(app, array, columns);
}

static enum op_err get_key(struct kv_txn *txn, void *arg)
{
    struct key_job *job = arg;
    return signing_keys_get(txn, job->app->ctx, job->kid, &job->key);
}

static int run_show(struct app *app)
{
    struct key_job job = {.app = app, .kid = app->line.arguments[0]};
    enum op_err err = app_read(app, get_key, &job);
    if (err == OP_ABSENT)
        return app_fail("there is no key %s (opctl key list shows all)", job.kid);
    if (err != OP_OK)
        return app_fail_store(err, mem_printf(app->ctx, "key %s", job.kid));
    return app_show(app, key_json(app->ctx, job.key, true));
}

static enum op_err put_wish(struct kv_txn *txn, void *arg)
{
    const struct key_job *job = arg;
    Rec__RotationWish *wish = records_new(job->app->ctx, &rec__rotation_wish__descriptor);
    wish->has_wished_at = true;
    wish->wished_at = kv_now(txn);
    wish->has_at_once = true;
    wish->at_once = job->at_once;
    return rotation_wish_put(txn, wish);
}

static int run_rotate(struct app *app)
{
    struct key_job job = {.app = app, .at_once = cli_has(&app->line, "now")};
    enum op_err err = app_write(app, KV_JWKS, put_wish, &job);
    if (err != OP_OK)
        return app_fail_store(err, "the wish to rotate");
    json_t *object = json_make_object(app->ctx);
    json_set_bool(object, "wished", true);
    json_set_bool(object, "at_once", job.at_once);
    return app_say(app, object, "op-discovery is told to rotate the signing keys%s",
                   job.at_once ? " at once: what the present ones signed is refused from then on" : "");
}

static const struct cli_option ROTATE_OPTIONS[] = {
    {"now", NULL, false, "the present keys leaked: stop using and publishing them at once", NULL},
};
static const struct kv_store READ_STORES[] = {{KV_JWKS, false}};
static const struct kv_store WRITE_STORES[] = {{KV_JWKS, true}};

const struct cli_command KEY_COMMANDS[] = {
    {"key", "list", CLI_ARGUMENTS("", 0, 0), CLI_STORES(READ_STORES), .run = run_list,
     .help = "List the signing keys and where they stand: next, current, retired."},
    {"key", "show", CLI_ARGUMENTS("KID", 1, 1), CLI_STORES(READ_STORES), .run = run_show,
     .help = "Show a signing key with its public JWK."},
    {"key", "rotate", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(ROTATE_OPTIONS), CLI_STORES(WRITE_STORES), .run = run_rotate,
     .help = "Tell op-discovery to rotate the signing keys: the next ones, published long ago, sign from now on; the old ones stay published."},
    {0},
};
