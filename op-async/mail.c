#include "mail.h"

#include <string.h>
#include <time.h>

#include "base/codec.h"
#include "data/mail_address.h"
#include "data/uri.h"
#include "mime.h"
#include "runtime/settings.h"

/* What may be told: the keys of its words. Paragraphs are parted by empty lines. */
struct event {
    const char *name, *subject;
    const char *const *paragraphs;
};

static const char *const PASSWORD_CHANGED[] = {
    "mail.password_changed.text", "mail.password_changed.expected", "mail.password_changed.unexpected", NULL};

static const struct event EVENTS[] = {
    {"password_changed", "mail.password_changed.subject", PASSWORD_CHANGED},
};

static const struct event *event_of(const Rec__Mail *mail)
{
    for (size_t i = 0; mail->event != NULL && i < sizeof EVENTS / sizeof *EVENTS; i++)
        if (strcmp(mail->event, EVENTS[i].name) == 0)
            return &EVENTS[i];
    return NULL;
}

static json_t *values_of(const void *ctx, const struct site *site, const Rec__Mail *mail)
{
    json_t *values = json_make_object(ctx), *user = json_make_object(ctx);
    struct tm tm;
    char at[40];
    time_t seconds = (time_t)mail->happened_at;
    json_set(values, "site", site->facts);
    json_set_string(values, "issuer", settings.issuer);
    json_set_string(user, "username", mail->username);
    json_set_string(user, "name", mail->name != NULL && *mail->name != '\0' ? mail->name : mail->username);
    json_set(values, "user", user);
    if (gmtime_r(&seconds, &tm) != NULL && strftime(at, sizeof at, "%Y-%m-%d %H:%M UTC", &tm) > 0)
        json_set_string(values, "at", at);
    return values;
}

static void add_paragraph(struct buf *out, const struct site *site, const char *language, const char *key,
                          const json_t *values)
{
    buf_printf(out, "%s\n\n", page_message(out->ctx, site->pages, language, key, values));
}

static char *text_of(const void *ctx, const struct site *site, const char *language, const struct event *event,
                     const json_t *values)
{
    struct buf out = buf_make(ctx);
    bool has_contact = json_object_get(site->facts, "contact") != NULL;
    add_paragraph(&out, site, language, "mail.greeting", values);
    for (size_t i = 0; event->paragraphs[i] != NULL; i++)
        add_paragraph(&out, site, language, event->paragraphs[i], values);
    add_paragraph(&out, site, language, has_contact ? "mail.contact" : "mail.no_contact", values);
    buf_printf(&out, "-- \n%s\n", page_message(ctx, site->pages, language, "mail.footer", values));
    return buf_string(&out);
}

const char *mail_host(const void *ctx)
{
    struct uri uri;
    return uri_parse(ctx, settings.issuer, &uri) == OP_OK && !uri.host_is_ipv6 ? uri.host : "localhost";
}

enum op_err mail_write(const void *ctx, const struct site *site, const Rec__Message *message, struct smtp_letter *ret,
                       const char **ret_why)
{
    const Rec__Mail *mail = message->mail;
    const struct event *event = mail == NULL ? NULL : event_of(mail);
    if (event == NULL) {
        *ret_why = "it is of a kind that this version does not know";
        return OP_INVALID;
    }
    if (mail->to == NULL || !mail_address_is_plain(mail->to)) {
        *ret_why = "its address is none that mail can be sent to";
        return OP_INVALID;
    }
    const char *language = page_language(site->pages, mail->language, NULL);
    json_t *values = values_of(ctx, site, mail);
    const char *id = codec_hex(ctx, bytes_from(message->message_id.data, message->message_id.len));
    struct mime_mail mime = {
        .from = {settings.name, settings.mail_from},
        .to = {mail->name, mail->to},
        .subject = page_message(ctx, site->pages, language, event->subject, values),
        .text = text_of(ctx, site, language, event, values),
        .language = language,
        .message_id = mem_printf(ctx, "%s@%s", id, mail_host(ctx)),
        .date = message->created_ms / 1000,
    };
    *ret = (struct smtp_letter){.from = settings.mail_from, .to = mail->to, .content = mime_write(ctx, &mime)};
    return OP_OK;
}
