#include "runtime/trouble.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/audit.h"
#include "runtime/route.h"

static bool full[KV_ENV_COUNT]; /* an alarm stands */

bool trouble_begins(struct trouble *trouble, int64_t now_us)
{
    bool begins = !trouble->is_told || now_us - trouble->last_us > TROUBLE_QUIET_US;
    *trouble = (struct trouble){.is_told = true, .last_us = now_us};
    return begins;
}

void trouble_alarm(enum kv_env env, enum op_err what, const char *line, void *arg)
{
    (void)arg;
    full[env] = what == OP_FULL;
    if (what == OP_OK || what == OP_FULL)
        log_event(what == OP_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, what == OP_OK ? "store_recovered" : "store_full", NULL,
                  NULL, "env", kv_env_name(env), "what", line, NULL);
    else
        audit_write(AUDIT_STORE_BROKEN, NULL, &(struct audit_facts){.object = kv_env_name(env), .reason = line});
}

static bool an_alarm_says_full(void)
{
    for (size_t env = 0; env < KV_ENV_COUNT; env++)
        if (full[env])
            return true;
    return false;
}

static enum log_level level_of(enum op_err err)
{
    static struct trouble busy, denied, full_untold;
    if (err == OP_DENIED)
        return trouble_begins(&denied, clock_monotonic_us()) ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;
    if (err == OP_BUSY)
        return trouble_begins(&busy, clock_monotonic_us()) ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;
    if (err != OP_FULL)
        return LOG_LEVEL_ERROR;
    if (an_alarm_says_full())
        return LOG_LEVEL_DEBUG;
    return trouble_begins(&full_untold, clock_monotonic_us()) ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG;
}

bool trouble_of_store(struct http_request *req, enum op_err err)
{
    bool passing = err == OP_BUSY || err == OP_FULL || err == OP_DENIED;
    const char *why = err == OP_DENIED ? "a record that only a newer version may act on" : NULL;
    log_event(level_of(err), "store_failed", req->request_id, req->trace, "path", route_label(req), "result",
              op_err_name(err), "what", why, NULL);
    req->error = passing ? "temporarily_unavailable" : "server_error";
    return passing;
}
