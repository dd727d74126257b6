#include "store/families.h"

#include "store/repository.h"
#include "store/tables.h"

/* No access token lives longer than 24 h; ten minutes more for clocks and answers on their way. */
enum { DEAD_MARK_LIFETIME = 24 * 3600 + 600 };

static ProtobufCBinaryData binary(const void *ctx, struct bytes bytes)
{
    struct bytes copy = mem_bytes(ctx, bytes);
    return (ProtobufCBinaryData){.len = copy.len, .data = (uint8_t *)copy.data};
}

static void *from_key(const void *ctx, struct bytes key)
{
    Rec__Family *family = records_new(ctx, &rec__family__descriptor);
    family->has_needs = true;
    family->needs = RECORDS_FORMAT + 1;
    family->has_family_id = true;
    family->family_id = binary(family, key);
    return family;
}

static void derive_user(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines)
{
    const Rec__Family *family = record;
    const char *user_id = family->grant == NULL ? NULL : family->grant->user_id;
    if (user_id != NULL)
        repository_add_line(lines, repository_owned_key(lines->ctx, user_id, key), bytes_of(NULL), expires_at);
}

static const struct repository_index INDEXES[] = {{&TABLE_USER_FAMILIES, derive_user, repository_target_owned}};
const struct repository REPOSITORY_FAMILIES = {
    &TABLE_FAMILIES, &rec__family__descriptor, from_key, REPOSITORY_INDEXES(INDEXES)};

static struct bytes id_of(const Rec__Family *family)
{
    return bytes_from(family->family_id.data, family->family_id.len);
}

static int64_t expiry_of(const struct kv_txn *txn, const Rec__Family *family)
{
    int64_t end = family->idle_expires_at < family->expires_at ? family->idle_expires_at : family->expires_at;
    int64_t mark = kv_now(txn) + DEAD_MARK_LIFETIME;
    return end > mark ? end : mark;
}

/* As that of clients. */
static void settle_needs(Rec__Family *family)
{
    if (family->needs > RECORDS_FORMAT)
        return;
    family->has_needs = family->has_idle_lifetime;
    family->needs = family->has_needs ? RECORDS_FORMAT_LIFETIMES : 0;
}

static enum op_err write_family(struct kv_txn *txn, const Rec__Family *family)
{
    return repository_put(txn, &REPOSITORY_FAMILIES, id_of(family), family, expiry_of(txn, family));
}

/* What a dead one was may be something this version cannot read; that it is dead needs no more than this. */
static enum op_err get_death(struct kv_txn *txn, const void *ctx, struct bytes family_id, Rec__Family **ret)
{
    Rec__Family *family;
    enum op_err err = repository_get_any(txn, &REPOSITORY_FAMILIES, family_id, ctx, &family);
    if (err != OP_OK || !family->dead)
        return err == OP_OK ? OP_DENIED : err;
    Rec__Family *death = from_key(ctx, family_id);
    death->has_dead = death->dead = true;
    death->has_dead_at = family->has_dead_at;
    death->dead_at = family->dead_at;
    death->dead_reason = family->dead_reason;
    *ret = death;
    return OP_OK;
}

enum op_err families_get(struct kv_txn *txn, const void *ctx, struct bytes family_id, Rec__Family **ret)
{
    enum op_err err = repository_get(txn, &REPOSITORY_FAMILIES, family_id, ctx, ret);
    return err == OP_DENIED ? get_death(txn, ctx, family_id, ret) : err;
}

enum op_err families_get_any(struct kv_txn *txn, const void *ctx, struct bytes family_id, Rec__Family **ret)
{
    return repository_get_any(txn, &REPOSITORY_FAMILIES, family_id, ctx, ret);
}

/* What cannot be read was listed with its key alone. */
static void tell_deaths(struct kv_txn *txn, const void *ctx, Rec__Family **families, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Rec__Family *death;
        if (families[i]->needs > RECORDS_FORMAT && get_death(txn, ctx, id_of(families[i]), &death) == OP_OK)
            families[i] = death;
    }
}

enum op_err families_insert(struct kv_txn *txn, Rec__Family *family)
{
    settle_needs(family);
    return repository_insert(txn, &REPOSITORY_FAMILIES, id_of(family), family, expiry_of(txn, family));
}

enum op_err families_update(struct kv_txn *txn, Rec__Family *family)
{
    void *scratch = mem_root("families_update");
    Rec__Family *stored;
    enum op_err err = repository_get(txn, &REPOSITORY_FAMILIES, id_of(family), scratch, &stored);
    if (err == OP_OK) {
        settle_needs(family);
        err = write_family(txn, family);
    }
    talloc_free(scratch);
    return err;
}

enum op_err families_kill(struct kv_txn *txn, struct bytes family_id, const char *reason)
{
    void *scratch = mem_root("families_kill");
    Rec__Family *family;
    enum op_err err = repository_get_any(txn, &REPOSITORY_FAMILIES, family_id, scratch, &family);
    if (err == OP_ABSENT || err == OP_BROKEN) {
        family = records_new(scratch, &rec__family__descriptor);
        family->has_family_id = true;
        family->family_id = binary(family, family_id);
        err = OP_OK;
    }
    if (err == OP_OK && !family->dead) {
        family->has_dead = true;
        family->dead = true;
        family->has_dead_at = true;
        family->dead_at = kv_now(txn);
        family->dead_reason = mem_strdup(family, reason);
        err = write_family(txn, family);
    }
    talloc_free(scratch);
    return err;
}

enum op_err families_list_of_user(struct kv_txn *txn, const void *ctx, const char *user_id, struct bytes after,
                                  size_t limit, Rec__Family ***ret, size_t *ret_count)
{
    enum op_err err = repository_list_owned(txn, &REPOSITORY_FAMILIES, &TABLE_USER_FAMILIES, user_id, after, limit, ctx,
                                            ret, ret_count);
    if (err == OP_OK)
        tell_deaths(txn, ctx, *ret, *ret_count);
    return err;
}

enum op_err families_list(struct kv_txn *txn, const void *ctx, struct bytes after, size_t limit, Rec__Family ***ret,
                          size_t *ret_count)
{
    enum op_err err = repository_list(txn, &REPOSITORY_FAMILIES, bytes_of(NULL), after, limit, ctx, ret, ret_count);
    if (err == OP_OK)
        tell_deaths(txn, ctx, *ret, *ret_count);
    return err;
}
