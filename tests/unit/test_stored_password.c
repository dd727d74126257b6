#include "store_script.h"

#include "store/credentials.h"
#include "stored_password.h"

#define IMPORTED "$2b$04$WAoPk5JQoueuSiHOUXfHXu8JS/QQ6dEscC2qN.V.LaKt0Q5dydv/e"
#define ANEW "$argon2id$anew"
#define OTHER "$argon2id$other"

static enum op_err imported(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Password *password = records_new(script->ctx, &rec__password__descriptor);
    password->user_id = mem_strdup(script->ctx, "1");
    password->phc = mem_strdup(script->ctx, IMPORTED);
    password->has_imported = password->imported = true;
    CHECK(credentials_put_password(txn, password) == OP_OK);
    CHECK(stored_password_still(txn, script->ctx, "1", IMPORTED) == OP_OK);
    CHECK(stored_password_still(txn, script->ctx, "1", ANEW) == OP_MISMATCH);
    CHECK(stored_password_still(txn, script->ctx, "2", IMPORTED) == OP_MISMATCH);
    return OP_OK;
}

static enum op_err is_replaced(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Password *password;
    struct stored_password stored = {.user_id = "1", .old_phc = IMPORTED, .new_phc = ANEW};
    CHECK(stored_password_replace(txn, &stored) == OP_OK);
    CHECK(credentials_get_password(txn, script->ctx, "1", &password) == OP_OK);
    CHECK(strcmp(password->phc, ANEW) == 0 && !password->imported && password->changed_at == kv_now(txn));
    return OP_OK;
}

/* Two sign-ins at one moment, or a password that was changed while its hash was made anew. */
static enum op_err what_changed_meanwhile_stays(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Password *password;
    struct stored_password stored = {.user_id = "1", .old_phc = IMPORTED, .new_phc = OTHER};
    CHECK(stored_password_replace(txn, &stored) == OP_MISMATCH);
    CHECK(credentials_get_password(txn, script->ctx, "1", &password) == OP_OK && strcmp(password->phc, ANEW) == 0);
    CHECK(credentials_delete_password(txn, "1") == OP_OK);
    CHECK(stored_password_replace(txn, &stored) == OP_MISMATCH);
    CHECK(credentials_get_password(txn, script->ctx, "1", &password) == OP_ABSENT);
    return OP_OK;
}

static void an_imported_hash_is_replaced_once(void **state)
{
    (void)state;
    RUN(KV_CREDENTIALS, imported, is_replaced, what_changed_meanwhile_stays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_imported_hash_is_replaced_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
