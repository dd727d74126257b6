#include "operator/operate_consents.h"

#include <string.h>

#include "base/buf.h"
#include "base/codec.h"
#include "operator/operate_since.h"
#include "protocol/scope.h"
#include "store/consents.h"

enum { CHUNK = 256, LOOKED_AT_MAX = 4096 };

json_t *operate_consent_json(const void *ctx, const Rec__Consent *consent)
{
    json_t *object = json_make_object(ctx);
    bool unreadable = consent->needs > RECORDS_FORMAT;
    json_set_string(object, "user_id", consent->user_id);
    json_set_string(object, "client_id", consent->client_id);
    json_set_string(object, "state", unreadable ? "unreadable" : consent->withdrawn ? "withdrawn" : "given");
    if (unreadable)
        return object;
    json_set_string(object, "scope", scope_text(ctx, consent->scopes, consent->n_scopes));
    json_set_strings(object, "claims", consent->claims, consent->n_claims);
    json_set_time(object, "granted_at", consent->granted_at);
    json_set_time(object, "since", consent->since);
    return object;
}

/* --- going through them --- */

struct place {
    const char *user_id, *client_id; /* NULL: before the first */
};

/* A place as text: base64url of the two ids with a NUL between them, which neither has. */
static char *place_text(const void *ctx, struct place place)
{
    struct buf key = buf_make(ctx);
    buf_add(&key, place.user_id);
    buf_add_char(&key, '\0');
    buf_add(&key, place.client_id);
    return codec_base64url(ctx, buf_bytes(&key));
}

static enum op_err place_read(const void *ctx, const char *text, struct place *ret)
{
    struct bytes key;
    if (codec_from_base64url(ctx, bytes_of(text), &key) != OP_OK)
        return OP_INVALID;
    size_t user_len = strnlen((const char *)key.data, key.len);
    if (user_len == 0 || user_len + 1 >= key.len || memchr(key.data + user_len + 1, 0, key.len - user_len - 1) != NULL)
        return OP_INVALID;
    ret->user_id = mem_strndup(ctx, (const char *)key.data, user_len);
    ret->client_id = mem_strndup(ctx, (const char *)key.data + user_len + 1, key.len - user_len - 1);
    return OP_OK;
}

/* A page of one user's goes on within that user's. */
static enum op_err read_chunk(struct kv_txn *txn, const void *ctx, const char *user_id, struct place after,
                              Rec__Consent ***ret, size_t *ret_count)
{
    return user_id != NULL ? consents_list_of_user(txn, ctx, user_id, after.client_id, CHUNK, ret, ret_count)
                           : consents_list(txn, ctx, after.user_id, after.client_id, CHUNK, ret, ret_count);
}

static bool is_wanted(const Rec__Consent *consent, const char *client_id)
{
    return client_id == NULL || strcmp(consent->client_id, client_id) == 0;
}

enum op_err operate_consents_list(struct kv_txn *txn, const void *ctx, const struct operate_consents_filter *filter,
                                  const char *after, size_t limit, struct listing *ret)
{
    struct listing listing = {.items = json_make_array(ctx)};
    struct place place = {NULL, NULL};
    enum op_err err = after == NULL ? OP_OK : place_read(ctx, after, &place);
    size_t looked_at = 0;
    bool ended = false;
    while (err == OP_OK && !ended && looked_at < LOOKED_AT_MAX && json_array_size(listing.items) < limit) {
        Rec__Consent **consents;
        size_t count, i;
        err = read_chunk(txn, ctx, filter->user_id, place, &consents, &count);
        for (i = 0; err == OP_OK && i < count && json_array_size(listing.items) < limit; i++, looked_at++) {
            if (is_wanted(consents[i], filter->client_id))
                json_array_append(listing.items, operate_consent_json(ctx, consents[i]));
            place = (struct place){consents[i]->user_id, consents[i]->client_id};
        }
        ended = err == OP_OK && i == count && count < CHUNK;
    }
    if (err != OP_OK)
        return err;
    listing.next = ended ? NULL : place_text(ctx, place);
    *ret = listing;
    return OP_OK;
}

/* --- show, withdraw --- */

enum op_err operate_consents_show(struct kv_txn *txn, const void *ctx, const char *user_id, const char *client_id,
                                  json_t **ret)
{
    Rec__Consent *consent;
    enum op_err err = consents_get(txn, ctx, user_id, client_id, &consent);
    if (err == OP_OK)
        *ret = operate_consent_json(ctx, consent);
    return err;
}

enum op_err operate_consents_withdraw(struct kv_txn *txn, const void *ctx, const char *user_id, const char *client_id,
                                      int64_t *ret_since)
{
    Rec__Consent *consent;
    bool readable = consents_get(txn, ctx, user_id, client_id, &consent) == OP_OK;
    int64_t since = operate_since(kv_now(txn), readable ? consent->since : 0);
    enum op_err err = consents_withdraw(txn, user_id, client_id, since);
    if (err == OP_OK)
        *ret_since = since;
    return err;
}
