#include "store_script.h"

#include "store/credentials.h"

static Rec__Password *make(const void *ctx, const char *user_id, const char *phc, uint32_t needs)
{
    Rec__Password *password = records_new(ctx, &rec__password__descriptor);
    password->user_id = mem_strdup(ctx, user_id);
    password->phc = mem_strdup(ctx, phc);
    password->has_needs = true;
    password->needs = needs;
    return password;
}

static enum op_err kept(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Password *password;
    CHECK(credentials_get_password(txn, script->ctx, "1", &password) == OP_ABSENT);
    CHECK(credentials_put_password(txn, make(script->ctx, "1", "first", 1)) == OP_OK);
    CHECK(credentials_put_password(txn, make(script->ctx, "1", "second", 1)) == OP_OK);
    CHECK(credentials_get_password(txn, script->ctx, "1", &password) == OP_OK && strcmp(password->phc, "second") == 0);
    CHECK(credentials_delete_password(txn, "1") == OP_OK && credentials_delete_password(txn, "1") == OP_ABSENT);
    return OP_OK;
}

static enum op_err newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Password *password;
    CHECK(credentials_put_password(txn, make(script->ctx, "1", "new", RECORDS_FORMAT + 1)) == OP_OK);
    CHECK(credentials_get_password(txn, script->ctx, "1", &password) == OP_DENIED);
    CHECK(credentials_put_password(txn, make(script->ctx, "1", "old", 1)) == OP_DENIED);
    CHECK(credentials_delete_password(txn, "1") == OP_OK);
    CHECK(credentials_put_password(txn, make(script->ctx, "1", "old", 1)) == OP_OK);
    return OP_OK;
}

static void passwords_are_kept(void **state)
{
    (void)state;
    RUN(KV_CREDENTIALS, kept, newer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(passwords_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
