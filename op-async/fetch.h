#pragma once
/* Documents by https, on the event loop: nothing blocks (names are resolved on threads of libcurl's). A fetch goes
 * straight to one of the addresses of the URL's host, each asked of the guard at the moment of the connection; it
 * follows no redirect, uses no proxy, sends no credentials or cookies, believes only certificates that the authorities
 * at hand signed for that host, and is bounded in size, in time, and in how slow it may be. */
#include <event2/event.h>

#include "address_guard.h"
#include "base/trace.h"

struct fetch_limits {
    int64_t timeout; /* seconds from the start to the end of the answer */
    int64_t stall;   /* seconds of less than FETCH_RATE_MIN bytes each */
    size_t size_max; /* of a body; bytes */
};
enum { FETCH_RATE_MIN = 128, FETCH_HEAD_MAX = 32 * 1024 };

struct fetcher; /* owned by the ctx it was made in; freeing it drops what is under way, no done is called */

/* guard and ca_file live as long. ca_file: certificate authorities in PEM; NULL for those of the system. */
struct fetcher *fetcher_new(const void *ctx, struct event_base *base, const struct address_guard *guard,
                            const char *ca_file, struct fetch_limits limits);

/* Valid during the call of done. */
struct fetch_answer {
    bool ok;                   /* status 200 and a whole body */
    long status;               /* 0: there was none */
    struct bytes body;
    const char *cache_control; /* all fields of that name, joined by commas; NULL: none */
    const char *age;           /* NULL: none */
    const char *why;           /* not ok: what went wrong, for logs */
};
typedef void fetch_done(const struct fetch_answer *answer, void *arg);

/* Fetches url, as part of trace; done is called later, once. OP_INVALID: not an https URL without user and fragment; done is not called. */
must_check enum op_err fetch_get(struct fetcher *fetcher, const char *url, const struct trace *trace, fetch_done *done,
                                 void *arg);
