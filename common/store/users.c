#include "store/users.h"

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

static struct bytes name_key(const void *ctx, const char *username)
{
    char *folded = mem_strdup(ctx, username);
    for (char *p = folded; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return digest_sha256_of(ctx, folded);
}

static void derive_name(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines)
{
    const Rec__User *user = record;
    if (user->username != NULL)
        repository_add_line(lines, name_key(lines->ctx, user->username), key, expires_at);
}

static const struct repository_index INDEXES[] = {{&TABLE_USERNAMES, derive_name, repository_target_value}};
const struct repository REPOSITORY_USERS = {
    &TABLE_USERS, &rec__user__descriptor, from_key, REPOSITORY_INDEXES(INDEXES)};

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

enum op_err users_get(struct kv_txn *txn, const void *ctx, const char *user_id, Rec__User **ret)
{
    return repository_get(txn, &REPOSITORY_USERS, bytes_of(user_id), ctx, ret);
}

enum op_err users_find(struct kv_txn *txn, const void *ctx, const char *username, Rec__User **ret)
{
    struct bytes user_id;
    enum op_err err = kv_get(txn, &TABLE_USERNAMES, name_key(ctx, username), ctx, &user_id);
    return err != OP_OK ? err : repository_get(txn, &REPOSITORY_USERS, user_id, ctx, ret);
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
    return err != OP_OK ? err : repository_insert(txn, &REPOSITORY_USERS, bytes_of(user->user_id), user, 0);
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
    if (err == OP_OK) {
        user->version++;
        err = repository_put(txn, &REPOSITORY_USERS, bytes_of(user->user_id), user, 0);
    }
    talloc_free(scratch);
    return err;
}

enum op_err users_delete(struct kv_txn *txn, const char *user_id)
{
    return repository_delete(txn, &REPOSITORY_USERS, bytes_of(user_id));
}

enum op_err users_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit, Rec__User ***ret,
                       size_t *ret_count)
{
    return repository_list(txn, &REPOSITORY_USERS, bytes_of(NULL), bytes_of(after), limit, ctx, ret, ret_count);
}
