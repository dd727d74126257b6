#include "store/consents.h"

#include <string.h>

#include "store/repository.h"
#include "store/tables.h"

static void *from_key(const void *ctx, struct bytes key)
{
    Rec__Consent *consent = records_new(ctx, &rec__consent__descriptor);
    size_t user_len = strnlen((const char *)key.data, key.len);
    size_t rest = user_len < key.len ? user_len + 1 : key.len;
    consent->has_needs = true;
    consent->needs = RECORDS_FORMAT + 1;
    consent->user_id = mem_strndup(consent, (const char *)key.data, user_len);
    consent->client_id = mem_strndup(consent, (const char *)key.data + rest, key.len - rest);
    return consent;
}

const struct repository REPOSITORY_CONSENTS = {&TABLE_CONSENTS, &rec__consent__descriptor, from_key};

enum op_err consents_get(struct kv_txn *txn, const void *ctx, const char *user_id, const char *client_id,
                         Rec__Consent **ret)
{
    return repository_get(txn, &REPOSITORY_CONSENTS, repository_owned_key(ctx, user_id, bytes_of(client_id)), ctx, ret);
}

enum op_err consents_put(struct kv_txn *txn, const Rec__Consent *consent)
{
    void *scratch = mem_root("consents_put");
    struct bytes key = repository_owned_key(scratch, consent->user_id, bytes_of(consent->client_id));
    Rec__Consent *stored;
    enum op_err err = repository_get(txn, &REPOSITORY_CONSENTS, key, scratch, &stored);
    if (err == OP_OK || err == OP_ABSENT)
        err = repository_put(txn, &REPOSITORY_CONSENTS, key, consent, 0);
    talloc_free(scratch);
    return err;
}

enum op_err consents_withdraw(struct kv_txn *txn, const char *user_id, const char *client_id, int64_t since)
{
    void *scratch = mem_root("consents_withdraw");
    struct bytes key = repository_owned_key(scratch, user_id, bytes_of(client_id));
    Rec__Consent *consent;
    enum op_err err = repository_get_any(txn, &REPOSITORY_CONSENTS, key, scratch, &consent);
    if (err == OP_OK) {
        consent->has_withdrawn = true;
        consent->withdrawn = true;
        consent->has_since = true;
        consent->since = since;
        err = repository_put(txn, &REPOSITORY_CONSENTS, key, consent, 0);
    }
    talloc_free(scratch);
    return err;
}

enum op_err consents_delete(struct kv_txn *txn, const char *user_id, const char *client_id)
{
    void *scratch = mem_root("consents_delete");
    enum op_err err =
        kv_delete(txn, &TABLE_CONSENTS, repository_owned_key(scratch, user_id, bytes_of(client_id)));
    talloc_free(scratch);
    return err;
}

enum op_err consents_list_of_user(struct kv_txn *txn, const void *ctx, const char *user_id, const char *after,
                                  size_t limit, Rec__Consent ***ret, size_t *ret_count)
{
    struct bytes prefix = repository_owned_key(ctx, user_id, bytes_of(NULL));
    struct bytes after_key = after == NULL ? bytes_of(NULL) : repository_owned_key(ctx, user_id, bytes_of(after));
    return repository_list(txn, &REPOSITORY_CONSENTS, prefix, after_key, limit, ctx, ret, ret_count);
}

enum op_err consents_list(struct kv_txn *txn, const void *ctx, const char *after_user, const char *after_client,
                          size_t limit, Rec__Consent ***ret, size_t *ret_count)
{
    struct bytes after = after_user == NULL ? bytes_of(NULL)
                                            : repository_owned_key(ctx, after_user, bytes_of(after_client));
    return repository_list(txn, &REPOSITORY_CONSENTS, bytes_of(NULL), after, limit, ctx, ret, ret_count);
}
