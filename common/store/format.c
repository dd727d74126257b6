#include "store/format.h"

#include <string.h>

#include "store/migration.h"

uint32_t format_floor(const Rec__Environment *record)
{
    return record->needs == 0 ? 1 : record->needs;
}

bool format_has_migration(const Rec__Environment *record, uint32_t number)
{
    for (size_t i = 0; i < record->n_migrations; i++)
        if (record->migrations[i] == number)
            return true;
    return false;
}

const char *format_who_may(const void *ctx, const Rec__Environment *record)
{
    if (record->floor_set_by == NULL)
        return "a newer one";
    return mem_printf(ctx, "version %s or a newer one", record->floor_set_by);
}

const char *format_too_old(const void *ctx, const struct format_program *program, const char *dir,
                           const Rec__Environment *record)
{
    uint32_t floor = format_floor(record);
    if (floor <= program->format)
        return NULL;
    return mem_printf(ctx, "%s is for record format %u and newer, and version %s knows formats up to %u: install and start %s",
                      dir, floor, program->version, program->format, format_who_may(ctx, record));
}

const char *format_too_new(const void *ctx, const struct format_program *program, const char *dir, bool is_volatile,
                           const Rec__Environment *record)
{
    if (is_volatile)
        return NULL;
    for (uint32_t number = 1; number <= program->required; number++)
        if (!format_has_migration(record, number))
            return mem_printf(ctx, "%s lacks migration %u, without which version %s does not work: run opctl migrate "
                              "--apply, with opctl %s or a newer one", dir, number, program->version, program->version);
    if (format_floor(record) >= program->oldest)
        return NULL;
    return mem_printf(ctx, "%s may hold record format %u, and version %s reads %u and newer: run opctl migrate --apply "
                      "--raise-floor %u, with opctl %s or a newer one", dir, format_floor(record), program->version,
                      program->oldest, program->oldest, program->version);
}

static void add_number(Rec__Environment *record, uint32_t number)
{
    uint32_t *numbers = mem_array(record, uint32_t, record->n_migrations + 1);
    if (record->n_migrations > 0)
        memcpy(numbers, record->migrations, record->n_migrations * sizeof *numbers);
    numbers[record->n_migrations++] = number;
    record->migrations = numbers;
}

static void set_floor(Rec__Environment *record, uint32_t floor)
{
    record->has_needs = true;
    record->needs = floor;
    record->floor_set_by = mem_strdup(record, FORMAT_HERE.version);
}

void format_fill(Rec__Environment *record)
{
    if (FORMAT_HERE.oldest > 1)
        set_floor(record, FORMAT_HERE.oldest);
    for (size_t i = 0; i < MIGRATION_COUNT; i++)
        add_number(record, MIGRATIONS[i].number);
}

enum op_err format_raise_floor(struct kv_txn *txn, enum kv_env env, uint32_t floor)
{
    void *scratch = mem_root("format_raise_floor");
    Rec__Environment *record;
    enum op_err err = environment_get(txn, env, scratch, &record);
    if (err == OP_OK && format_floor(record) >= floor)
        err = OP_EXISTS;
    if (err == OP_OK) {
        set_floor(record, floor);
        err = environment_update(txn, env, record);
    }
    talloc_free(scratch);
    return err;
}

enum op_err format_add_migration(struct kv_txn *txn, enum kv_env env, uint32_t number)
{
    void *scratch = mem_root("format_add_migration");
    Rec__Environment *record;
    enum op_err err = environment_get(txn, env, scratch, &record);
    if (err == OP_OK && format_has_migration(record, number))
        err = OP_EXISTS;
    if (err == OP_OK) {
        add_number(record, number);
        err = environment_update(txn, env, record);
    }
    talloc_free(scratch);
    return err;
}
