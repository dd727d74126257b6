#pragma once
/* Documents from outside, for servers that have no network of their own: what stands in remote, or a wish to op-async
 * and a bounded wait for the answer. Needs remote open, and guard open for writing. Everything runs on the event loop;
 * nothing blocks. */
#include "data/records.h"
#include "runtime/conf.h"
#include "runtime/server.h"

struct outside_settings {
    int64_t wait; /* milliseconds */
};
extern struct outside_settings outside_settings;

/* Row for the CONF table of each server that needs documents. */
#define OUTSIDE_CONF                                                                                                   \
    {.name = "outside_wait", .type = CONF_DURATION, .def = "5s", .min = 1, .max = 30000, .unit = "ms",                 \
     .target = &outside_settings.wait,                                                                                 \
     .help = "How long a request waits for a document that op-async fetches (a client's jwks_uri) before it is asked " \
             "to come back."}

/* Row for the METRICS table. */
#define OUTSIDE_METRICS {"partita_documents_waiting", "Requests that wait for a document from outside.", outside_waiting}
bool outside_waiting(uint64_t *ret);

/* For the start hook. On failure *ret_why is one line (owned by server). */
must_check enum op_err outside_start(struct server *server, const char **ret_why);

struct outside_answer {
    enum op_err err;         /* OP_OK; OP_BUSY: it is not to be had now, ask again after so many seconds; else the store's */
    Rec__Document *document; /* OP_OK: with a body, perhaps stale; owned by req */
    unsigned retry_after;    /* OP_BUSY */
};
typedef void outside_done(const struct outside_answer *answer, void *arg);

/* The JSON document at url: a fresh one, or a stale one where it cannot be fetched again. With since_ms (see
 * clock_now_ms) above 0 it is asked for anew, to be of that time or later, a few times a minute; more often the one that
 * is there is handed over, whatever its age. done is called once, perhaps before this returns; req, for which it is asked
 * and whose trace the fetch belongs to, must live until then. */
void outside_get(const struct http_request *req, const char *url, int64_t since_ms, outside_done *done, void *arg);
