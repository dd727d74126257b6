#include "store/migration.h"

#include <string.h>

enum { ENTRIES_AT_ONCE = 256 };

/* --- 1: indexes --- */

/* What expires, by when it does. */
static enum op_err survey_step(struct kv_txn *txn, struct migration_walk *walk)
{
    enum op_err err = kv_survey(txn, walk->env, ENTRIES_AT_ONCE, walk->write, &walk->survey);
    if (err != OP_OK)
        return err;
    walk->changed = walk->survey.unindexed + walk->survey.misindexed;
    walk->left = walk->survey.damaged;
    walk->survey_complete = walk->survey.position_len == 0;
    return OP_OK;
}

static bool is_of(const struct catalogue_row *row, enum kv_env env)
{
    return row->table->env == env && row->repository != NULL;
}

static void count_findings(struct migration_walk *walk)
{
    for (size_t i = 0; i < walk->inspection.finding_count; i++) {
        enum inspect_kind kind = walk->inspection.findings[i].kind;
        walk->changed += inspect_is_mended(kind);
        walk->left += inspect_is_wrong(kind) && !inspect_is_mended(kind);
    }
}

static enum op_err rebuild_indexes(struct kv_txn *txn, struct migration_walk *walk)
{
    if (!walk->survey_complete)
        return survey_step(txn, walk);
    while (walk->row < CATALOGUE_COUNT && !is_of(&CATALOGUE[walk->row], walk->env))
        walk->row++;
    walk->complete = walk->row == CATALOGUE_COUNT;
    if (walk->complete)
        return OP_OK;
    struct inspection *inspection = &walk->inspection;
    inspection->row = &CATALOGUE[walk->row];
    inspection->ctx = walk->ctx;
    inspection->repair = walk->write;
    enum op_err err = inspect_next(txn, ENTRIES_AT_ONCE, inspection);
    if (err != OP_OK)
        return err;
    count_findings(walk);
    if (!inspection->complete)
        return OP_OK;
    walk->seen += inspection->entries;
    walk->row++;
    *inspection = (struct inspection){0};
    return OP_OK;
}

/* --- all --- */

const struct migration MIGRATIONS[] = {
    {1, "every index is what the records say", 1, rebuild_indexes},
};
const size_t MIGRATION_COUNT = sizeof MIGRATIONS / sizeof *MIGRATIONS;

const char *migration_owner(enum kv_env env)
{
    static const char *const owners[KV_ENV_COUNT] = {
        [KV_KEYS] = "op-discovery", [KV_JWKS] = "op-discovery", [KV_CLIENTS] = "op-management",
        [KV_USERS] = "op-auth",     [KV_CREDENTIALS] = "op-auth", [KV_SESSIONS] = "op-auth",
        [KV_TOKENS] = "op-token",   [KV_OUTBOX] = "op-auth",    [KV_CODES] = "op-auth",
        [KV_ASYNC] = "op-auth",     [KV_GUARD] = "op-auth",     [KV_REMOTE] = "op-async",
    };
    return owners[env];
}

enum migration_state migration_state(const struct migration *migrations, size_t index, const Rec__Environment *record)
{
    if (format_has_migration(record, migrations[index].number))
        return MIGRATION_APPLIED;
    for (size_t i = 0; i <= index; i++)
        if (migrations[i].floor > format_floor(record) && !format_has_migration(record, migrations[i].number))
            return MIGRATION_WAITS;
    return MIGRATION_DUE;
}
