#include "key.h"

#include <time.h>

#include "app.h"
#include "base/clock.h"
#include "operator/operate_keys.h"
#include "parts.h"
#include "store/keyring.h"

enum { WAIT_S = 60, WAIT_STEP_MS = 50 };

struct key_job {
    struct app *app;
    const char *kid;
    json_t *key;
    bool at_once;
};

static enum op_err list_part(struct kv_txn *txn, const void *ctx, const void *arg, const char *after, size_t limit,
                             struct listing *ret)
{
    (void)arg;
    return operate_keys_list(txn, ctx, after, limit, ret);
}

static int run_list(struct app *app)
{
    static const char *const columns[] = {
        "kid", "alg", "state", "created_at", "current_at", "retired_at", "unpublish_at", NULL};
    return parts_list(app, list_part, NULL, columns, "the list of keys");
}

static enum op_err show_key(struct kv_txn *txn, void *arg)
{
    struct key_job *job = arg;
    return operate_keys_show(txn, job->app->ctx, job->kid, &job->key);
}

static int run_show(struct app *app)
{
    struct key_job job = {.app = app, .kid = app->line.arguments[0]};
    enum op_err err = app_read(app, show_key, &job);
    if (err == OP_ABSENT)
        return app_fail("there is no key %s (opctl key list shows all)", job.kid);
    return err != OP_OK ? app_fail_store(err, mem_printf(app->ctx, "key %s", job.kid)) : app_show(app, job.key);
}

static enum op_err put_wish(struct kv_txn *txn, void *arg)
{
    const struct key_job *job = arg;
    Rec__RotationWish *wish;
    enum op_err err = rotation_wish_get(txn, job->app->ctx, &wish);
    if (err == OP_ABSENT || err == OP_BROKEN)
        wish = records_new(job->app->ctx, &rec__rotation_wish__descriptor);
    else if (err != OP_OK)
        return err;
    wish->has_wished_at = true;
    wish->wished_at = kv_now(txn);
    wish->has_at_once = true;
    wish->at_once = wish->at_once || job->at_once; /* one that waits may be more urgent */
    return rotation_wish_put(txn, wish);
}

static enum op_err look_for_wish(struct kv_txn *txn, void *arg)
{
    const struct key_job *job = arg;
    Rec__RotationWish *wish;
    return rotation_wish_get(txn, job->app->ctx, &wish);
}

/* op-discovery takes the wish with the change that it makes. */
static int wait_rotated(const struct app *app, struct key_job *job)
{
    const struct timespec pause = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    int64_t until = clock_monotonic_us() + WAIT_S * 1000000LL;
    enum op_err err;
    while ((err = app_read(app, look_for_wish, job)) == OP_OK && clock_monotonic_us() < until)
        nanosleep(&pause, NULL);
    if (err == OP_OK)
        return app_fail("op-discovery has not done it within %d s: does it run (opctl status)? It does it as soon as it can",
                        WAIT_S);
    return err == OP_ABSENT ? APP_OK : app_fail_store(err, "the wish to rotate");
}

static int run_rotate(struct app *app)
{
    struct key_job job = {.app = app, .at_once = cli_has(&app->line, "now")};
    bool wait = cli_has(&app->line, "wait");
    enum op_err err = app_write(app, KV_JWKS, put_wish, &job);
    if (err != OP_OK)
        return app_fail_store(err, "the wish to rotate");
    int status = wait ? wait_rotated(app, &job) : APP_OK;
    if (status != APP_OK)
        return status;
    json_t *object = json_make_object(app->ctx);
    json_set_bool(object, "wished", true);
    json_set_bool(object, "at_once", job.at_once);
    json_set_bool(object, "done", wait);
    if (wait)
        return app_say(app, object, "the signing keys are rotated%s",
                       job.at_once ? ": what the ones before signed is refused" : "");
    return app_say(app, object, "op-discovery is told to rotate the signing keys%s",
                   job.at_once ? " at once: what the present ones signed is refused from then on" : "");
}

static const struct cli_option ROTATE_OPTIONS[] = {
    {"now", NULL, false, "keys leaked: stop using and publishing all there are, at once", NULL},
    {"wait", NULL, false, "until op-discovery has done it", NULL},
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
