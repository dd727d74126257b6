/* What `opctl check` finds in a table, and what it mends. Users and their names stand for all. */
#include "store_script.h"

#include "data/digest.h"
#include "store/inspect.h"
#include "store/tables.h"
#include "store/users.h"

static enum op_err add_user(struct kv_txn *txn, struct script *script, const char *user_id, const char *name, uint32_t needs)
{
    Rec__User *user = records_new(script->ctx, &rec__user__descriptor);
    user->user_id = mem_strdup(script->ctx, user_id);
    user->username = mem_strdup(script->ctx, name);
    user->has_needs = needs > 0;
    user->needs = needs;
    return users_insert(txn, user);
}

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    CHECK(add_user(txn, script, "1", "alice", 0) == OP_OK);
    CHECK(add_user(txn, script, "2", "bob", 0) == OP_OK);
    CHECK(add_user(txn, script, "3", "carol", 0) == OP_OK);
    CHECK(add_user(txn, script, "9", "newer", RECORDS_FORMAT + 1) == OP_OK);
    return OP_OK;
}

static struct bytes name_key(const struct script *script, const char *name)
{
    return digest_sha256_of(script->ctx, name);
}

/* Counts per kind of both directions; limit 1 looks at one entry a call. */
static enum op_err look(struct kv_txn *txn, struct script *script, bool repair, unsigned counts[INSPECT_KIND_COUNT])
{
    memset(counts, 0, INSPECT_KIND_COUNT * sizeof *counts);
    for (size_t r = 0; r < CATALOGUE_COUNT; r++) {
        struct inspection inspection = {.row = &CATALOGUE[r], .ctx = script->ctx, .repair = repair};
        for (unsigned i = 0; i < 100 && CATALOGUE[r].table->env == KV_USERS && !inspection.complete; i++) {
            CHECK(inspect_next(txn, 1, &inspection) == OP_OK);
            for (size_t f = 0; f < inspection.finding_count; f++)
                counts[inspection.findings[f].kind]++;
        }
    }
    return OP_OK;
}

static bool are(const unsigned counts[INSPECT_KIND_COUNT], unsigned unreadable, unsigned missing, unsigned wrong,
                unsigned contested, unsigned stale)
{
    return counts[INSPECT_UNREADABLE] == unreadable && counts[INSPECT_MISSING] == missing &&
           counts[INSPECT_WRONG] == wrong && counts[INSPECT_CONTESTED] == contested && counts[INSPECT_STALE] == stale &&
           counts[INSPECT_NEWER] == 1;
}

static enum op_err is_whole(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    unsigned counts[INSPECT_KIND_COUNT];
    CHECK(look(txn, script, false, counts) == OP_OK);
    CHECK(are(counts, 0, 0, 0, 0, 0));
    return OP_OK;
}

static enum op_err a_lost_line_is_written_anew(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    unsigned counts[INSPECT_KIND_COUNT];
    Rec__User *user;
    CHECK(kv_delete(txn, &TABLE_USERNAMES, name_key(script, "alice")) == OP_OK);
    CHECK(users_find(txn, script->ctx, "alice", &user) == OP_ABSENT);
    CHECK(look(txn, script, false, counts) == OP_OK && are(counts, 0, 1, 0, 0, 0));
    CHECK(users_find(txn, script->ctx, "alice", &user) == OP_ABSENT); /* it only looked */
    CHECK(look(txn, script, true, counts) == OP_OK && are(counts, 0, 1, 0, 0, 0));
    CHECK(users_find(txn, script->ctx, "alice", &user) == OP_OK && strcmp(user->user_id, "1") == 0);
    return OP_OK;
}

static enum op_err a_line_that_leads_astray_is_corrected(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    unsigned counts[INSPECT_KIND_COUNT];
    Rec__User *user;
    CHECK(kv_put(txn, &TABLE_USERNAMES, name_key(script, "alice"), bytes_of("2"), 0) == OP_OK);
    CHECK(look(txn, script, true, counts) == OP_OK && are(counts, 0, 0, 1, 0, 0));
    CHECK(users_find(txn, script->ctx, "alice", &user) == OP_OK && strcmp(user->user_id, "1") == 0);
    CHECK(kv_put(txn, &TABLE_USERNAMES, name_key(script, "alice"), bytes_of("1"), kv_now(txn) + 60) == OP_OK);
    CHECK(look(txn, script, true, counts) == OP_OK && are(counts, 0, 0, 1, 0, 0));
    return OP_OK;
}

static enum op_err a_line_too_many_is_removed(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    unsigned counts[INSPECT_KIND_COUNT];
    CHECK(kv_put(txn, &TABLE_USERNAMES, name_key(script, "dave"), bytes_of("1"), 0) == OP_OK);  /* not his name */
    CHECK(kv_put(txn, &TABLE_USERNAMES, name_key(script, "erin"), bytes_of("77"), 0) == OP_OK); /* nobody's */
    CHECK(kv_put(txn, &TABLE_USERNAMES, name_key(script, "fred"), bytes_of(NULL), 0) == OP_OK);
    CHECK(kv_put(txn, &TABLE_USERNAMES, name_key(script, "other"), bytes_of("9"), 0) == OP_OK); /* a newer version knows */
    CHECK(look(txn, script, true, counts) == OP_OK && are(counts, 0, 0, 0, 0, 3));
    return kv_delete(txn, &TABLE_USERNAMES, name_key(script, "other"));
}

static enum op_err what_two_claim_is_left_to_the_operator(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    unsigned counts[INSPECT_KIND_COUNT];
    Rec__User *user;
    struct bytes record;
    CHECK(users_get(txn, script->ctx, "3", &user) == OP_OK);
    user->username = mem_strdup(script->ctx, "Alice");
    record = records_pack(script->ctx, user);
    CHECK(kv_put(txn, &TABLE_USERS, bytes_of("3"), record, 0) == OP_OK);
    CHECK(look(txn, script, true, counts) == OP_OK && are(counts, 0, 0, 0, 1, 1)); /* and carol is nobody's name now */
    CHECK(users_find(txn, script->ctx, "alice", &user) == OP_OK && strcmp(user->user_id, "1") == 0);
    return users_delete(txn, "3");
}

static enum op_err what_does_not_parse_is_left_too(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    unsigned counts[INSPECT_KIND_COUNT];
    char *id;
    CHECK(kv_put(txn, &TABLE_USERS, bytes_of("2"), bytes_of("\377\377"), 0) == OP_OK);
    CHECK(look(txn, script, true, counts) == OP_OK && are(counts, 1, 0, 0, 0, 0));
    CHECK(users_find_id(txn, script->ctx, "bob", &id) == OP_OK); /* to remove it */
    CHECK(strcmp(inspect_kind_name(INSPECT_UNREADABLE), "unreadable") == 0 && inspect_is_wrong(INSPECT_UNREADABLE));
    CHECK(!inspect_is_wrong(INSPECT_NEWER) && !inspect_is_mended(INSPECT_CONTESTED) && inspect_is_mended(INSPECT_STALE));
    return OP_OK;
}

static void indexes_are_held_against_their_records(void **state)
{
    (void)state;
    RUN(KV_USERS, insert, is_whole, a_lost_line_is_written_anew, is_whole, a_line_that_leads_astray_is_corrected, is_whole,
        a_line_too_many_is_removed, is_whole, what_two_claim_is_left_to_the_operator, is_whole,
        what_does_not_parse_is_left_too);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(indexes_are_held_against_their_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
