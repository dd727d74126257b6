#include "stored_password.h"

#include <string.h>

#include "runtime/server.h"
#include "store/credentials.h"

static enum op_err read_same(struct kv_txn *txn, const void *ctx, const char *user_id, const char *phc,
                             Rec__Password **ret)
{
    Rec__Password *password = NULL;
    enum op_err err = credentials_get_password(txn, ctx, user_id, &password);
    if (err == OP_ABSENT || err == OP_DENIED)
        return OP_MISMATCH;
    if (err != OP_OK)
        return err;
    if (password->phc == NULL || strcmp(password->phc, phc) != 0)
        return OP_MISMATCH;
    *ret = password;
    return OP_OK;
}

enum op_err stored_password_still(struct kv_txn *txn, const void *ctx, const char *user_id, const char *phc)
{
    Rec__Password *password = NULL;
    return read_same(txn, ctx, user_id, phc, &password);
}

enum op_err stored_password_replace(struct kv_txn *txn, void *arg)
{
    const struct stored_password *stored = arg;
    void *scratch = mem_root("password");
    Rec__Password *password = NULL;
    enum op_err err = read_same(txn, scratch, stored->user_id, stored->old_phc, &password);
    if (err == OP_OK) {
        password->phc = mem_strdup(scratch, stored->new_phc);
        password->has_imported = password->imported = false;
        password->has_changed_at = true;
        password->changed_at = kv_now(txn);
        err = credentials_put_password(txn, password);
    }
    talloc_free(scratch);
    return err;
}

static void refreshed(enum op_err result, void *arg)
{
    (void)result; /* the next sign-in tries again */
    talloc_free(arg);
}

void stored_password_refresh(const char *user_id, const char *old_phc, const char *new_phc)
{
    struct stored_password *stored = mem_new(NULL, struct stored_password);
    stored->user_id = mem_strdup(stored, user_id);
    stored->old_phc = mem_strdup(stored, old_phc);
    stored->new_phc = mem_strdup(stored, new_phc);
    kv_run(server_kv(), KV_CREDENTIALS, stored_password_replace, refreshed, stored);
}
