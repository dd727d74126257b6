#include "backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "base/clock.h"
#include "copy.h"
#include "manifest.h"
#include "protocol/family.h"
#include "runtime/alive.h"
#include "runtime/settings.h"
#include "store/catalogue.h"
#include "store/families.h"
#include "store/kv_tools.h"

enum { FAMILIES_AT_ONCE = 256 };

/* The order in which environments are looked at, the reverse of that in which servers write them (ARCHITECTURE.md,
 * "Backup"): what leans on another comes first, so that all it leans on, written before it, is in the later one; and
 * what takes power away, written first, is in the copy whenever its consequences are. */
static const enum kv_env ORDER[] = {KV_TOKENS,  KV_SESSIONS, KV_CREDENTIALS, KV_USERS,
                                    KV_CLIENTS, KV_OUTBOX,   KV_JWKS,        KV_KEYS};
enum { ORDER_COUNT = sizeof ORDER / sizeof *ORDER };

struct backup {
    const struct app *app;
    char *dir, *partial; /* partial becomes dir when it is whole */
    int lock;
    struct manifest manifest;
    enum op_err err; /* of what the work did */
    const char *why;
};

/* --- the directory --- */

static void remove_files(const struct backup *backup)
{
    const void *ctx = backup->app->ctx;
    for (unsigned e = 0; e < KV_ENV_COUNT; e++)
        unlink(manifest_file_path(ctx, backup->partial, (enum kv_env)e));
    unlink(manifest_path(ctx, backup->partial));
}

/* Nobody else's, locked for as long as this process lives, and empty: one that was killed may have left it. */
static int make_partial(struct backup *backup)
{
    struct stat status;
    if (lstat(backup->dir, &status) == 0)
        return app_fail("%s is there already: a backup overwrites nothing, name another directory", backup->dir);
    if (mkdir(backup->partial, 0700) != 0 && errno != EEXIST)
        return app_fail("%s cannot be made: %s", backup->partial, strerror(errno));
    backup->lock = open(backup->partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (backup->lock < 0 || fstat(backup->lock, &status) != 0)
        return app_fail("%s cannot be opened: %s", backup->partial, strerror(errno));
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        return app_fail("%s is there and open to others: remove it", backup->partial);
    if (flock(backup->lock, LOCK_EX | LOCK_NB) != 0)
        return app_fail("another backup is being written to %s", backup->partial);
    remove_files(backup);
    return APP_OK;
}

/* --- what is copied --- */

struct family_count {
    struct kv_txn *txn;
    uint64_t alive;
    enum op_err err;
};

static enum op_err count_alive(struct family_count *count, const Rec__Family *family)
{
    struct family_facts facts;
    if (family->needs > RECORDS_FORMAT || family->grant == NULL || family->dead)
        return OP_OK;
    void *scratch = mem_root("count_alive");
    enum op_err err = alive_load(count->txn, scratch, family->grant, family, family->offline, &facts);
    count->alive += err == OP_OK && family_alive(&facts) == FAMILY_ALIVE;
    talloc_free(scratch);
    return err == OP_DENIED || err == OP_BROKEN ? OP_OK : err; /* what cannot be read gives nobody anything */
}

static enum op_err count_families(struct kv_txn *txn, uint64_t *ret)
{
    struct family_count count = {.txn = txn};
    struct bytes after = bytes_of(NULL);
    void *page = mem_root("count_families");
    size_t got;
    enum op_err err;
    do {
        void *next = mem_root("count_families");
        Rec__Family **families;
        got = 0;
        err = families_list(txn, next, after, FAMILIES_AT_ONCE, &families, &got);
        for (size_t i = 0; i < got && err == OP_OK; i++)
            err = count_alive(&count, families[i]);
        if (got > 0)
            after = bytes_from(families[got - 1]->family_id.data, families[got - 1]->family_id.len);
        talloc_free(page);
        page = next;
    } while (err == OP_OK && got == FAMILIES_AT_ONCE);
    talloc_free(page);
    *ret = count.alive;
    return err;
}

static bool count_each(struct bytes key, struct bytes value, void *arg)
{
    (void)key, (void)value;
    ++*(int64_t *)arg;
    return true;
}

static enum op_err count_records(struct kv_txn *txn, enum kv_env env, json_t *counts)
{
    enum op_err err = OP_OK;
    for (size_t i = 0; i < CATALOGUE_COUNT && err == OP_OK; i++) {
        int64_t count = 0;
        if (CATALOGUE[i].table->env != env || catalogue_is_index(&CATALOGUE[i]))
            continue;
        err = kv_scan(txn, CATALOGUE[i].table, bytes_of(NULL), bytes_of(NULL), SIZE_MAX, count_each, &count);
        json_set_int(counts, CATALOGUE[i].table->name, count);
    }
    return err;
}

/* One transaction that only reads. First it takes the environments, microseconds apart; what is written from then on is
 * not seen, however long the copying takes. */
static enum op_err copy_all(struct kv_txn *txn, void *arg)
{
    struct backup *backup = arg;
    const void *ctx = backup->app->ctx;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < ORDER_COUNT; i++)
        kv_snapshot(txn, ORDER[i]);
    for (size_t i = 0; i < ORDER_COUNT && err == OP_OK; i++) {
        struct manifest_file *file = &backup->manifest.files[ORDER[i]];
        file->records = json_make_object(ctx);
        err = kv_copy(txn, ORDER[i], manifest_file_path(ctx, backup->partial, ORDER[i]), file->map_size, ctx,
                      &backup->why);
        if (err == OP_OK)
            err = count_records(txn, ORDER[i], file->records);
    }
    return err == OP_OK ? count_families(txn, &backup->manifest.families_alive) : err;
}

/* --- the command --- */

static enum op_err measure(struct backup *backup)
{
    enum op_err err = OP_OK;
    for (size_t i = 0; i < ORDER_COUNT && err == OP_OK; i++) {
        struct kv_stats stats;
        err = kv_stats(backup->app->kv, ORDER[i], &stats);
        if (err == OP_OK)
            backup->manifest.files[ORDER[i]].map_size = stats.map_bytes;
    }
    return err;
}

static enum op_err digest_all(struct backup *backup)
{
    const void *ctx = backup->app->ctx;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < ORDER_COUNT && err == OP_OK; i++) {
        struct manifest_file *file = &backup->manifest.files[ORDER[i]];
        err = copy_file(ctx, manifest_file_path(ctx, backup->partial, ORDER[i]), NULL, &file->bytes, &file->sha256,
                        &backup->why);
    }
    return err;
}

static const char *time_text(const void *ctx, int64_t seconds)
{
    const char *text = "";
    json_t *object = json_make_object(ctx);
    json_set_time(object, "time", seconds);
    return json_get_string(object, "time", &text) == OP_OK ? text : "";
}

static int write_backup(struct backup *backup)
{
    const void *ctx = backup->app->ctx;
    const char **why = &backup->why;
    backup->manifest.issuer = settings.issuer;
    backup->manifest.version = PARTITA_VERSION;
    backup->manifest.taken_at = time_text(ctx, clock_now());
    enum op_err err = measure(backup);
    if (err == OP_OK)
        err = app_read(backup->app, copy_all, backup);
    if (err == OP_OK)
        err = digest_all(backup);
    if (err == OP_OK)
        err = manifest_write(ctx, backup->partial, &backup->manifest, why);
    if (err == OP_OK)
        err = copy_sync_dir(ctx, backup->partial, why);
    if (err != OP_OK)
        return *why == NULL ? app_fail_store(err, "an environment")
                            : app_fail("%s; nothing of the backup is kept", *why);
    if (rename(backup->partial, backup->dir) != 0)
        return app_fail("%s cannot be renamed to %s: %s", backup->partial, backup->dir, strerror(errno));
    err = copy_sync_dir(ctx, copy_parent(ctx, backup->dir), why);
    return err == OP_OK ? APP_OK : app_fail("%s", *why);
}

static json_t *what_is_not_within(const void *ctx)
{
    json_t *names = json_make_array(ctx);
    json_append_string(names, "seal-key");
    json_append_string(names, "token-key");
    json_append_string(names, "form-key");
    return names;
}

static int say_backup(const struct backup *backup)
{
    const void *ctx = backup->app->ctx;
    json_t *object = manifest_json(ctx, &backup->manifest);
    json_set_string(object, "directory", backup->dir);
    json_set(object, "not_included", what_is_not_within(ctx));
    return app_say(backup->app, object,
                   "backup of %s in %s: %ju living families of refresh tokens\n"
                   "Not within: the credentials seal-key, token-key and form-key, and the configuration. Without "
                   "seal-key the signing keys in this backup are lost: keep a copy of it, as plain bytes, in another "
                   "place than this host and than the backups (docs/backup.md says how).",
                   settings.issuer, backup->dir, (uintmax_t)backup->manifest.families_alive);
}

static const struct kv_store STORES[] = {{KV_KEYS, false},  {KV_JWKS, false},        {KV_CLIENTS, false},
                                         {KV_USERS, false}, {KV_CREDENTIALS, false}, {KV_SESSIONS, false},
                                         {KV_TOKENS, false}, {KV_OUTBOX, false}};

static int run_verify(const struct app *app, const char *dir)
{
    struct manifest manifest;
    const char *why;
    if (manifest_read(app->ctx, dir, &manifest, &why) != OP_OK ||
        manifest_verify(app->ctx, dir, &manifest, &why) != OP_OK)
        return app_fail("%s", why);
    json_t *object = manifest_json(app->ctx, &manifest);
    json_set_string(object, "directory", dir);
    return app_say(app, object, "%s is whole: a backup of %s, taken %s by opctl %s, with %ju living families", dir,
                   manifest.issuer, manifest.taken_at, manifest.version, (uintmax_t)manifest.families_alive);
}

static int run_backup(struct app *app)
{
    struct backup backup = {.app = app, .lock = -1, .dir = copy_plain(app->ctx, app->line.arguments[0])};
    if (cli_has(&app->line, "verify"))
        return run_verify(app, backup.dir);
    backup.partial = mem_printf(app->ctx, "%s.partial", backup.dir);
    int status = app_open(app, STORES, sizeof STORES / sizeof *STORES, &app->kv);
    if (status == APP_OK)
        status = make_partial(&backup);
    if (status != APP_OK)
        return status;
    status = write_backup(&backup);
    if (status == APP_OK)
        return say_backup(&backup);
    remove_files(&backup);
    rmdir(backup.partial);
    return status;
}

static const struct cli_option OPTIONS[] = {
    {"verify", NULL, false, "write nothing, but hold the backup in DIR against its manifest", NULL},
};

const struct cli_command BACKUP_COMMANDS[] = {
    {"backup", NULL, CLI_ARGUMENTS("DIR", 1, 1), CLI_OPTIONS(OPTIONS), .needs_settings = true, .opens_older = true, .changes = "", .run = run_backup,
     .help = "Copy the durable environments, all as they are at one moment, to a new directory, while servers run. The "
             "credentials and the configuration are not within."},
    {0},
};
