#include "mime.h"

#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/codec.h"
#include "data/form.h"

enum { LINE_MAX = 76, WORD_FRAME = sizeof "=?UTF-8?B?" - 1 + sizeof "?=" - 1, HEX_LEN = 3 };

/* --- headers --- */

#define ATOMS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#$%&'*+-/^_`{|}~"
/* What stands as it is in the name of a mailbox (words of RFC 5322 §3.2.3) and in a text (§3.2.5). '=' does not, so that
 * nothing is taken for an encoded word. */
static const char IN_NAMES[] = ATOMS, IN_TEXTS[] = ATOMS "\"(),.:;<>?@[\\]";

/* Controls become spaces, so that none comes back when a reader decodes the words. What is not UTF-8 is "". */
static const char *plain(const void *ctx, const char *text)
{
    if (text == NULL || !form_is_utf8(bytes_of(text)))
        return "";
    char *copy = mem_strdup(ctx, text);
    for (unsigned char *p = (unsigned char *)copy; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = ' ';
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            p[0] = p[1] = ' ';
    }
    return copy;
}

/* How many of the text's first bytes, at most max, are whole characters. */
static size_t whole(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    if (len <= max)
        return len;
    len = max;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

/* Encoded words (RFC 2047 §2), each on a line of its own but the first, which stands behind column bytes. */
static void add_words(struct buf *out, const char *text, size_t column)
{
    while (*text != '\0') {
        size_t len = whole(text, (LINE_MAX - column - WORD_FRAME) / 4 * 3);
        buf_printf(out, "=?UTF-8?B?%s?=", codec_base64(out->ctx, bytes_from(text, len)));
        text += len;
        column = 1;
        if (*text != '\0')
            buf_add(out, "\r\n ");
    }
}

static void add_text(struct buf *out, const char *text, const char *characters, size_t column)
{
    if (text[strspn(text, characters)] == '\0' && column + strlen(text) <= LINE_MAX)
        buf_add(out, text);
    else
        add_words(out, text, column);
}

static void add_header(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "%s: ", name);
    add_text(out, plain(out->ctx, text), IN_TEXTS, strlen(name) + 2);
    buf_add(out, "\r\n");
}

static void add_mailbox(struct buf *out, const char *name, const struct mime_mailbox *mailbox)
{
    const char *who = plain(out->ctx, mailbox->name);
    buf_printf(out, "%s: ", name);
    if (*who != '\0') {
        add_text(out, who, IN_NAMES, strlen(name) + 2);
        buf_add(out, "\r\n ");
    }
    buf_printf(out, "<%s>\r\n", mailbox->address);
}

/* RFC 5322 §3.3, in English whatever the locale. */
static void add_date(struct buf *out, int64_t date)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;
    time_t seconds = (time_t)date;
    if (gmtime_r(&seconds, &tm) != NULL)
        buf_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
                   tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* --- the body --- */

/* Quoted-printable (RFC 2045 §6.7) of one line without its end. */
static void add_line(struct buf *out, const char *line, size_t len)
{
    size_t column = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        bool last = i + 1 == len;
        bool as_it_is = c >= 0x21 && c <= 0x7e && c != '=' && !(c == '.' && column == 0);
        as_it_is = as_it_is || (c == ' ' && !last);
        size_t need = as_it_is ? 1 : HEX_LEN;
        if (column + need > LINE_MAX - 1) { /* room for the '=' of a line that goes on */
            buf_add(out, "=\r\n");
            column = 0;
            as_it_is = as_it_is && c != '.';
            need = as_it_is ? 1 : HEX_LEN;
        }
        if (as_it_is)
            buf_add_char(out, (char)c);
        else
            buf_printf(out, "=%02X", c);
        column += need;
    }
    buf_add(out, "\r\n");
}

static void add_body(struct buf *out, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        add_line(out, text, len);
        text += len + (text[len] == '\n');
    }
}

struct bytes mime_write(const void *ctx, const struct mime_mail *mail)
{
    struct buf out = buf_make(ctx);
    add_date(&out, mail->date);
    add_mailbox(&out, "From", &mail->from);
    add_mailbox(&out, "To", &mail->to);
    add_header(&out, "Subject", mail->subject);
    buf_printf(&out, "Message-ID: <%s>\r\n", mail->message_id);
    buf_add(&out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
    buf_printf(&out, "Content-Transfer-Encoding: quoted-printable\r\nContent-Language: %s\r\n", mail->language);
    buf_add(&out, "Auto-Submitted: auto-generated\r\n\r\n"); /* RFC 3834: nobody's machine answers it */
    add_body(&out, mail->text);
    return buf_bytes(&out);
}
