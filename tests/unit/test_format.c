/* The version contract of an environment: who may open it, and the lines for those who may not, word by word. */
#include "store_script.h"

#include "rows.h"
#include "store/migration.h"

static const struct row {
    const char *name;
    struct format_program program;
    bool is_volatile;
    uint32_t needs; /* of the record; 0: absent */
    const char *floor_set_by;
    uint32_t migrations[4]; /* 0 ends them */
    const char *old, *new;
} ROWS[] = {
    {"the present", {"0.2.0", 1, 1, 0}, false, 0, NULL, {0}, NULL, NULL},
    {"a newer one", {"0.3.0", 3, 1, 0}, false, 2, "0.2.0", {1}, NULL, NULL},
    {"at the floor", {"0.2.0", 2, 1, 0}, false, 2, "0.2.0", {1}, NULL, NULL},
    {"below the floor", {"0.1.1", 1, 1, 0}, false, 2, "0.2.0", {1},
     "/s/users is for record format 2 and newer, and version 0.1.1 knows formats up to 1: install and start version 0.2.0 "
     "or a newer one", NULL},
    {"below one that nobody signed", {"0.1.1", 1, 1, 0}, false, 7, NULL, {0},
     "/s/users is for record format 7 and newer, and version 0.1.1 knows formats up to 1: install and start a newer one",
     NULL},
    {"below the floor, volatile", {"0.1.1", 1, 1, 0}, true, 2, "0.2.0", {1},
     "/s/users is for record format 2 and newer, and version 0.1.1 knows formats up to 1: install and start version 0.2.0 "
     "or a newer one", NULL},
    {"a migration that it needs is there", {"0.3.0", 2, 1, 2}, false, 0, NULL, {1, 2}, NULL, NULL},
    {"and more than that", {"0.3.0", 2, 1, 1}, false, 0, NULL, {1, 2, 9}, NULL, NULL},
    {"in whichever order", {"0.3.0", 2, 1, 2}, false, 0, NULL, {2, 1}, NULL, NULL},
    {"lacks one", {"0.3.0", 2, 1, 2}, false, 0, NULL, {1}, NULL,
     "/s/users lacks migration 2, without which version 0.3.0 does not work: run opctl migrate --apply, with opctl 0.3.0 or "
     "a newer one"},
    {"lacks the first", {"0.3.0", 2, 1, 2}, false, 0, NULL, {2}, NULL,
     "/s/users lacks migration 1, without which version 0.3.0 does not work: run opctl migrate --apply, with opctl 0.3.0 or "
     "a newer one"},
    {"volatile ones lack nothing", {"0.3.0", 3, 3, 2}, true, 0, NULL, {0}, NULL, NULL},
    {"a format that it reads no more", {"0.4.0", 3, 2, 0}, false, 0, NULL, {1}, NULL,
     "/s/users may hold record format 1, and version 0.4.0 reads 2 and newer: run opctl migrate --apply --raise-floor 2, "
     "with opctl 0.4.0 or a newer one"},
    {"the lowest that it reads", {"0.4.0", 3, 2, 0}, false, 2, "0.3.0", {1}, NULL, NULL},
};

static void who_may_open_an_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct row *row = &ROWS[i];
        void *ctx = mem_root("test");
        Rec__Environment record = REC__ENVIRONMENT__INIT;
        uint32_t migrations[4];
        memcpy(migrations, row->migrations, sizeof migrations);
        record.has_needs = row->needs > 0;
        record.needs = row->needs;
        record.floor_set_by = row->floor_set_by == NULL ? NULL : mem_strdup(ctx, row->floor_set_by);
        record.migrations = migrations;
        while (record.n_migrations < 4 && migrations[record.n_migrations] != 0)
            record.n_migrations++;
        row_string(row->name, format_too_old(ctx, &row->program, "/s/users", &record), row->old);
        row_string(row->name, format_too_new(ctx, &row->program, "/s/users", row->is_volatile, &record), row->new);
        talloc_free(ctx);
    }
}

/* --- the record --- */

static enum op_err insert_old(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    static const char stored[] = "\x12\x01i\xca\x0c\x06" "future"; /* issuer "i"; field 201, which nobody knows */
    Rec__Environment *record;
    struct bytes in = bytes_from(stored, sizeof stored - 1);
    CHECK(records_unpack(script->ctx, &rec__environment__descriptor, in, &record) == OP_OK);
    return environment_insert(txn, KV_USERS, record);
}

static enum op_err get(struct kv_txn *txn, struct script *script, Rec__Environment **ret)
{
    return environment_get_any(txn, KV_USERS, script->ctx, ret);
}

static enum op_err a_migration_is_noted_once(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Environment *record;
    CHECK(format_add_migration(txn, KV_USERS, 1) == OP_OK && format_add_migration(txn, KV_USERS, 4) == OP_OK);
    CHECK(format_add_migration(txn, KV_USERS, 1) == OP_EXISTS);
    CHECK(get(txn, script, &record) == OP_OK && record->n_migrations == 2);
    CHECK(format_has_migration(record, 1) && format_has_migration(record, 4) && !format_has_migration(record, 2));
    CHECK(record->base.n_unknown_fields == 1 && strcmp(record->issuer, "i") == 0 && format_floor(record) == 1);
    return OP_OK;
}

static enum op_err a_floor_is_never_lowered(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Environment *record;
    CHECK(format_raise_floor(txn, KV_USERS, 1) == OP_EXISTS);
    CHECK(get(txn, script, &record) == OP_OK && record->floor_set_by == NULL);
    CHECK(format_raise_floor(txn, KV_USERS, RECORDS_FORMAT + 1) == OP_OK);
    CHECK(get(txn, script, &record) == OP_OK && format_floor(record) == RECORDS_FORMAT + 1);
    CHECK(strcmp(record->floor_set_by, FORMAT_HERE.version) == 0);
    CHECK(record->n_migrations == 2 && record->base.n_unknown_fields == 1);
    /* what an older version meets: its environment_get is denied, whatever else it knows of the record */
    CHECK(environment_get(txn, KV_USERS, script->ctx, &record) == OP_DENIED);
    CHECK(format_raise_floor(txn, KV_USERS, 9) == OP_DENIED && format_add_migration(txn, KV_USERS, 5) == OP_DENIED);
    return OP_OK;
}

static void the_record_keeps_what_was_done(void **state)
{
    (void)state;
    RUN(KV_USERS, insert_old, a_migration_is_noted_once, a_floor_is_never_lowered);
}

static void a_new_environment_lacks_nothing(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    Rec__Environment *record = records_new(ctx, &rec__environment__descriptor);
    format_fill(record);
    assert_int_equal(record->n_migrations, MIGRATION_COUNT);
    assert_null(format_too_old(ctx, &FORMAT_HERE, "", record));
    assert_null(format_too_new(ctx, &FORMAT_HERE, "", false, record));
    assert_int_equal(format_floor(record), RECORDS_OLDEST); /* the version before may start beside this one */
    talloc_free(ctx);
}

/* --- migrations --- */

static void numbers_have_no_gaps_and_every_environment_an_owner(void **state)
{
    (void)state;
    for (size_t i = 0; i < MIGRATION_COUNT; i++) {
        assert_int_equal(MIGRATIONS[i].number, i + 1);
        assert_in_range(MIGRATIONS[i].floor, 1, RECORDS_FORMAT);
    }
    assert_true(FORMAT_HERE.required <= MIGRATION_COUNT && FORMAT_HERE.oldest <= FORMAT_HERE.format);
    for (unsigned e = 0; e < KV_ENV_COUNT; e++)
        assert_non_null(migration_owner((enum kv_env)e));
}

static void a_migration_waits_for_its_floor_and_its_turn(void **state)
{
    (void)state;
    static const struct migration migrations[] = {{1, "", 1, NULL}, {2, "", 3, NULL}, {3, "", 1, NULL}};
    static const struct {
        const char *name;
        uint32_t floor, applied[3];
        enum migration_state states[3];
    } rows[] = {
        {"nothing yet", 1, {0}, {MIGRATION_DUE, MIGRATION_WAITS, MIGRATION_WAITS}},
        {"the first", 1, {1}, {MIGRATION_APPLIED, MIGRATION_WAITS, MIGRATION_WAITS}},
        {"below", 2, {1}, {MIGRATION_APPLIED, MIGRATION_WAITS, MIGRATION_WAITS}},
        {"at the floor", 3, {1}, {MIGRATION_APPLIED, MIGRATION_DUE, MIGRATION_DUE}},
        {"above", 4, {1, 2}, {MIGRATION_APPLIED, MIGRATION_APPLIED, MIGRATION_DUE}},
        {"all", 3, {1, 2, 3}, {MIGRATION_APPLIED, MIGRATION_APPLIED, MIGRATION_APPLIED}},
        {"a new environment", 1, {1, 2, 3}, {MIGRATION_APPLIED, MIGRATION_APPLIED, MIGRATION_APPLIED}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Rec__Environment record = REC__ENVIRONMENT__INIT;
        uint32_t applied[3];
        memcpy(applied, rows[i].applied, sizeof applied);
        record.needs = rows[i].floor;
        record.migrations = applied;
        while (record.n_migrations < 3 && applied[record.n_migrations] != 0)
            record.n_migrations++;
        for (size_t m = 0; m < 3; m++)
            row_equal(rows[i].name, migration_state(migrations, m, &record), rows[i].states[m]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_open_an_environment),
        cmocka_unit_test(the_record_keeps_what_was_done),
        cmocka_unit_test(a_new_environment_lacks_nothing),
        cmocka_unit_test(numbers_have_no_gaps_and_every_environment_an_owner),
        cmocka_unit_test(a_migration_waits_for_its_floor_and_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
