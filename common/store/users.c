#include "store/users.h"

#include <string.h>

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

static void *from_key(const void *ctx, struct bytes key)
{
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    user->has_needs = true;
    user->needs = RECORDS_FORMAT + 1;
    user->user_id = mem_strndup(user, (const char *)key.data, key.len);
    return user;
}

static const struct repository USERS = {&TABLE_USERS, &rec__user__descriptor, from_key};

static struct bytes name_key(const void *ctx, const char *username)
{
    char *folded = mem_strdup(ctx, username);
    for (char *p = folded; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return digest_sha256_of(ctx, folded);
}

/* OP_EXISTS: the username is somebody else's, who is still there. Writes nothing. */
static enum op_err check_name(struct kv_txn *txn, const Rec__User *user)
{
    void *scratch = mem_root("check_name");
    struct bytes owner, record;
    enum op_err err = kv_get(txn, &TABLE_USERNAMES, name_key(scratch, user->username), scratch, &owner);
    if (err == OP_OK && !bytes_equal(owner, bytes_of(user->user_id))) {
        err = kv_get(txn, &TABLE_USERS, owner, scratch, &record);
        if (err == OP_OK)
            err = OP_EXISTS;
    }
    talloc_free(scratch);
    return err == OP_ABSENT ? OP_OK : err;
}

static enum op_err enter_name(struct kv_txn *txn, const Rec__User *user)
{
    void *scratch = mem_root("enter_name");
    enum op_err err = kv_put(txn, &TABLE_USERNAMES, name_key(scratch, user->username), bytes_of(user->user_id), 0);
    talloc_free(scratch);
    return err;
}

static void release_name(struct kv_txn *txn, const Rec__User *user)
{
    if (user->username == NULL)
        return;
    void *scratch = mem_root("release_name");
    struct bytes key = name_key(scratch, user->username), owner;
    if (kv_get(txn, &TABLE_USERNAMES, key, scratch, &owner) == OP_OK && bytes_equal(owner, bytes_of(user->user_id)))
        kv_delete(txn, &TABLE_USERNAMES, key);
    talloc_free(scratch);
}

enum op_err users_get(struct kv_txn *txn, const void *ctx, const char *user_id, Rec__User **ret)
{
    return repository_get(txn, &USERS, bytes_of(user_id), ctx, ret);
}

enum op_err users_find(struct kv_txn *txn, const void *ctx, const char *username, Rec__User **ret)
{
    struct bytes user_id;
    enum op_err err = kv_get(txn, &TABLE_USERNAMES, name_key(ctx, username), ctx, &user_id);
    return err != OP_OK ? err : repository_get(txn, &USERS, user_id, ctx, ret);
}

enum op_err users_find_id(struct kv_txn *txn, const void *ctx, const char *username, char **ret)
{
    struct bytes user_id, record;
    enum op_err err = kv_get(txn, &TABLE_USERNAMES, name_key(ctx, username), ctx, &user_id);
    if (err == OP_OK)
        err = kv_get(txn, &TABLE_USERS, user_id, ctx, &record);
    if (err == OP_OK)
        *ret = mem_strndup(ctx, (const char *)user_id.data, user_id.len);
    return err;
}

enum op_err users_insert(struct kv_txn *txn, Rec__User *user)
{
    user->has_version = true;
    user->version = 1;
    enum op_err err = check_name(txn, user);
    if (err == OP_OK)
        err = repository_insert(txn, &USERS, bytes_of(user->user_id), user, 0);
    return err != OP_OK ? err : enter_name(txn, user);
}

enum op_err users_update(struct kv_txn *txn, Rec__User *user)
{
    void *scratch = mem_root("users_update");
    Rec__User *stored;
    enum op_err err = users_get(txn, scratch, user->user_id, &stored);
    if (err == OP_OK && stored->version != user->version)
        err = OP_MISMATCH;
    if (err == OP_OK)
        err = check_name(txn, user);
    if (err != OP_OK)
        goto out;
    release_name(txn, stored);
    user->version++;
    err = repository_put(txn, &USERS, bytes_of(user->user_id), user, 0);
    if (err == OP_OK)
        err = enter_name(txn, user);
out:
    talloc_free(scratch);
    return err;
}

enum op_err users_delete(struct kv_txn *txn, const char *user_id)
{
    void *scratch = mem_root("users_delete");
    Rec__User *stored;
    enum op_err err = repository_get_any(txn, &USERS, bytes_of(user_id), scratch, &stored);
    if (err == OP_OK)
        release_name(txn, stored);
    if (err == OP_OK || err == OP_BROKEN)
        err = kv_delete(txn, &TABLE_USERS, bytes_of(user_id));
    talloc_free(scratch);
    return err;
}

enum op_err users_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit, Rec__User ***ret,
                       size_t *ret_count)
{
    return repository_list(txn, &USERS, bytes_of(NULL), bytes_of(after), limit, ctx, ret, ret_count);
}
