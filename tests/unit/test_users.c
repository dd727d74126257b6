#include "store_script.h"

#include "data/digest.h"
#include "store/tables.h"
#include "store/users.h"

static Rec__User *make(const void *ctx, const char *user_id, const char *username)
{
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    user->user_id = mem_strdup(ctx, user_id);
    user->username = mem_strdup(ctx, username);
    return user;
}

static enum op_err insert_two(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    CHECK(users_insert(txn, make(script->ctx, "1", "Alice")) == OP_OK);
    CHECK(users_insert(txn, make(script->ctx, "2", "bob")) == OP_OK);
    return OP_OK;
}

static enum op_err names_are_found_whatever_their_case(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__User *user;
    CHECK(users_find(txn, script->ctx, "aLICE", &user) == OP_OK && strcmp(user->user_id, "1") == 0);
    CHECK(strcmp(user->username, "Alice") == 0 && user->version == 1);
    CHECK(users_get(txn, script->ctx, "2", &user) == OP_OK && strcmp(user->username, "bob") == 0);
    CHECK(users_find(txn, script->ctx, "carol", &user) == OP_ABSENT && users_get(txn, script->ctx, "3", &user) == OP_ABSENT);
    return OP_OK;
}

static enum op_err a_name_is_taken_once(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__User *user, **list;
    size_t count;
    CHECK(users_insert(txn, make(script->ctx, "3", "ALICE")) == OP_EXISTS);
    CHECK(users_insert(txn, make(script->ctx, "1", "carol")) == OP_EXISTS);
    CHECK(users_get(txn, script->ctx, "2", &user) == OP_OK);
    user->username = mem_strdup(script->ctx, "alice");
    CHECK(users_update(txn, user) == OP_EXISTS);
    CHECK(users_list(txn, script->ctx, NULL, 10, &list, &count) == OP_OK && count == 2);
    return OP_OK;
}

static enum op_err a_name_can_change(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__User *user, *stale;
    CHECK(users_get(txn, script->ctx, "1", &user) == OP_OK && users_get(txn, script->ctx, "1", &stale) == OP_OK);
    user->username = mem_strdup(script->ctx, "ALICE"); /* another case of its own */
    CHECK(users_update(txn, user) == OP_OK && user->version == 2);
    CHECK(users_update(txn, stale) == OP_MISMATCH);
    user->username = mem_strdup(script->ctx, "Carol");
    CHECK(users_update(txn, user) == OP_OK);
    CHECK(users_find(txn, script->ctx, "alice", &user) == OP_ABSENT);
    CHECK(users_find(txn, script->ctx, "carol", &user) == OP_OK && strcmp(user->user_id, "1") == 0);
    CHECK(users_insert(txn, make(script->ctx, "3", "alice")) == OP_OK);
    return OP_OK;
}

static enum op_err a_deleted_name_is_free(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__User *user;
    CHECK(users_delete(txn, "2") == OP_OK && users_delete(txn, "2") == OP_ABSENT);
    CHECK(users_find(txn, script->ctx, "bob", &user) == OP_ABSENT);
    CHECK(users_insert(txn, make(script->ctx, "4", "Bob")) == OP_OK);
    return OP_OK;
}

static void users_are_kept(void **state)
{
    (void)state;
    RUN(KV_USERS, insert_two, names_are_found_whatever_their_case);
}


static void a_name_is_one_persons(void **state)
{
    (void)state;
    RUN(KV_USERS, insert_two, a_name_is_taken_once, a_name_can_change, a_deleted_name_is_free);
}

static enum op_err insert_newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__User *user = make(script->ctx, "new", "dora");
    uint8_t name[DIGEST_SHA256_LEN];
    user->has_needs = true;
    user->needs = RECORDS_FORMAT + 1;
    CHECK(users_insert(txn, user) == OP_OK);
    digest_sha256(bytes_of("eve"), name);
    CHECK(kv_insert(txn, &TABLE_USERS, bytes_of("torn"), bytes_of("\xff\xff"), 0) == OP_OK);
    CHECK(kv_insert(txn, &TABLE_USERNAMES, bytes_from(name, sizeof name), bytes_of("torn"), 0) == OP_OK);
    return OP_OK;
}

static enum op_err newer_is_denied(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__User *user = make(script->ctx, "new", "mine"), **list;
    char *user_id;
    size_t count;
    user->has_version = true;
    user->version = 1;
    CHECK(users_update(txn, user) == OP_DENIED);
    CHECK(users_get(txn, script->ctx, "new", &user) == OP_DENIED && users_find(txn, script->ctx, "dora", &user) == OP_DENIED);
    CHECK(users_find(txn, script->ctx, "eve", &user) == OP_BROKEN);
    CHECK(users_find_id(txn, script->ctx, "DORA", &user_id) == OP_OK && strcmp(user_id, "new") == 0);
    CHECK(users_find_id(txn, script->ctx, "eve", &user_id) == OP_OK && strcmp(user_id, "torn") == 0);
    CHECK(users_find_id(txn, script->ctx, "nobody", &user_id) == OP_ABSENT);
    CHECK(users_insert(txn, make(script->ctx, "5", "dora")) == OP_EXISTS);
    CHECK(users_list(txn, script->ctx, NULL, 10, &list, &count) == OP_OK && count == 2);
    CHECK(list[0]->needs > RECORDS_FORMAT && list[0]->username == NULL && strcmp(list[0]->user_id, "new") == 0);
    return OP_OK;
}

static enum op_err newer_can_be_deleted(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    CHECK(users_delete(txn, "new") == OP_OK && users_delete(txn, "torn") == OP_OK);
    CHECK(users_insert(txn, make(script->ctx, "5", "dora")) == OP_OK);
    CHECK(users_insert(txn, make(script->ctx, "6", "eve")) == OP_OK); /* the name of a damaged record is free again */
    return OP_OK;
}

static void what_a_newer_version_wrote_can_only_be_deleted(void **state)
{
    (void)state;
    RUN(KV_USERS, insert_newer, newer_is_denied, newer_can_be_deleted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_kept),
        cmocka_unit_test(a_name_is_one_persons),
        cmocka_unit_test(what_a_newer_version_wrote_can_only_be_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
