#pragma once
/* The post office: takes what is due from the outbox, a few messages at a time, and hands it over; what fails comes
 * again later, and in the end becomes a dead letter. Any number of processes do so side by side. */
#include <event2/event.h>

#include "retry.h"
#include "runtime/site.h"
#include "store/kv.h"

struct post_settings {
    const char *user;       /* of the mail server, or "" */
    const char *ca_file;    /* "" for the system's authorities */
    bool starttls;
    int64_t timeout;        /* seconds */
    int64_t deliveries_max; /* at a time */
    struct retry_settings retry;
    int64_t dead_letter_lifetime; /* seconds */
    int64_t dead_letters_max;
};
extern struct post_settings post_settings;

/* For --check-config: NULL, or what is wrong between settings. */
const char *post_check_settings(void);

struct post; /* owned by the ctx it was made in, which must outlive kv */

/* Begins, where a mail server is set; else says in one log line that there is none, and *ret is NULL. The outbox must be
 * open for writing. password may be NULL where there is no user. On failure *ret_why is one line, owned by ctx. */
must_check enum op_err post_start(const void *ctx, struct event_base *base, struct kv *kv, const struct site *site,
                                  const char *password, struct post **ret, const char **ret_why);
/* Breaks off what is under way, for another instance to take over at once. post may be NULL. Blocks, for about a second
 * at most. */
void post_stop(struct post *post);

/* For the METRICS table: messages that wait; dead letters, and the age of the oldest message, as the first found them. */
bool post_messages(uint64_t *ret);
bool post_dead_letters(uint64_t *ret);
bool post_oldest_age(uint64_t *ret);
