#include "operator/operate_outbox.h"

#include "base/clock.h"
#include "base/codec.h"
#include "store/outbox.h"

static char *id_of(const void *ctx, const Rec__Message *message)
{
    return codec_hex(ctx, bytes_from(message->message_id.data, message->message_id.len));
}

static enum op_err read_id(const void *ctx, const char *text, struct bytes *ret)
{
    struct bytes id;
    if (codec_from_hex(ctx, bytes_of(text), &id) != OP_OK || id.len != OUTBOX_ID_LEN)
        return OP_INVALID;
    *ret = id;
    return OP_OK;
}

static const char *state_of(const Rec__Message *message)
{
    if (message->has_died_at)
        return "dead";
    return outbox_is_claimed(message, clock_now_ms()) ? "leaving" : "waiting";
}

static void set_mail(json_t *object, const Rec__Mail *mail)
{
    json_set_string(object, "kind", "mail");
    json_set_string(object, "event", mail->event);
    json_set_string(object, "to", mail->to);
    json_set_string(object, "username", mail->username);
    json_set_string(object, "name", mail->name);
    json_set_time(object, "happened_at", mail->happened_at);
}

static json_t *message_json(const void *ctx, const Rec__Message *message)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "id", id_of(ctx, message));
    if (message->needs > RECORDS_FORMAT) {
        json_set_string(object, "state", "unreadable");
        return object;
    }
    json_set_string(object, "state", state_of(message));
    if (message->mail != NULL)
        set_mail(object, message->mail);
    json_set_time(object, "created_at", message->created_ms / 1000);
    json_set_int(object, "tries", message->tries);
    json_set_time(object, "due_at", message->has_died_at ? 0 : message->due_ms / 1000);
    json_set_time(object, "died_at", message->died_at);
    json_set_string(object, "failure", message->failure);
    return object;
}

enum op_err operate_outbox_list(struct kv_txn *txn, const void *ctx, bool only_dead, const char *after, size_t limit,
                                struct listing *ret)
{
    Rec__Message **messages;
    size_t count = 0;
    struct bytes place = bytes_of(NULL);
    enum op_err err = after == NULL ? OP_OK : read_id(ctx, after, &place);
    if (err == OP_OK)
        err = only_dead ? outbox_list_dead(txn, ctx, place, limit + 1, &messages, &count)
                        : outbox_list(txn, ctx, place, limit + 1, &messages, &count);
    if (err != OP_OK)
        return err;
    struct listing listing = {.items = json_make_array(ctx)};
    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append(listing.items, message_json(ctx, messages[i]));
    listing.next = count > limit ? id_of(ctx, messages[limit - 1]) : NULL;
    *ret = listing;
    return OP_OK;
}

enum op_err operate_outbox_show(struct kv_txn *txn, const void *ctx, const char *id, json_t **ret)
{
    struct bytes bytes;
    Rec__Message *message;
    enum op_err err = read_id(ctx, id, &bytes);
    if (err == OP_OK)
        err = outbox_get(txn, ctx, bytes, &message);
    if (err == OP_OK)
        *ret = message_json(ctx, message);
    return err;
}

enum op_err operate_outbox_retry(struct kv_txn *txn, const void *ctx, const char *id, json_t **ret)
{
    struct bytes bytes;
    enum op_err err = read_id(ctx, id, &bytes);
    if (err == OP_OK)
        err = outbox_make_due(txn, bytes, clock_now_ms());
    return err != OP_OK ? err : operate_outbox_show(txn, ctx, id, ret);
}

enum op_err operate_outbox_drop(struct kv_txn *txn, const void *ctx, const char *id)
{
    struct bytes bytes;
    enum op_err err = read_id(ctx, id, &bytes);
    return err != OP_OK ? err : outbox_drop(txn, bytes);
}
