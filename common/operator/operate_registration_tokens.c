#include "operator/operate_registration_tokens.h"

#include <string.h>

#include "base/codec.h"
#include "data/digest.h"
#include "data/form.h"
#include "store/initial_access_tokens.h"

static char *id_of(const void *ctx, const Rec__InitialAccessToken *record)
{
    return codec_hex(ctx, bytes_from(record->token_hash.data, INITIAL_ACCESS_TOKEN_ID_LEN));
}

static json_t *token_json(const void *ctx, const Rec__InitialAccessToken *record)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "id", id_of(ctx, record));
    if (record->needs > RECORDS_FORMAT) {
        json_set_string(object, "state", "unreadable");
        return object;
    }
    json_set_string(object, "note", record->note);
    if (record->has_uses_left)
        json_set_int(object, "uses_left", record->uses_left);
    json_set_int(object, "used", record->used);
    json_set_time(object, "created_at", record->created_at);
    json_set_time(object, "expires_at", record->expires_at);
    return object;
}

bool operate_registration_token_check(const struct operate_registration_token *wanted, struct refusal *ret_refusal)
{
    struct refusal refusal = {NULL, NULL};
    if (wanted->uses < 0 || wanted->uses > OPERATE_TOKEN_USES_MAX)
        refusal = (struct refusal){"uses", "is not a number from 1 to 1000000"};
    else if (wanted->expires_in < 0 || wanted->expires_in > OPERATE_TOKEN_LIFETIME_MAX)
        refusal = (struct refusal){"expires_in", "is not a number of seconds from 1 to ten years"};
    else if (wanted->note != NULL &&
             (strlen(wanted->note) > OPERATE_TOKEN_NOTE_MAX || !form_is_utf8(bytes_of(wanted->note))))
        refusal = (struct refusal){"note", "is longer than 200 bytes or not UTF-8 text"};
    else if (wanted->note != NULL && !form_is_plain(bytes_of(wanted->note)))
        refusal = (struct refusal){"note", "has control characters, or others that nobody sees"};
    if (refusal.what != NULL)
        *ret_refusal = refusal;
    return refusal.what == NULL;
}

enum op_err operate_registration_tokens_add(struct kv_txn *txn, const void *ctx, const char *token,
                                            const struct operate_registration_token *wanted, json_t **ret)
{
    Rec__InitialAccessToken *record = records_new(ctx, &rec__initial_access_token__descriptor);
    record->note = wanted->note == NULL ? NULL : mem_strdup(record, wanted->note);
    record->has_uses_left = wanted->uses > 0;
    record->uses_left = (uint32_t)wanted->uses;
    record->has_created_at = true;
    record->created_at = kv_now(txn);
    record->has_expires_at = wanted->expires_in > 0;
    record->expires_at = wanted->expires_in > 0 ? kv_now(txn) + wanted->expires_in : 0;
    enum op_err err = initial_access_tokens_insert(txn, token, record);
    if (err == OP_OK)
        *ret = token_json(ctx, record);
    return err;
}

static enum op_err read_id(const void *ctx, const char *text, struct bytes *ret)
{
    struct bytes id;
    if (codec_from_hex(ctx, bytes_of(text), &id) != OP_OK || id.len != INITIAL_ACCESS_TOKEN_ID_LEN)
        return OP_INVALID;
    *ret = id;
    return OP_OK;
}

/* The last hash that begins with the id: two that do so are one to an operator. */
static enum op_err read_place(const void *ctx, const char *after, struct bytes *ret)
{
    struct bytes id;
    enum op_err err = read_id(ctx, after, &id);
    if (err != OP_OK)
        return err;
    uint8_t *hash = mem_array(ctx, uint8_t, DIGEST_SHA256_LEN);
    memset(hash, 0xff, DIGEST_SHA256_LEN);
    memcpy(hash, id.data, id.len);
    *ret = bytes_from(hash, DIGEST_SHA256_LEN);
    return OP_OK;
}

enum op_err operate_registration_tokens_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit,
                                             struct listing *ret)
{
    Rec__InitialAccessToken **records;
    size_t count = 0;
    struct bytes place = bytes_of(NULL);
    enum op_err err = after == NULL ? OP_OK : read_place(ctx, after, &place);
    if (err == OP_OK)
        err = initial_access_tokens_list(txn, ctx, place, limit + 1, &records, &count);
    if (err != OP_OK)
        return err;
    struct listing listing = {.items = json_make_array(ctx)};
    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append(listing.items, token_json(ctx, records[i]));
    listing.next = count > limit ? id_of(ctx, records[limit - 1]) : NULL;
    *ret = listing;
    return OP_OK;
}

enum op_err operate_registration_tokens_revoke(struct kv_txn *txn, const void *ctx, const char *id)
{
    struct bytes bytes;
    enum op_err err = read_id(ctx, id, &bytes);
    return err != OP_OK ? err : initial_access_tokens_delete(txn, bytes.data);
}
