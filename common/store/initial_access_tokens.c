#include "store/initial_access_tokens.h"

#include "data/digest.h"
#include "store/repository.h"
#include "store/tables.h"

static void set_hash(Rec__InitialAccessToken *record, struct bytes hash)
{
    record->has_token_hash = true;
    record->token_hash = (ProtobufCBinaryData){.len = hash.len, .data = (uint8_t *)(uintptr_t)hash.data};
}

static void *from_key(const void *ctx, struct bytes key)
{
    Rec__InitialAccessToken *record = records_new(ctx, &rec__initial_access_token__descriptor);
    record->has_needs = true;
    record->needs = RECORDS_FORMAT + 1;
    set_hash(record, mem_bytes(record, key));
    return record;
}

const struct repository REPOSITORY_INITIAL_ACCESS_TOKENS = {
    &TABLE_INITIAL_ACCESS_TOKENS, &rec__initial_access_token__descriptor, from_key};

enum op_err initial_access_tokens_insert(struct kv_txn *txn, const char *token, Rec__InitialAccessToken *record)
{
    set_hash(record, digest_sha256_of(record, token));
    struct bytes key = bytes_from(record->token_hash.data, record->token_hash.len);
    return repository_insert(txn, &REPOSITORY_INITIAL_ACCESS_TOKENS, key, record, record->expires_at);
}

enum op_err initial_access_tokens_get(struct kv_txn *txn, const void *ctx, const char *token,
                                      Rec__InitialAccessToken **ret)
{
    return repository_get(txn, &REPOSITORY_INITIAL_ACCESS_TOKENS, digest_sha256_of(ctx, token), ctx, ret);
}

enum op_err initial_access_tokens_use(struct kv_txn *txn, const char *token)
{
    void *scratch = mem_root("initial_access_tokens_use");
    struct bytes key = digest_sha256_of(scratch, token);
    Rec__InitialAccessToken *record;
    enum op_err err = repository_get(txn, &REPOSITORY_INITIAL_ACCESS_TOKENS, key, scratch, &record);
    if (err == OP_OK) {
        bool last = record->has_uses_left && record->uses_left <= 1;
        record->uses_left -= record->has_uses_left ? 1 : 0;
        record->has_used = true;
        record->used++;
        err = last ? kv_delete(txn, &TABLE_INITIAL_ACCESS_TOKENS, key)
                   : repository_put(txn, &REPOSITORY_INITIAL_ACCESS_TOKENS, key, record, record->expires_at);
    }
    talloc_free(scratch);
    return err;
}

enum op_err initial_access_tokens_list(struct kv_txn *txn, const void *ctx, struct bytes after, size_t limit,
                                       Rec__InitialAccessToken ***ret, size_t *ret_count)
{
    return repository_list(txn, &REPOSITORY_INITIAL_ACCESS_TOKENS, bytes_of(NULL), after, limit, ctx, ret, ret_count);
}

enum op_err initial_access_tokens_delete(struct kv_txn *txn, const uint8_t id[INITIAL_ACCESS_TOKEN_ID_LEN])
{
    void *scratch = mem_root("initial_access_tokens_delete");
    Rec__InitialAccessToken **found;
    size_t count = 0;
    struct bytes prefix = bytes_from(id, INITIAL_ACCESS_TOKEN_ID_LEN);
    enum op_err err = repository_list(txn, &REPOSITORY_INITIAL_ACCESS_TOKENS, prefix, bytes_of(NULL), 1, scratch, &found,
                                      &count);
    if (err == OP_OK)
        err = count == 0 ? OP_ABSENT
                         : kv_delete(txn, &TABLE_INITIAL_ACCESS_TOKENS,
                                     bytes_from(found[0]->token_hash.data, found[0]->token_hash.len));
    talloc_free(scratch);
    return err;
}
