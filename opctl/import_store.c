#include "import_store.h"

#include <string.h>

#include "base/rand.h"
#include "data/records.h"
#include "operator/operate_user_claims.h"
#include "store/credentials.h"
#include "store/users.h"

enum { USER_ID_BYTES = 16 };

/* What the store holds of somebody who is there already. */
struct present {
    Rec__User *user;
    Rec__Password *password;  /* NULL: none that can be read, ... */
    bool password_unreadable; /* ... for it is of a newer version */
};

static void refuse(struct import_item *item, const char *why)
{
    item->outcome = IMPORT_REFUSED;
    item->why = why;
}

/* --- decide --- */

static bool claims_differ(const void *ctx, const Rec__User *user, const json_t *claims)
{
    json_t *stored = operate_user_claims_json(ctx, user), *value;
    const char *name;
    json_object_foreach ((json_t *)claims, name, value)
        if (!json_equal(json_object_get(stored, name), value))
            return true;
    return false;
}

/* A password that was set or hashed here stays: it is newer than the file's. */
static bool password_differs(const struct present *present, const struct import_row *row)
{
    const Rec__Password *password = present->password;
    return row->phc != NULL && password != NULL && password->imported && strcmp(password->phc, row->phc) != 0;
}

static void decide_of_present(const struct import_batch *batch, struct import_item *item, const struct present *present)
{
    const struct import_row *row = &item->row;
    bool lacks_password = row->phc != NULL && present->password == NULL && !present->password_unreadable;
    bool new_password = password_differs(present, row);
    bool differs = new_password || (row->disabled && !present->user->disabled) ||
                   claims_differ(batch->ctx, present->user, row->claims);
    item->user_id = present->user->user_id;
    if (batch->existing == IMPORT_SKIP)
        item->outcome = lacks_password && present->user->has_imported_at ? IMPORT_COMPLETED : IMPORT_SKIPPED;
    else if (row->sub != NULL && strcmp(row->sub, present->user->user_id) != 0)
        refuse(item, "there is a user of this name already, whose sub is another");
    else if (batch->existing == IMPORT_REFUSE && !present->user->has_imported_at)
        refuse(item, "there is a user of this name already, who was not imported (--existing skip or update)");
    else if (batch->existing == IMPORT_REFUSE && differs)
        refuse(item, "there is a user of this name already, who differs (--existing skip or update)");
    else
        item->outcome = differs ? IMPORT_UPDATED : lacks_password ? IMPORT_COMPLETED : IMPORT_UNCHANGED;
    item->set_password = item->outcome == IMPORT_COMPLETED ||
                         (item->outcome == IMPORT_UPDATED && (lacks_password || new_password));
    item->old_phc = new_password ? present->password->phc : NULL;
}

static enum op_err load_present(struct kv_txn *txn, const void *ctx, const char *username, struct present *ret)
{
    struct present present = {0};
    enum op_err err = users_find(txn, ctx, username, &present.user);
    if (err != OP_OK)
        return err;
    err = credentials_get_password(txn, ctx, present.user->user_id, &present.password);
    present.password_unreadable = err == OP_DENIED || err == OP_BROKEN;
    if (err != OP_OK && err != OP_ABSENT && !present.password_unreadable)
        return err;
    *ret = present;
    return OP_OK;
}

static enum op_err decide_of_new(struct kv_txn *txn, const struct import_batch *batch, struct import_item *item)
{
    Rec__User *other;
    enum op_err err = OP_ABSENT;
    if (item->row.sub != NULL)
        err = users_get(txn, batch->ctx, item->row.sub, &other);
    if (err == OP_OK || err == OP_DENIED || err == OP_BROKEN)
        refuse(item, "its id is the sub of another user already");
    else if (err != OP_ABSENT)
        return err;
    item->user_id = item->row.sub != NULL ? item->row.sub : rand_token(batch->ctx, USER_ID_BYTES);
    item->set_password = item->outcome == IMPORT_ADDED && item->row.phc != NULL;
    return OP_OK;
}

static enum op_err decide(struct kv_txn *txn, const struct import_batch *batch, struct import_item *item,
                          struct present *present)
{
    *item = (struct import_item){.row = item->row, .outcome = IMPORT_ADDED};
    *present = (struct present){0};
    enum op_err err = load_present(txn, batch->ctx, item->row.username, present);
    if (err == OP_ABSENT)
        return decide_of_new(txn, batch, item);
    if (err == OP_OK)
        decide_of_present(batch, item, present);
    else if (err == OP_DENIED || err == OP_BROKEN)
        refuse(item, "there is a user of this name already, whose record this version cannot read");
    else
        return err;
    return OP_OK;
}

enum op_err import_decide(struct kv_txn *txn, void *arg)
{
    const struct import_batch *batch = arg;
    struct present present;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < batch->count && err == OP_OK; i++)
        err = decide(txn, batch, &batch->items[i], &present);
    return err;
}

/* --- users --- */

static bool set_claims(const void *ctx, Rec__User *user, const json_t *claims)
{
    struct refusal refusal;
    return operate_user_claims_change(ctx, user, claims, true, &refusal);
}

static enum op_err add_user(struct kv_txn *txn, const void *ctx, const struct import_item *item)
{
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    user->user_id = mem_strdup(ctx, item->user_id);
    user->username = mem_strdup(ctx, item->row.username);
    user->has_created_at = user->has_updated_at = user->has_imported_at = true;
    user->imported_at = user->updated_at = kv_now(txn);
    user->created_at = item->row.created_at == 0 ? kv_now(txn) : item->row.created_at;
    user->has_disabled = user->disabled = item->row.disabled;
    return set_claims(ctx, user, item->row.claims) ? users_insert(txn, user) : OP_INVALID;
}

/* Later than all that was granted. */
static void move_since(struct kv_txn *txn, Rec__User *user)
{
    int64_t now = kv_now(txn);
    user->since = (user->has_since && user->since > now ? user->since : now) + 1;
    user->has_since = true;
}

static enum op_err update_user(struct kv_txn *txn, const void *ctx, struct import_item *item, Rec__User *user)
{
    if (!set_claims(ctx, user, item->row.claims)) {
        item->set_password = false;
        refuse(item, "together with those that he has its claims are too many");
        return OP_OK;
    }
    bool disable = item->row.disabled && !user->disabled;
    if (disable)
        user->has_disabled = user->disabled = true;
    if (disable || item->old_phc != NULL) /* what takes power away goes first: before the other password */
        move_since(txn, user);
    user->has_updated_at = true;
    user->updated_at = kv_now(txn);
    return users_update(txn, user);
}

enum op_err import_write_users(struct kv_txn *txn, void *arg)
{
    const struct import_batch *batch = arg;
    struct present present;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < batch->count && err == OP_OK; i++) {
        struct import_item *item = &batch->items[i];
        err = decide(txn, batch, item, &present);
        if (err == OP_OK && item->outcome == IMPORT_ADDED)
            err = add_user(txn, batch->ctx, item);
        else if (err == OP_OK && item->outcome == IMPORT_UPDATED)
            err = update_user(txn, batch->ctx, item, present.user);
    }
    return err;
}

/* --- passwords --- */

static enum op_err write_password(struct kv_txn *txn, const void *ctx, struct import_item *item)
{
    Rec__Password *password = NULL;
    enum op_err err = credentials_get_password(txn, ctx, item->user_id, &password);
    bool as_decided = item->old_phc == NULL ? err == OP_ABSENT
                                            : err == OP_OK && strcmp(password->phc, item->old_phc) == 0;
    if (!as_decided) /* somebody set one meanwhile, which stays */
        return err == OP_ABSENT || err == OP_DENIED || err == OP_BROKEN ? OP_OK : err;
    if (err == OP_ABSENT)
        password = records_new(ctx, &rec__password__descriptor);
    password->user_id = mem_strdup(ctx, item->user_id);
    password->phc = mem_strdup(ctx, item->row.phc);
    password->has_changed_at = password->has_imported = password->imported = true;
    password->changed_at = kv_now(txn);
    return credentials_put_password(txn, password);
}

enum op_err import_write_passwords(struct kv_txn *txn, void *arg)
{
    const struct import_batch *batch = arg;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < batch->count && err == OP_OK; i++)
        if (batch->items[i].set_password)
            err = write_password(txn, batch->ctx, &batch->items[i]);
    return err;
}
