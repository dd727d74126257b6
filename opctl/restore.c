#include "restore.h"

#include <string.h>
#include <unistd.h>

#include "app.h"
#include "copy.h"
#include "init.h"
#include "layout.h"
#include "manifest.h"
#include "place.h"
#include "revoke_all.h"
#include "runtime/settings.h"
#include "store/kv_tools.h"
#include "terminal.h"

struct restore {
    struct app *app;
    const char *from;
    bool unowned, revoke;
    struct manifest manifest;
    const char *configured; /* state_dir as it is configured */
    struct place place;
    uint64_t volatile_sizes[KV_ENV_COUNT]; /* of the maps as they are; 0: the default */
    int64_t revoked;
};

/* --- may it? --- */

static int check_backup(struct restore *restore)
{
    const struct app *app = restore->app;
    const char *why = NULL;
    if (manifest_read(app->ctx, restore->from, &restore->manifest, &why) != OP_OK ||
        manifest_verify(app->ctx, restore->from, &restore->manifest, &why) != OP_OK)
        return app_fail("%s", why);
    if (strcmp(restore->manifest.issuer, settings.issuer) != 0)
        return app_fail("%s is a backup of the issuer %s, but the configuration says %s", restore->from,
                        restore->manifest.issuer, settings.issuer);
    for (unsigned e = 0; e < KV_ENV_COUNT; e++)
        if (!restore->unowned && layout_check_groups(app->ctx, (enum kv_env)e, &why) != OP_OK)
            return app_fail("%s", why);
    return APP_OK;
}

/* Nobody has any environment open, and until this process ends nobody can open one. */
static int lock_out(const struct restore *restore)
{
    const void *ctx = restore->app->ctx;
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        const char *why;
        enum op_err err = kv_lock_out(ctx, layout_dir(ctx, (enum kv_env)e), &why);
        if (err == OP_BUSY)
            return app_fail("%s: stop every server, and whatever else uses it, before you restore", why);
        if (err != OP_OK && err != OP_ABSENT)
            return app_fail("%s", why);
    }
    return APP_OK;
}

/* What becomes of those who are signed in is for a person to say. */
static int choose(struct restore *restore)
{
    const struct app *app = restore->app;
    bool keep = cli_has(&app->line, "keep-families");
    char *answer;
    restore->revoke = cli_has(&app->line, "revoke-all");
    if (keep && restore->revoke)
        return app_usage(app, "--keep-families and --revoke-all are two ways");
    if (keep || restore->revoke)
        return APP_OK;
    uintmax_t alive = (uintmax_t)restore->manifest.families_alive;
    if (!isatty(STDIN_FILENO))
        return app_fail("%ju families of refresh tokens lived at the backup: say --keep-families to let them live, or "
                        "--revoke-all, and everybody signs in again", alive);
    const char *prompt = mem_printf(app->ctx, "%ju families of refresh tokens lived at the backup (%s). Whatever was "
                                    "revoked since lives again if you keep them.\nType keep or revoke: ",
                                    alive, restore->manifest.taken_at);
    if (terminal_answer(app->ctx, prompt, &answer) != OP_OK)
        return app_fail("no answer came: nothing was changed");
    restore->revoke = strcmp(answer, "revoke") == 0;
    if (!restore->revoke && strcmp(answer, "keep") != 0)
        return app_fail("the answer is keep or revoke: nothing was changed");
    return APP_OK;
}

/* --- the new state --- */

static enum op_err make_one(const struct restore *restore, enum kv_env env, const char **ret_why)
{
    const void *ctx = restore->app->ctx;
    const struct manifest_file *file = &restore->manifest.files[env];
    const char *from = manifest_file_path(ctx, restore->from, env), *dir = layout_dir(ctx, env), *sha256;
    uint64_t bytes;
    enum op_err err = layout_make_dir(ctx, env, restore->unowned, ret_why);
    if (err == OP_OK)
        err = copy_file(ctx, from, mem_printf(ctx, "%s/data.mdb", dir), &bytes, &sha256, ret_why);
    if (err == OP_OK) /* it may have changed since it was verified */
        err = manifest_compare(ctx, from, file, bytes, sha256, ret_why);
    if (err == OP_OK)
        err = kv_create(ctx, dir, env, file->map_size, ret_why);
    return err == OP_OK ? layout_set_files(ctx, env, restore->unowned, ret_why) : err;
}

/* Opens all of it, which also compares the issuers that the environments themselves name. */
static int finish_state(struct restore *restore)
{
    struct kv_store stores[KV_ENV_COUNT];
    size_t count = 0;
    struct app own = *restore->app;
    for (unsigned e = 0; e < KV_ENV_COUNT; e++)
        if (!kv_env_is_volatile((enum kv_env)e))
            stores[count++] = (struct kv_store){(enum kv_env)e, true};
    int status = app_open(restore->app, stores, count, &own.kv);
    if (status != APP_OK)
        return status;
    if (restore->revoke)
        status = revoke_all(&own, &restore->revoked);
    talloc_free(own.kv);
    return status;
}

static int make_state(struct restore *restore)
{
    const char *why = NULL;
    int status = APP_OK;
    settings.state_dir = restore->place.building;
    for (unsigned e = 0; e < KV_ENV_COUNT && status == APP_OK; e++)
        if (!kv_env_is_volatile((enum kv_env)e) && make_one(restore, (enum kv_env)e, &why) != OP_OK)
            status = app_fail("%s", why);
    if (status == APP_OK)
        status = finish_state(restore);
    if (status == APP_OK && copy_sync_dir(restore->app->ctx, restore->place.building, &why) != OP_OK)
        status = app_fail("%s", why);
    settings.state_dir = restore->configured;
    return status;
}

/* --- the volatile environments --- */

/* Before they are locked: this process, too, would wait for itself. */
static void note_volatile_sizes(struct restore *restore)
{
    const struct kv_config config = {.state_dir = settings.state_dir, .runtime_dir = settings.runtime_dir};
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        const struct kv_store store = {(enum kv_env)e, false};
        struct kv_stats stats;
        struct kv *kv;
        const char *why;
        if (!kv_env_is_volatile(store.env) || kv_open(restore->app->ctx, &config, &store, 1, &kv, &why) != OP_OK)
            continue; /* whatever is wrong with it, it is made anew */
        if (kv_stats(kv, store.env, &stats) == OP_OK)
            restore->volatile_sizes[e] = stats.map_bytes;
        talloc_free(kv);
    }
}

/* What they hold belongs to the state that goes. */
static int make_volatile(const struct restore *restore)
{
    const void *ctx = restore->app->ctx;
    const char *configured = settings.runtime_dir, *why;
    const char *building = mem_printf(ctx, "%s/.restoring", configured);
    place_clear(ctx, building);
    settings.runtime_dir = building;
    int status = init_volatile(restore->app, restore->unowned, restore->volatile_sizes);
    settings.runtime_dir = configured;
    if (status == APP_OK && place_put_volatile(ctx, building, configured, &why) != OP_OK)
        status = app_fail("%s", why);
    if (status != APP_OK)
        place_clear(ctx, building);
    return status;
}

/* --- the command --- */

static int say_restored(const struct restore *restore, const char *aside)
{
    const struct app *app = restore->app;
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "state_dir", restore->configured);
    json_set_string(object, "taken_at", restore->manifest.taken_at);
    json_set_string(object, "moved_aside", aside);
    json_set_int(object, "families_alive", (int64_t)restore->manifest.families_alive);
    json_set_bool(object, "revoked_all", restore->revoke);
    json_set_int(object, "families_revoked", restore->revoked);
    return app_say(app, object, "restored %s as it was at %s: %ju families of refresh tokens lived then, %s%s%s\n"
                   "Now: opctl check; then start the servers.", restore->configured, restore->manifest.taken_at,
                   (uintmax_t)restore->manifest.families_alive,
                   restore->revoke ? "all are revoked and everybody signs in again" : "and live again",
                   aside == NULL ? "" : "\nWhat was there is kept in ", aside == NULL ? "" : aside);
}

static int make_and_switch(struct restore *restore, const char **ret_aside)
{
    const char *why = NULL;
    int status = make_state(restore);
    if (status == APP_OK)
        status = make_volatile(restore);
    if (status == APP_OK && place_switch(restore->app->ctx, &restore->place, ret_aside, &why) != OP_OK)
        status = app_fail("%s", why);
    return status;
}

static int run_restore(struct app *app)
{
    struct restore restore = {.app = app, .from = copy_plain(app->ctx, app->line.arguments[0]),
                              .unowned = cli_has(&app->line, "unowned"), .configured = settings.state_dir};
    const char *why = NULL, *aside = NULL;
    int status = check_backup(&restore);
    if (status == APP_OK)
        status = choose(&restore);
    if (status != APP_OK)
        return status;
    note_volatile_sizes(&restore);
    status = lock_out(&restore);
    if (status == APP_OK && place_begin(app->ctx, settings.state_dir, &restore.place, &why) != OP_OK)
        return app_fail("%s", why);
    if (status != APP_OK)
        return status;
    status = make_and_switch(&restore, &aside);
    if (status == APP_OK)
        return say_restored(&restore, aside);
    place_abandon(app->ctx, &restore.place);
    return status;
}

static const struct cli_option OPTIONS[] = {
    {"keep-families", NULL, false, "let the refresh tokens and sessions of the backup live", NULL},
    {"revoke-all", NULL, false, "revoke every token and session: everybody signs in again", NULL},
    {"unowned", NULL, false, "leave users and groups alone: an installation of one user, for tests", NULL},
};

const struct cli_command RESTORE_COMMANDS[] = {
    {"restore", NULL, CLI_ARGUMENTS("DIR", 1, 1), CLI_OPTIONS(OPTIONS), .needs_settings = true, .opens_older = true, .changes = "", .run = run_restore,
     .help = "Put a backup in the place of the state directory, which is kept beside it; the volatile environments are "
             "made anew. Refused while a server runs."},
    {0},
};
