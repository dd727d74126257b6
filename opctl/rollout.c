#include "rollout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "operator_socket.h"
#include "print.h"

enum { STEP_MS = 50, SAMPLE_MS = 1000, DRAIN_SECONDS_MAX = 60 };

static void sleep_ms(long ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static const char *name_of(const struct rollout *rollout, char side, unsigned number)
{
    return instances_name(rollout->app->ctx, rollout->server, side, number);
}

/* One step: a line for people, or a JSON object on a line of its own. */
static void say(const struct rollout *rollout, const char *subject, const char *step, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void say(const struct rollout *rollout, const char *subject, const char *step, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *detail = talloc_vasprintf(rollout->app->ctx, format, args);
    va_end(args);
    if (rollout->app->json) {
        json_t *line = json_make_object(rollout->app->ctx);
        json_set_string(line, "subject", subject);
        json_set_string(line, "step", step);
        json_set_string(line, "detail", detail);
        print_json_line(line);
    } else {
        printf("%s: %s%s%s\n", subject, step, *detail == '\0' ? "" : ": ", detail);
    }
    fflush(stdout);
}

/* --- one instance --- */

/* Its /.ready says 200, then its self-test. NULL: both do; else why not. proven: it has served before, so that systemd may
 * try it again before we give it up. */
static const char *wait_ready(const struct rollout *rollout, const char *name, bool proven)
{
    const void *ctx = rollout->app->ctx;
    const char *socket = instances_socket(ctx, name);
    int64_t since = clock_now(), time = (int64_t)rollout->ready_timeout * 1000000, until = clock_monotonic_us() + time;
    int64_t latest = until + DRAIN_SECONDS_MAX * 1000000LL;
    char *body = NULL;
    int status = 0;
    for (;;) {
        struct instances_health health = instances_health(ctx, name);
        bool answers = operator_socket_get(ctx, socket, "/.ready", &status, &body) == OP_OK;
        if (answers && status == 200 && strcmp(health.state, "active") == 0) /* and not what is about to be ended */
            break;
        if (strcmp(health.state, "inactive") == 0 && !health.has_job)
            return "it does not run: a unit that it needs failed (systemctl --failed), or somebody stopped it";
        if (strcmp(health.state, "deactivating") == 0 && clock_monotonic_us() + time < latest)
            until = clock_monotonic_us() + time; /* its last process still drains */
        if (!proven && (health.restarts > 0 || strcmp(health.state, "failed") == 0))
            return mem_printf(ctx, "it crashed%s", instances_last_words(ctx, name, since));
        if (clock_monotonic_us() > until)
            return mem_printf(ctx, "it was not ready after %u s: %.*s", rollout->ready_timeout,
                              body == NULL ? 9 : (int)strcspn(body, "\n"), body == NULL ? "no answer" : body);
        sleep_ms(STEP_MS);
    }
    if (operator_socket_get(ctx, socket, "/.self-test", &status, &body) != OP_OK)
        return "it did not answer its self-test";
    return status == 200 ? NULL : mem_printf(ctx, "its self-test %.*s", (int)strcspn(body, "\n"), body);
}

static const char *bring_up(const struct rollout *rollout, const char *name, const char *version)
{
    const char *why;
    int64_t started = clock_monotonic_us();
    if (instances_start(rollout->app->ctx, &name, 1, &why) != OP_OK)
        return why;
    why = wait_ready(rollout, name, false);
    if (why == NULL)
        say(rollout, name, "ready", "%s, after %.2f s, self-test passed", version,
            (double)(clock_monotonic_us() - started) / 1e6);
    return why;
}

/* --- several --- */

static size_t names_of(const struct rollout *rollout, char side, unsigned first, unsigned last, const char **names)
{
    size_t count = 0;
    for (unsigned n = first; n <= last; n++)
        names[count++] = name_of(rollout, side, n);
    return count;
}

static const char *start_all(const struct rollout *rollout, char side, unsigned first, unsigned last)
{
    const char *names[ROLLOUT_INSTANCES_MAX], *why = NULL;
    size_t count = names_of(rollout, side, first, last, names);
    if (count == 0)
        return NULL;
    if (instances_start(rollout->app->ctx, names, count, &why) != OP_OK)
        return why;
    for (size_t i = 0; i < count && (why = wait_ready(rollout, names[i], true)) == NULL; i++)
        say(rollout, names[i], "ready", "self-test passed");
    return why;
}

static void drain_all(const struct rollout *rollout, char side, unsigned first, unsigned last)
{
    const char *names[ROLLOUT_INSTANCES_MAX], *why;
    size_t count = names_of(rollout, side, first, last, names);
    if (count == 0)
        return;
    if (instances_drain(rollout->app->ctx, names, count, &why) != OP_OK)
        say(rollout, rollout->server, "warning", "%s", why);
    for (size_t i = 0; i < count; i++)
        say(rollout, names[i], "draining", "%s", "");
}

/* A drain takes as long as the slowest request; nobody needs to wait for it but who wants to see it end. */
static void wait_drained(const struct rollout *rollout, char side, unsigned first, unsigned last)
{
    int64_t until = clock_monotonic_us() + DRAIN_SECONDS_MAX * 1000000LL;
    for (unsigned n = first; n <= last; n++) {
        const char *name = name_of(rollout, side, n);
        const char *state = instances_health(rollout->app->ctx, name).state;
        while (strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0 && clock_monotonic_us() < until) {
            sleep_ms(STEP_MS);
            state = instances_health(rollout->app->ctx, name).state;
        }
        bool ended = strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0;
        say(rollout, name, ended ? "stopped" : "still draining", "%s", "");
    }
}

/* What starts at boot, and what the socket starts; keep: what it started until now is the way back. Not done for want of
 * room it is a warning: everything serves. */
static void settle(const struct rollout *rollout, bool keep)
{
    const char *by_socket = mem_printf(rollout->app->ctx, "%s@1", rollout->server);
    const char *why;
    if (instances_enable(rollout->app->ctx, rollout->server, &rollout->plan, &why) != OP_OK)
        say(rollout, rollout->server, "warning", "what starts at boot could not be changed: %s", why);
    if (instances_prove(rollout->app->ctx, rollout->server, rollout->plan.to_version, keep, &why) != OP_OK)
        say(rollout, rollout->server, "warning", "what the socket starts could not be changed: %s", why);
    if (instances_drain(rollout->app->ctx, &by_socket, 1, &why) != OP_OK) /* it was started while nothing else ran */
        say(rollout, rollout->server, "warning", "%s", why);
}

/* --- watching --- */

static bool tally_one(const struct rollout *rollout, char side, unsigned number, struct watch_tally *tally)
{
    char *body;
    int status;
    const char *socket = instances_socket(rollout->app->ctx, name_of(rollout, side, number));
    if (operator_socket_get(rollout->app->ctx, socket, "/.metrics", &status, &body) != OP_OK || status != 200)
        return false;
    watch_add(rollout->app->ctx, tally, body);
    return true;
}

struct watched {
    struct watch_tally fresh, old; /* when the watch began */
    bool counts[ROLLOUT_INSTANCES_MAX]; /* which old ones answered then: one that does not may be why this is done */
    long pid;
};

static bool tally_old(const struct rollout *rollout, const struct watched *then, struct watch_tally *ret)
{
    *ret = (struct watch_tally){0};
    for (unsigned n = 1; n <= rollout->plan.from_count; n++)
        if (then->counts[n - 1] && !tally_one(rollout, rollout->plan.from_side, n, ret))
            return false;
    return true;
}

static bool tally_fresh(const struct rollout *rollout, struct watch_tally *ret)
{
    *ret = (struct watch_tally){0};
    return tally_one(rollout, rollout->plan.to_side, 1, ret);
}

static const char *look_once(const struct rollout *rollout, const char *name, const struct watched *then)
{
    const void *ctx = rollout->app->ctx;
    struct instances_health health = instances_health(ctx, name);
    struct watch_tally fresh, old;
    if (health.restarts > 0 || health.pid != then->pid)
        return "it crashed";
    if (!tally_fresh(rollout, &fresh) || !tally_old(rollout, then, &old))
        return NULL; /* nothing is learnt this time; a crash shows in the next look */
    fresh = watch_since(ctx, &then->fresh, &fresh);
    old = watch_since(ctx, &then->old, &old);
    return watch_judge(ctx, &fresh, &old, &rollout->limits);
}

static void say_watched(const struct rollout *rollout, const char *name, const struct watched *then)
{
    struct watch_tally fresh, old;
    if (!tally_fresh(rollout, &fresh) || !tally_old(rollout, then, &old))
        return;
    fresh = watch_since(rollout->app->ctx, &then->fresh, &fresh);
    old = watch_since(rollout->app->ctx, &then->old, &old);
    unsigned long long of_fresh = watch_requests(&fresh), of_old = watch_requests(&old);
    if (of_fresh == 0 && of_old > 0)
        say(rollout, name, "watched", "no request reached it, of %llu that the old ones answered: nothing is known of it", of_old);
    else
        say(rollout, name, "watched", "%llu requests answered, no worse than the old ones", of_fresh);
}

/* NULL: the first new instance did as well as the old ones beside it. */
static const char *watch_first(const struct rollout *rollout)
{
    const struct rollout_plan *plan = &rollout->plan;
    const char *name = name_of(rollout, plan->to_side, 1), *why = NULL;
    struct watched then = {.pid = instances_health(rollout->app->ctx, name).pid};
    for (unsigned n = 1; n <= plan->from_count; n++)
        then.counts[n - 1] = tally_one(rollout, plan->from_side, n, &then.old);
    if (!tally_fresh(rollout, &then.fresh))
        return "its counters could not be read";
    say(rollout, name, "watching", "%u s beside the old ones", rollout->watch);
    int64_t until = clock_monotonic_us() + (int64_t)rollout->watch * 1000000;
    while (why == NULL && clock_monotonic_us() < until) {
        sleep_ms(SAMPLE_MS);
        why = look_once(rollout, name, &then);
    }
    if (why == NULL)
        why = wait_ready(rollout, name, false); /* one that answers nothing any more has counted nothing */
    if (why == NULL)
        say_watched(rollout, name, &then);
    return why;
}

/* --- the plans --- */

/* The way back has as many instances as serve, now that there is room on the disk; when there is none, going back links
 * those that it can. */
static void keep_way_back(const struct rollout *rollout, char side, const char *version, unsigned count)
{
    const char *why;
    enum op_err err = OP_OK;
    for (unsigned n = 1; version != NULL && n <= count && err == OP_OK; n++)
        err = instances_link(rollout->app->ctx, name_of(rollout, side, n), rollout->server, version, &why);
}

static int go_back(const struct rollout *rollout, unsigned drained, const char *name, const char *reason)
{
    const struct rollout_plan *plan = &rollout->plan;
    say(rollout, name, "failed", "%s", reason);
    const char *why = start_all(rollout, plan->from_side, 1, drained);
    if (why != NULL) {
        say(rollout, rollout->server, "stuck", "the old version cannot be started either: %s", why);
        return ROLLOUT_STUCK;
    }
    drain_all(rollout, plan->to_side, 1, plan->to_count);
    keep_way_back(rollout, plan->to_side, plan->back_version, plan->from_count);
    say(rollout, rollout->server, "went back", "%s serves; %s did not do: %s",
        plan->from_version == NULL ? "nothing" : plan->from_version, plan->to_version, reason);
    return ROLLOUT_WENT_BACK;
}

static int make_links(const struct rollout *rollout)
{
    const struct rollout_plan *plan = &rollout->plan;
    const char *why;
    enum op_err err = OP_OK;
    for (unsigned n = 1; n <= plan->to_count && err == OP_OK; n++)
        err = instances_link(rollout->app->ctx, name_of(rollout, plan->to_side, n), rollout->server, plan->to_version, &why);
    return err == OP_OK ? APP_OK : app_fail("%s", why);
}

int rollout_forward(const struct rollout *rollout)
{
    const struct rollout_plan *plan = &rollout->plan;
    unsigned steps = plan->to_count > plan->from_count ? plan->to_count : plan->from_count;
    instances_forget(rollout->app->ctx, rollout->server, plan->to_version); /* or going back would go on with it */
    if (make_links(rollout) != APP_OK)
        return APP_FAILED;
    for (unsigned n = 1; n <= steps; n++) {
        const char *name = name_of(rollout, plan->to_side, n), *why = NULL;
        if (n <= plan->to_count)
            why = bring_up(rollout, name, plan->to_version);
        if (why == NULL && n == 1 && plan->from_count > 0 && rollout->watch > 0)
            why = watch_first(rollout);
        if (why != NULL)
            return go_back(rollout, n - 1 < plan->from_count ? n - 1 : plan->from_count, name, why);
        if (n <= plan->from_count)
            drain_all(rollout, plan->from_side, n, n);
    }
    settle(rollout, true);
    if (plan->from_side != 0)
        keep_way_back(rollout, plan->from_side, plan->from_version, plan->to_count);
    wait_drained(rollout, plan->from_side, 1, plan->from_count);
    say(rollout, rollout->server, "done", "%s serves with %u instance(s)", plan->to_version, plan->to_count);
    return APP_OK;
}

/* Links for as many as serve now; without room on the disk for new ones, as many as there are. Returns the number. */
static unsigned link_back(const struct rollout *rollout, const char **ret_why)
{
    const struct rollout_plan *plan = &rollout->plan;
    for (unsigned n = 1; n <= plan->to_count; n++) {
        const char *name = name_of(rollout, plan->to_side, n);
        if (instances_link(rollout->app->ctx, name, rollout->server, plan->to_version, ret_why) != OP_OK)
            return n - 1;
    }
    return plan->to_count;
}

static int back_failed(const struct rollout *rollout, const bool *served, const char *why)
{
    const struct rollout_plan *plan = &rollout->plan;
    for (unsigned n = 1; n <= plan->to_count; n++)
        if (!served[n - 1])
            drain_all(rollout, plan->to_side, n, n);
    say(rollout, rollout->server, "stuck", "%s cannot be started: %s; %s goes on", plan->to_version, why,
        plan->from_version);
    return ROLLOUT_STUCK;
}

int rollout_back(const struct rollout *wanted)
{
    struct rollout rollout = *wanted;
    struct rollout_plan *plan = &rollout.plan;
    bool served[ROLLOUT_INSTANCES_MAX];
    const char *why = NULL;
    plan->to_count = link_back(&rollout, &why);
    if (plan->to_count == 0)
        return app_fail("%s", why);
    if (why != NULL)
        say(&rollout, rollout.server, "warning", "%u instance(s) only: %s", plan->to_count, why);
    for (unsigned n = 1; n <= plan->to_count; n++)
        served[n - 1] = strcmp(instances_health(rollout.app->ctx, name_of(&rollout, plan->to_side, n)).state, "active") == 0;
    why = start_all(&rollout, plan->to_side, 1, plan->to_count);
    if (why != NULL)
        return back_failed(&rollout, served, why);
    say(&rollout, rollout.server, "serving", "%s", plan->to_version);
    drain_all(&rollout, plan->from_side, 1, plan->from_count);
    settle(&rollout, false);
    wait_drained(&rollout, plan->from_side, 1, plan->from_count);
    say(&rollout, rollout.server, "done", "%s serves with %u instance(s)", plan->to_version, plan->to_count);
    return APP_OK;
}

int rollout_scale(const struct rollout *rollout)
{
    const struct rollout_plan *plan = &rollout->plan;
    if (make_links(rollout) != APP_OK)
        return APP_FAILED;
    for (unsigned n = plan->from_count + 1; n <= plan->to_count; n++) {
        const char *name = name_of(rollout, plan->to_side, n), *why = bring_up(rollout, name, plan->to_version);
        if (why == NULL)
            continue;
        say(rollout, name, "failed", "%s", why);
        drain_all(rollout, plan->to_side, plan->from_count + 1, n);
        return ROLLOUT_WENT_BACK;
    }
    settle(rollout, true);
    keep_way_back(rollout, plan->to_side == 'a' ? 'b' : 'a', plan->back_version, plan->to_count);
    drain_all(rollout, plan->to_side, plan->to_count + 1, plan->from_count);
    wait_drained(rollout, plan->to_side, plan->to_count + 1, plan->from_count);
    say(rollout, rollout->server, "done", "%s serves with %u instance(s)", plan->to_version, plan->to_count);
    return APP_OK;
}

static int again_failed(const struct rollout *rollout, const char *name, const char *why, int status)
{
    say(rollout, name, "failed", "%s", why);
    say(rollout, rollout->server, status == ROLLOUT_STUCK ? "stuck" : "went back", "%s",
        status == ROLLOUT_STUCK ? "an instance that had to be replaced does not start again; the others go on"
                                : "the instances that run go on as they were");
    return status;
}

int rollout_again(const struct rollout *rollout)
{
    const struct rollout_plan *plan = &rollout->plan;
    unsigned more = plan->to_count + 1;
    const char *spare = name_of(rollout, plan->to_side, more), *why;
    if (instances_link(rollout->app->ctx, spare, rollout->server, plan->to_version, &why) != OP_OK)
        return app_fail("%s", why);
    why = bring_up(rollout, spare, plan->to_version);
    if (why != NULL) {
        drain_all(rollout, plan->to_side, more, more);
        return again_failed(rollout, spare, why, ROLLOUT_WENT_BACK);
    }
    for (unsigned n = 1; n <= plan->to_count; n++) {
        const char *name = name_of(rollout, plan->to_side, n);
        if (n <= plan->from_count) {
            drain_all(rollout, plan->to_side, n, n);
            wait_drained(rollout, plan->to_side, n, n);
        }
        why = bring_up(rollout, name, plan->to_version);
        if (why != NULL)
            return again_failed(rollout, name, why, ROLLOUT_STUCK);
    }
    settle(rollout, true);
    drain_all(rollout, plan->to_side, more, more);
    wait_drained(rollout, plan->to_side, more, more);
    say(rollout, rollout->server, "done", "%s serves with %u instance(s), started anew", plan->to_version, plan->to_count);
    return APP_OK;
}

int rollout_tell(const struct rollout *rollout)
{
    const struct rollout_plan *plan = &rollout->plan;
    bool same = plan->from_side == plan->to_side;
    for (unsigned n = same ? plan->from_count + 1 : 1; n <= plan->to_count; n++)
        say(rollout, name_of(rollout, plan->to_side, n), "would start", "%s", plan->to_version);
    for (unsigned n = same ? plan->to_count + 1 : 1; n <= plan->from_count; n++)
        say(rollout, name_of(rollout, plan->from_side, n), "would drain", "%s", plan->from_version);
    return APP_OK;
}

int rollout_tell_again(const struct rollout *rollout)
{
    const struct rollout_plan *plan = &rollout->plan;
    for (unsigned n = 1; n <= plan->to_count; n++)
        say(rollout, name_of(rollout, plan->to_side, n), "would start anew", "%s", plan->to_version);
    return APP_OK;
}
