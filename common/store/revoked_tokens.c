#include "store/revoked_tokens.h"

#include "data/digest.h"
#include "store/tables.h"

/* Whoever read the clock before the transaction began may still take the token for a live one. */
enum { OUTLIVES_TOKEN = 600 };

enum op_err revoked_tokens_add(struct kv_txn *txn, const char *jti, int64_t exp)
{
    uint8_t key[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(jti), key);
    return kv_put(txn, &TABLE_REVOKED_TOKENS, bytes_from(key, sizeof key), bytes_of(NULL), exp + OUTLIVES_TOKEN);
}

enum op_err revoked_tokens_has(struct kv_txn *txn, const char *jti, bool *ret)
{
    uint8_t key[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(jti), key);
    void *scratch = mem_root("revoked_tokens_has");
    struct bytes value;
    enum op_err err = kv_get(txn, &TABLE_REVOKED_TOKENS, bytes_from(key, sizeof key), scratch, &value);
    talloc_free(scratch);
    if (err != OP_OK && err != OP_ABSENT)
        return err;
    *ret = err == OP_OK;
    return OP_OK;
}
