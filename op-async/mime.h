#pragma once
/* Mail as it goes over the wire: plain text in UTF-8 under headers that any name may stand in (RFC 5322, 2045, 2047).
 * Pure. Whatever the strings hold, no header can begin or end in them, and no line is longer than 78 bytes but that of
 * an address. */
#include "base/mem.h"

struct mime_mailbox {
    const char *name;    /* UTF-8; NULL or "": none */
    const char *address; /* mail_address_is_plain() */
};

struct mime_mail {
    struct mime_mailbox from, to;
    const char *subject;    /* UTF-8 */
    const char *text;       /* UTF-8; lines end in '\n' */
    const char *language;   /* a tag */
    const char *message_id; /* without the angle brackets; ASCII */
    int64_t date;
};

/* Owned by ctx; lines end in CRLF. */
struct bytes mime_write(const void *ctx, const struct mime_mail *mail);
