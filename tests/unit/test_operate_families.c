#include "rows.h"
#include "store_script.h"

#include "operator/operate_families.h"
#include "store/families.h"

enum { FAMILIES = 600, FAR = 30 * 86400 }; /* more than are read at once */

/* Every third is of client b, every second of alice, the first is dead; every fifth needs a newer version. */
static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    for (int i = 0; i < FAMILIES; i++) {
        uint8_t id[FAMILY_ID_LEN] = {(uint8_t)(i / 256), (uint8_t)(i % 256)};
        Rec__Family *family = records_new(script->ctx, &rec__family__descriptor);
        family->has_family_id = true;
        family->family_id = script_bytes(family, id, sizeof id);
        family->grant = records_new(family, &rec__grant__descriptor);
        family->grant->user_id = mem_strdup(family, i % 2 == 0 ? "alice" : "bob");
        family->grant->client_id = mem_strdup(family, i % 3 == 0 ? "b" : "a");
        family->has_needs = i % 5 == 0;
        family->needs = family->has_needs ? RECORDS_FORMAT + 1 : 0;
        family->has_idle_expires_at = family->has_expires_at = true;
        family->idle_expires_at = kv_now(txn) + (i == 1 ? -1 : FAR);
        family->expires_at = kv_now(txn) + FAR;
        CHECK(families_insert(txn, family) == OP_OK);
        if (i == 0)
            CHECK(families_kill(txn, bytes_from(id, sizeof id), "test") == OP_OK);
    }
    return OP_OK;
}

/* How many entries going through in parts of `limit` shows. */
static size_t count_all(struct kv_txn *txn, const void *ctx, const char *user_id, const char *client_id, size_t limit)
{
    const struct operate_families_filter filter = {user_id, client_id};
    struct listing part = {NULL, NULL};
    size_t count = 0, parts = 0;
    do {
        if (operate_families_list(txn, ctx, &filter, part.next, limit, &part) != OP_OK || ++parts > FAMILIES + 1 ||
            json_array_size(part.items) > limit)
            return 0;
        count += json_array_size(part.items);
    } while (part.next != NULL);
    return count;
}

static const char *state_of(struct kv_txn *txn, const void *ctx, const char *family)
{
    json_t *shown;
    return operate_families_show(txn, ctx, family, &shown) != OP_OK
               ? "" : json_string_value(json_object_get(shown, "state"));
}

static enum op_err list(struct kv_txn *txn, void *arg)
{
    static const size_t limits[] = {1, 7, 255, 256, 257, FAMILIES, FAMILIES + 1};
    struct script *script = arg;
    struct listing part;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        CHECK(count_all(txn, script->ctx, NULL, NULL, limits[i]) == FAMILIES);
        CHECK(count_all(txn, script->ctx, "alice", NULL, limits[i]) == FAMILIES / 2);
        CHECK(count_all(txn, script->ctx, NULL, "b", limits[i]) == FAMILIES / 3);
        CHECK(count_all(txn, script->ctx, "bob", "b", limits[i]) == FAMILIES / 6);
    }
    CHECK(count_all(txn, script->ctx, "carol", NULL, 10) == 0 && count_all(txn, script->ctx, NULL, "c", 10) == 0);
    CHECK(operate_families_list(txn, script->ctx, &(struct operate_families_filter){0}, "short", 10, &part) == OP_INVALID);
    return OP_OK;
}

static enum op_err revoke_some(struct kv_txn *txn, void *arg)
{
    static const char ONE[] = "AAEAAAAAAAAAAAAAAAAAAA", TWO[] = "AAIAAAAAAAAAAAAAAAAAAA", GONE[] = "_____________________w";
    struct script *script = arg;
    const struct operate_families_filter bobs = {.user_id = "bob"}, clients = {.client_id = "b"};
    const char *next;
    json_t *revoked, *shown;
    CHECK(strcmp(state_of(txn, script->ctx, ONE), "expired") == 0);
    CHECK(strcmp(state_of(txn, script->ctx, TWO), "alive") == 0);
    CHECK(operate_families_show(txn, script->ctx, GONE, &shown) == OP_ABSENT);
    CHECK(operate_families_revoke(txn, script->ctx, GONE) == OP_OK);
    CHECK(strcmp(state_of(txn, script->ctx, GONE), "dead") == 0); /* an access token may name it */
    CHECK(operate_families_revoke(txn, script->ctx, "short") == OP_INVALID);
    CHECK(operate_families_revoke_all(txn, script->ctx, &bobs, "gone", NULL, &revoked, &next) == OP_OK);
    CHECK(next == NULL && json_array_size(revoked) == FAMILIES / 2);
    CHECK(strcmp(state_of(txn, script->ctx, ONE), "dead") == 0 && strcmp(state_of(txn, script->ctx, TWO), "alive") == 0);
    CHECK(operate_families_revoke_all(txn, script->ctx, &bobs, "gone", NULL, &revoked, &next) == OP_OK);
    CHECK(json_array_size(revoked) == 0);
    CHECK(operate_families_revoke_all(txn, script->ctx, &clients, "gone", NULL, &revoked, &next) == OP_OK);
    CHECK(json_array_size(revoked) == FAMILIES / 6 - 1); /* of alice; one was dead from the start */
    return OP_OK;
}

/* One that a newer version must read is listed and revoked with those of its client, once. */
static enum op_err revoke_newer(struct kv_txn *txn, void *arg)
{
    static const uint8_t ids[2][FAMILY_ID_LEN] = {{255, 1}, {255, 2}};
    struct script *script = arg;
    const struct operate_families_filter of_c = {.client_id = "c"};
    const char *next;
    json_t *revoked;
    const struct operate_families_filter any = {0};
    for (size_t i = 0; i < 2; i++) {
        Rec__Family *family = records_new(script->ctx, &rec__family__descriptor);
        family->has_needs = family->has_family_id = true;
        family->needs = RECORDS_FORMAT + 1;
        family->family_id = script_bytes(family, ids[i], FAMILY_ID_LEN);
        family->grant = records_new(family, &rec__grant__descriptor);
        family->grant->client_id = mem_strdup(family, i == 0 ? "c" : "d");
        CHECK(families_insert(txn, family) == OP_OK);
    }
    CHECK(count_all(txn, script->ctx, NULL, "c", 100) == 1);
    CHECK(operate_families_revoke_all(txn, script->ctx, &of_c, "gone", NULL, &revoked, &next) == OP_OK);
    CHECK(json_array_size(revoked) == 1 && strcmp(state_of(txn, script->ctx, "_wEAAAAAAAAAAAAAAAAAAA"), "dead") == 0);
    CHECK(operate_families_revoke_all(txn, script->ctx, &of_c, "gone", NULL, &revoked, &next) == OP_OK);
    CHECK(json_array_size(revoked) == 0); /* it is dead, and d's is not c's */
    CHECK(operate_families_revoke_all(txn, script->ctx, &any, "gone", NULL, &revoked, &next) == OP_OK);
    CHECK(json_array_size(revoked) > 0);
    CHECK(operate_families_revoke_all(txn, script->ctx, &any, "gone", NULL, &revoked, &next) == OP_OK);
    CHECK(json_array_size(revoked) == 0);
    return OP_OK;
}

/* What the servers go by is what is shown. */
static void ends_are_those_of_today(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static uint8_t id[FAMILY_ID_LEN] = {1};
    Rec__Client client = REC__CLIENT__INIT;
    Rec__Family family = REC__FAMILY__INIT;
    family.family_id = (ProtobufCBinaryData){sizeof id, id};
    family.has_idle_lifetime = true;
    family.idle_lifetime = 3600;
    family.created_at = family.last_used = 1000000000;
    family.idle_expires_at = family.last_used + 3600;
    family.expires_at = family.created_at + 86400;
    client.has_refresh_token_idle_lifetime = client.has_refresh_token_lifetime = true;
    client.refresh_token_idle_lifetime = 60;
    client.refresh_token_lifetime = 600;
    json_t *granted = operate_family_json(ctx, &family, NULL, family.last_used + 60);
    json_t *today = operate_family_json(ctx, &family, &client, family.last_used + 60);
    assert_string_equal(json_string_value(json_object_get(granted, "state")), "alive");
    assert_string_equal(json_string_value(json_object_get(granted, "idle_expires_at")), "2001-09-09T02:46:40Z");
    assert_string_equal(json_string_value(json_object_get(granted, "expires_at")), "2001-09-10T01:46:40Z");
    assert_string_equal(json_string_value(json_object_get(today, "state")), "expired");
    assert_string_equal(json_string_value(json_object_get(today, "idle_expires_at")), "2001-09-09T01:47:40Z");
    assert_string_equal(json_string_value(json_object_get(today, "expires_at")), "2001-09-09T01:56:40Z");
    assert_int_equal(json_integer_value(json_object_get(today, "idle_lifetime")), 3600);
    talloc_free(ctx);
}

static void families_are_listed_and_revoked(void **state)
{
    (void)state;
    static const struct kv_store stores[] = {{KV_TOKENS, true}, {KV_CLIENTS, false}};
    static kv_work *const works[] = {insert, list, revoke_some, revoke_newer};
    run_scripts(stores, COUNT(stores), works, COUNT(works));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_listed_and_revoked),
        cmocka_unit_test(ends_are_those_of_today),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
