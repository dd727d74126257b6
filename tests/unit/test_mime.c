#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/codec.h"
#include "data/mail_address.h"
#include "mime.h"

enum { LINE_MAX = 78, NAMES_LINES = 10 };

static const struct mime_mail PLAIN = {
    .from = {"Partita", "accounts@example.org"},
    .to = {"Ada Lovelace", "ada@example.org"},
    .subject = "Your password was changed",
    .text = "Hello Ada,\n\nit was.\n",
    .language = "en",
    .message_id = "0123@op.example",
    .date = 951782400, /* 2000-02-29, a Tuesday */
};

static char *written(const void *ctx, const struct mime_mail *mail)
{
    struct bytes bytes = mime_write(ctx, mail);
    return mem_strndup(ctx, (const char *)bytes.data, bytes.len);
}

static void a_plain_one(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    assert_string_equal(written(ctx, &PLAIN),
                        "Date: Tue, 29 Feb 2000 00:00:00 +0000\r\n"
                        "From: Partita\r\n <accounts@example.org>\r\n"
                        "To: Ada Lovelace\r\n <ada@example.org>\r\n"
                        "Subject: Your password was changed\r\n"
                        "Message-ID: <0123@op.example>\r\n"
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: quoted-printable\r\n"
                        "Content-Language: en\r\n"
                        "Auto-Submitted: auto-generated\r\n"
                        "\r\n"
                        "Hello Ada,\r\n\r\nit was.\r\n");
    talloc_free(ctx);
}

/* The value of a header, unfolded, with its encoded words decoded as a reader would; checks every word's bounds. */
static char *header(const void *ctx, const char *mail, const char *name)
{
    const char *from = strstr(mail, mem_printf(ctx, "\r\n%s: ", name));
    assert_non_null(from);
    from += strlen(name) + 4;
    struct buf out = buf_make(ctx);
    bool after_word = false;
    for (const char *p = from; strncmp(p, "\r\n", 2) != 0 || p[2] == ' ';) {
        if (strncmp(p, "\r\n ", 3) == 0) {
            p += 2;
            continue;
        }
        if (strncmp(p, "=?UTF-8?B?", 10) == 0) {
            const char *end = strstr(p + 10, "?=");
            assert_non_null(end);
            assert_in_range(end + 2 - p, 12, 75); /* RFC 2047 §2 */
            struct bytes text;
            assert_int_equal(codec_from_base64(ctx, bytes_from(p + 10, (size_t)(end - p - 10)), &text), OP_OK);
            if (after_word && out.len > 0 && out.data[out.len - 1] == ' ')
                out.data[--out.len] = '\0'; /* space between two words is none */
            buf_add_bytes(&out, text);
            after_word = true;
            p = end + 2;
            continue;
        }
        after_word = after_word && *p == ' ';
        buf_add_char(&out, *p++);
    }
    return buf_string(&out);
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;
    for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what))
        count++;
    return count;
}

/* No line is too long, none ends in a bare CR or LF, and there are as many headers as there should be. */
static void check_lines(const char *mail)
{
    bool in_headers = true;
    unsigned headers = 0;
    while (*mail != '\0') {
        const char *end = strstr(mail, "\r\n");
        assert_non_null(end);
        size_t len = (size_t)(end - mail);
        assert_true(len <= LINE_MAX);
        assert_null(memchr(mail, '\n', len));
        assert_null(memchr(mail, '\r', len));
        for (size_t i = 0; i < len; i++)
            assert_in_range((unsigned char)mail[i], 0x20, 0x7e);
        if (in_headers)
            headers += len > 0 && mail[0] != ' ';
        in_headers = in_headers && len > 0;
        mail = end + 2;
    }
    assert_int_equal(headers, NAMES_LINES);
}

static const struct {
    const char *name, *reads_as; /* NULL: as it is */
} NAMES[] = {
    {"Jürgen Müller-Lüdenscheidt", NULL},
    {"Ада Лавлейс", NULL},
    {"艾達·勒芙蕾絲 艾達·勒芙蕾絲 艾達·勒芙蕾絲 艾達·勒芙蕾絲 艾達·勒芙蕾絲 艾達·勒芙蕾絲", NULL},
    {"👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀", NULL},
    {"A very long name of plain letters that does not fit into one line of a header at all whatever one does", NULL},
    {"Dr. \"Ada\" <x@evil.example>, Esq.", NULL},
    {"=?UTF-8?B?WA==?=", NULL}, /* says so itself, and means it */
    {"Ada\r\nBcc: everybody@example.org", "Ada  Bcc: everybody@example.org"},
    {"Ada\nBcc: x@example.org\n\nBody", "Ada Bcc: x@example.org  Body"},
    {"Ada\x01\x7f\xc2\x85" "B", "Ada    B"}, /* U+0085 is a line's end to some */
    {"\xff\xfe", ""},
};

static void names_and_subjects_hold_anything_and_begin_no_header(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        void *ctx = mem_root("test");
        const char *wanted = NAMES[i].reads_as == NULL ? NAMES[i].name : NAMES[i].reads_as;
        struct mime_mail mail = PLAIN;
        mail.to.name = mail.from.name = mail.subject = NAMES[i].name;
        const char *text = written(ctx, &mail);
        check_lines(text);
        assert_int_equal(count_of(text, "\r\nBcc"), 0);
        assert_string_equal(header(ctx, text, "Subject"), wanted);
        const char *to = *wanted == '\0' ? "<ada@example.org>" : mem_printf(ctx, "%s <ada@example.org>", wanted);
        assert_string_equal(header(ctx, text, "To"), to);
        talloc_free(ctx);
    }
}

static void no_name_is_no_name(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct mime_mail mail = PLAIN;
    mail.to.name = NULL;
    mail.from.name = "";
    const char *text = written(ctx, &mail);
    assert_non_null(strstr(text, "From: <accounts@example.org>\r\nTo: <ada@example.org>\r\n"));
    talloc_free(ctx);
}

/* Decodes quoted-printable; NULL when it is not. */
static char *body_of(const void *ctx, const char *mail)
{
    struct buf out = buf_make(ctx);
    for (const char *p = strstr(mail, "\r\n\r\n") + 4; *p != '\0';) {
        if (strncmp(p, "=\r\n", 3) == 0) {
            p += 3;
        } else if (strncmp(p, "\r\n", 2) == 0) {
            buf_add_char(&out, '\n');
            p += 2;
        } else if (*p == '=') {
            struct bytes byte;
            if (codec_from_hex(ctx, bytes_from(p + 1, 2), &byte) != OP_OK)
                return NULL;
            buf_add_bytes(&out, byte);
            p += 3;
        } else {
            buf_add_char(&out, *p++);
        }
    }
    return buf_string(&out);
}

static const char *const BODIES[] = {
    "",
    "\n",
    "one line\n",
    "Grüße aus Köln, 東京 and 🙂\n",
    ".\n..\n.leading dots would end the message\nFrom here\n",
    "a = b, trailing space \ntrailing tab\t\n",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n",
    "012345678901234567890123456789012345678901234567890123456789012345678901234.\n",
    "01234567890123456789012345678901234567890123456789012345678901234567890123 .x\n",
    "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü\n",
    "carriage\rreturn\n",
    "spaces                                                                            and more\n",
};

static void any_text_arrives_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        void *ctx = mem_root("test");
        struct mime_mail mail = PLAIN;
        mail.text = BODIES[i];
        const char *text = written(ctx, &mail);
        check_lines(text);
        assert_null(strstr(text, "\r\n."));
        assert_null(strstr(text, " \r\n"));
        const char *body = body_of(ctx, text);
        assert_non_null(body);
        assert_string_equal(body, BODIES[i]);
        talloc_free(ctx);
    }
}

static const struct {
    const char *address;
    bool good;
} ADDRESSES[] = {
    {"ada@example.org", true},
    {"ada.lovelace+partita@mail.example.org", true},
    {"o'hara_=!#$%&*/?^`{|}~-@example.org", true},
    {"ada@localhost", true},
    {"a@1.example", true},
    {"", false},
    {"ada", false},
    {"@example.org", false},
    {"ada@", false},
    {"ada@.example.org", false},
    {"ada@example.org.", false},
    {"ada@example..org", false},
    {".ada@example.org", false},
    {"ada.@example.org", false},
    {"a..da@example.org", false},
    {"ada@-example.org", false},
    {"ada@example-.org", false},
    {"ada lovelace@example.org", false},
    {"ada@exam ple.org", false},
    {"<ada@example.org>", false},
    {"Ada <ada@example.org>", false},
    {"ada@example.org,b@example.org", false},
    {"ada@b@example.org", false},
    {"\"ada\"@example.org", false},
    {"ada@[127.0.0.1]", false},
    {"ada@example.org\r\nRCPT TO:<b@example.org>", false},
    {"ada@example.org\n", false},
    {"ada\r\n@example.org", false},
    {"ada\x80@example.org", false},
    {"jürgen@example.org", false},
    {"ada@münchen.example", false},
    {"ada@example_org", false},
    {"0123456789012345678901234567890123456789012345678901234567890123@example.org", true}, /* 64 before the @ */
    {"01234567890123456789012345678901234567890123456789012345678901234@example.org", false},
    {"a@012345678901234567890123456789012345678901234567890123456789012.org", true}, /* 63 in a label */
    {"a@0123456789012345678901234567890123456789012345678901234567890123.org", false},
};

static void an_address_is_one_that_any_server_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ADDRESSES / sizeof *ADDRESSES; i++)
        if (mail_address_is_plain(ADDRESSES[i].address) != ADDRESSES[i].good)
            fail_msg("%s", ADDRESSES[i].address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_one),
        cmocka_unit_test(names_and_subjects_hold_anything_and_begin_no_header),
        cmocka_unit_test(no_name_is_no_name),
        cmocka_unit_test(any_text_arrives_as_it_was),
        cmocka_unit_test(an_address_is_one_that_any_server_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
