/* The words of messages, by the catalogues that are shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail.h"
#include "runtime/settings.h"

static struct site site;
static void *ctx;

static int setup(void **state)
{
    (void)state;
    static char en[] = "en", de[] = "de", *locales[] = {en, de};
    const char *why = "";
    ctx = mem_root("test");
    settings = (struct settings){.issuer = "https://op.example:8443/x", .name = "Haus & Hof", .mail_from = "op@example.org",
                                 .share_dir = SHARE_DIR, .logo = "", .contact = "", .locales = {locales, 2}};
    if (site_load(ctx, &site, &why) != OP_OK)
        fail_msg("%s", why);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    talloc_free(ctx);
    return 0;
}

static Rec__Message *changed(const char *to, const char *name, const char *language)
{
    Rec__Message *message = records_new(ctx, &rec__message__descriptor);
    static const uint8_t id[16] = {0xab, [15] = 0x01};
    message->message_id = (ProtobufCBinaryData){.len = sizeof id, .data = (uint8_t *)(uintptr_t)id};
    message->created_ms = 951782400000;
    message->mail = records_new(message, &rec__mail__descriptor);
    message->mail->event = mem_strdup(ctx, "password_changed");
    message->mail->to = mem_strdup(ctx, to);
    message->mail->name = name == NULL ? NULL : mem_strdup(ctx, name);
    message->mail->username = mem_strdup(ctx, "ada");
    message->mail->language = mem_strdup(ctx, language);
    message->mail->happened_at = 951782460;
    return message;
}

static const char *letter(const Rec__Message *message)
{
    struct smtp_letter letter;
    const char *why = "";
    if (mail_write(ctx, &site, message, &letter, &why) != OP_OK)
        fail_msg("%s", why);
    assert_string_equal(letter.from, "op@example.org");
    assert_string_equal(letter.to, message->mail->to);
    return mem_strndup(ctx, (const char *)letter.content.data, letter.content.len);
}

/* A sentence, however the lines were broken. */
static bool says(const char *text, const char *sentence)
{
    char *joined = mem_strdup(ctx, text), *out = joined;
    for (const char *p = text; *p != '\0';) {
        if (strncmp(p, "=\r\n", 3) == 0)
            p += 3;
        else
            *out++ = *p++;
    }
    *out = '\0';
    return strstr(joined, sentence) != NULL;
}

static const struct {
    const char *name, *language, *greeting, *subject;
} LETTERS[] = {
    {"Ada Lovelace", "en", "Hello Ada Lovelace,", "Subject: Your password at Haus & Hof was changed"},
    {"Ada Lovelace", "de", "Guten Tag Ada Lovelace,", "Subject: =?UTF-8?B?"},
    {"J\xc3\xbcrgen", "de-AT en", "Guten Tag J=C3=BCrgen,", "Subject: =?UTF-8?B?"},
    {NULL, "fr", "Hello ada,", "Subject: Your password at Haus & Hof was changed"},
    {"", " de", "Guten Tag ada,", "Subject: =?UTF-8?B?"},
    {"{site.name} {{t:x}} <b>", "", "Hello {site.name} {{t:x}} <b>,", "Subject: Your password"},
};

static void in_the_persons_language(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof LETTERS / sizeof *LETTERS; i++) {
        const char *text = letter(changed("ada@example.org", LETTERS[i].name, LETTERS[i].language));
        assert_true(says(text, LETTERS[i].greeting));
        assert_true(says(text, LETTERS[i].subject));
        assert_true(says(text, "2000-02-29 00:01 UTC"));
        assert_true(says(text, "Message-ID: <ab000000000000000000000000000001@op.example>\r\n"));
        assert_true(says(text, "Haus & Hof, https://op.example:8443/x"));
        assert_true(says(text, "Date: Tue, 29 Feb 2000 00:00:00 +0000\r\n"));
    }
}

static void where_help_is_found(void **state)
{
    (void)state;
    Rec__Message *message = changed("ada@example.org", NULL, "en");
    assert_true(says(letter(message), "Whoever looks after Haus & Hof can help you."));
    json_set_string(site.facts, "contact", "help@example.org");
    assert_true(says(letter(message), "You find help here: help@example.org"));
}

static void what_can_never_be_sent(void **state)
{
    (void)state;
    struct smtp_letter letter;
    const char *why = NULL;
    Rec__Message *message = changed("ada@example.org\r\nRCPT TO:<b@example.org>", NULL, "en");
    assert_int_equal(mail_write(ctx, &site, message, &letter, &why), OP_INVALID);
    assert_non_null(strstr(why, "address"));
    message->mail->to = NULL;
    assert_int_equal(mail_write(ctx, &site, message, &letter, &why), OP_INVALID);
    message = changed("ada@example.org", NULL, "en");
    message->mail->event = mem_strdup(ctx, "something_new");
    assert_int_equal(mail_write(ctx, &site, message, &letter, &why), OP_INVALID);
    assert_non_null(strstr(why, "kind"));
    message->mail = NULL;
    assert_int_equal(mail_write(ctx, &site, message, &letter, &why), OP_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_the_persons_language),
        cmocka_unit_test(where_help_is_found),
        cmocka_unit_test(what_can_never_be_sent),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
