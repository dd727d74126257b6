#pragma once
/* Trouble that many requests meet at once (a full map, disk or queue) is told once: a line when it
 * begins, not one per request. All calls come from the event loop's thread. Nothing blocks. */
#include "runtime/http.h"
#include "store/kv.h"

enum { TROUBLE_QUIET_US = 10 * 1000 * 1000 };

/* One kind of trouble. Zeroed: it has never been. */
struct trouble {
    bool is_told;
    int64_t last_us;
};

/* Notes that it is there at now_us (clock_monotonic_us()). True when it begins: the first time, and
 * after TROUBLE_QUIET_US without it. */
bool trouble_begins(struct trouble *trouble, int64_t now_us);

/* The alarm of kv_config: logs the line. */
void trouble_alarm(enum kv_env env, enum op_err what, const char *line, void *arg);

/* A roll-back lasts: whoever met a record that only a newer version may act on comes back after so long. */
enum { TROUBLE_DENIED_RETRY_SECONDS = 60 };

/* For a request that the store failed: logs it, OP_BUSY, OP_DENIED and OP_FULL only when they begin, and the
 * last not at all while an alarm that says so stands; names req->error. True when it will pass: 503, not 500. */
bool trouble_of_store(struct http_request *req, enum op_err err);
