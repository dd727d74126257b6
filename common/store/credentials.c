#include "store/credentials.h"

#include "store/repository.h"
#include "store/tables.h"

const struct repository REPOSITORY_PASSWORDS = {&TABLE_PASSWORDS, &rec__password__descriptor, NULL};

enum op_err credentials_get_password(struct kv_txn *txn, const void *ctx, const char *user_id, Rec__Password **ret)
{
    return repository_get(txn, &REPOSITORY_PASSWORDS, bytes_of(user_id), ctx, ret);
}

enum op_err credentials_put_password(struct kv_txn *txn, const Rec__Password *password)
{
    void *scratch = mem_root("credentials_put_password");
    Rec__Password *stored;
    enum op_err err = credentials_get_password(txn, scratch, password->user_id, &stored);
    if (err == OP_OK || err == OP_ABSENT)
        err = repository_put(txn, &REPOSITORY_PASSWORDS, bytes_of(password->user_id), password, 0);
    talloc_free(scratch);
    return err;
}

enum op_err credentials_delete_password(struct kv_txn *txn, const char *user_id)
{
    return kv_delete(txn, &TABLE_PASSWORDS, bytes_of(user_id));
}
