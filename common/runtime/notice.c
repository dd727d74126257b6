#include "runtime/notice.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "data/json.h"
#include "data/mail_address.h"
#include "protocol/claims.h"
#include "runtime/settings.h"
#include "runtime/trouble.h"
#include "store/outbox.h"

enum { NAME_LEN_MAX = 300, LOCALE_LEN_MAX = 35 };

/* --- what is told --- */

static const char *text_claim(const void *ctx, const Rec__User *user, const char *claim)
{
    return json_string_value(claims_value(ctx, user, claim));
}

static const char *verified_address(const void *ctx, const Rec__User *user)
{
    const char *address = text_claim(ctx, user, "email");
    bool usable = address != NULL && strlen(address) <= MAIL_ADDRESS_MAX &&
                  json_is_true(claims_value(ctx, user, "email_verified"));
    return usable ? address : NULL;
}

static const char *short_name(const void *ctx, const Rec__User *user)
{
    const char *name = text_claim(ctx, user, "name");
    return name != NULL && strlen(name) <= NAME_LEN_MAX ? name : NULL;
}

/* NULL stays NULL. */
static char *copy(const void *ctx, const char *text)
{
    return text == NULL ? NULL : mem_strdup(ctx, text);
}

Rec__Message *notice_password_changed(const void *ctx, const Rec__User *user, const char *locale, int64_t now)
{
    const char *to = *settings.mail_server == '\0' ? NULL : verified_address(ctx, user);
    if (to == NULL)
        return NULL;
    const char *own = text_claim(ctx, user, "locale");
    Rec__Message *message = records_new(ctx, &rec__message__descriptor);
    Rec__Mail *mail = message->mail = records_new(message, &rec__mail__descriptor);
    mail->event = mem_strdup(mail, "password_changed");
    mail->to = mem_strdup(mail, to);
    mail->name = copy(mail, short_name(ctx, user));
    mail->username = copy(mail, user->username);
    mail->language = mem_printf(mail, "%s %s", own == NULL || strlen(own) > LOCALE_LEN_MAX ? "" : own, locale == NULL ? "" : locale);
    mail->has_happened_at = true;
    mail->happened_at = now;
    return message;
}

/* --- in and out --- */

enum op_err notice_hold_work(struct kv_txn *txn, void *message)
{
    int64_t now_ms = clock_now_ms();
    return outbox_insert(txn, message, now_ms, now_ms + OUTBOX_HOLD_MS);
}

enum op_err notice_settle_work(struct kv_txn *txn, const Rec__Message *message, bool happened)
{
    struct bytes id = bytes_from(message->message_id.data, message->message_id.len);
    return happened ? outbox_make_due(txn, id, clock_now_ms()) : outbox_drop(txn, id);
}

struct hold {
    Rec__Message *message;
    const char *request_id;
    const struct trace *trace;
    notice_done *done;
    void *arg;
};

static enum op_err hold(struct kv_txn *txn, void *arg)
{
    const struct hold *hold = arg;
    return notice_hold_work(txn, hold->message);
}

static void held(enum op_err result, void *arg)
{
    static struct trouble trouble;
    struct hold *hold = arg;
    notice_done *done = hold->done;
    void *done_arg = hold->arg;
    if (result != OP_OK) {
        hold->message->has_message_id = false;
        enum log_level level = trouble_begins(&trouble, clock_monotonic_us()) ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;
        log_event(level, "notice_not_written", hold->request_id, hold->trace, "result", op_err_name(result), NULL);
    }
    talloc_free(hold);
    done(result == OP_OK, done_arg);
}

void notice_hold(struct kv *kv, Rec__Message *message, const char *request_id, const struct trace *trace, notice_done *done,
                 void *arg)
{
    if (message == NULL) {
        done(true, arg);
        return;
    }
    struct hold *hold_job = mem_new(message, struct hold);
    *hold_job = (struct hold){message, request_id, trace, done, arg};
    kv_run(kv, KV_OUTBOX, hold, held, hold_job);
}

struct settlement {
    Rec__Message *message; /* its id only */
    bool happened;
};

static enum op_err settle(struct kv_txn *txn, void *arg)
{
    const struct settlement *settlement = arg;
    return notice_settle_work(txn, settlement->message, settlement->happened);
}

static void settled(enum op_err result, void *arg)
{
    (void)result; /* it leaves by itself, or has left */
    talloc_free(arg);
}

void notice_settle(struct kv *kv, const Rec__Message *message, bool happened)
{
    if (message == NULL || !message->has_message_id)
        return;
    struct settlement *settlement = mem_new(NULL, struct settlement);
    struct bytes id = mem_bytes(settlement, bytes_from(message->message_id.data, message->message_id.len));
    settlement->message = records_new(settlement, &rec__message__descriptor);
    settlement->message->message_id = (ProtobufCBinaryData){.len = id.len, .data = (uint8_t *)(uintptr_t)id.data};
    settlement->happened = happened;
    kv_run(kv, KV_OUTBOX, settle, settled, settlement);
}
