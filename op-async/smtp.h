#pragma once
/* Mail by SMTP (RFC 5321), to the operator's own server. Each letter is handed over on a thread of its own, because
 * libcurl waits for the answer to QUIT; functions here are called on the event loop's thread and do not block, but
 * smtp_stop. */
#include <event2/event.h>

#include "base/err.h"
#include "base/mem.h"

struct smtp_server {
    const char *url;      /* smtp:// or smtps://, host, port */
    const char *hello;    /* the name by which we greet it */
    bool starttls;        /* of smtp://: it must offer STARTTLS; else nothing is encrypted */
    const char *user;     /* NULL: no password is sent */
    const char *password;
    const char *ca_file;  /* NULL: the system's authorities */
    int64_t timeout;      /* seconds that a letter may take; as long again to take leave after a "no" */
};

struct smtp_letter {
    const char *from, *to; /* mail_address_is_plain() */
    struct bytes content;
};

/* What a server's answer, or its silence, means for the letter. */
enum smtp_fate {
    SMTP_DELIVERED,
    SMTP_LATER,   /* it may go better another time */
    SMTP_REFUSED, /* this server will never take this letter */
};

/* Pure. code: of the last reply, 0 for none. about_letter: that reply was to the letter, its sender or its recipient.
 * A 5xx refuses the letter (RFC 5321 §4.2.1), but for those that want another authentication (RFC 4954 §6): what is
 * wrong then is a setting. */
enum smtp_fate smtp_judge(bool accepted, bool about_letter, long code);

struct smtp_answer {
    enum smtp_fate fate;
    long code;         /* 0: none */
    const char *error; /* what went wrong, in libcurl's words and ours: no address is in it; NULL: nothing */
    const char *reply; /* the server's words where it said no, printable ASCII; NULL */
};
/* What is handed over is valid during the call. */
typedef void smtp_done(const struct smtp_answer *answer, void *arg);

struct smtp; /* owned by the ctx it was made in, which must outlive smtp_stop */

/* The server must live as long. */
struct smtp *smtp_new(const void *ctx, struct event_base *base, const struct smtp_server *server);
/* Calls done later, once. The letter is copied. */
void smtp_send(struct smtp *smtp, const struct smtp_letter *letter, smtp_done *done, void *arg);
/* Breaks off what is under way; each done has been called when it returns. Blocks, for about a second at most. */
void smtp_stop(struct smtp *smtp);
