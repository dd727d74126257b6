#include "watch.h"

#include <string.h>

static struct exposition_answer *find(const struct watch_tally *tally, const struct exposition_answer *wanted)
{
    for (size_t i = 0; i < tally->count; i++)
        if (tally->answers[i].status == wanted->status && strcmp(tally->answers[i].endpoint, wanted->endpoint) == 0 &&
            strcmp(tally->answers[i].error, wanted->error) == 0)
            return &tally->answers[i];
    return NULL;
}

static void add(const void *ctx, struct watch_tally *tally, const struct exposition_answer *answer, uint64_t count)
{
    struct exposition_answer *known = find(tally, answer);
    if (known == NULL) {
        tally->answers = mem_grow(ctx, tally->answers, struct exposition_answer, tally->count + 1);
        known = &tally->answers[tally->count++];
        *known = *answer;
        known->count = 0;
    }
    known->count += count;
}

void watch_add(const void *ctx, struct watch_tally *tally, const char *metrics)
{
    size_t count;
    const struct exposition_answer *answers = exposition_answers(ctx, metrics, &count);
    for (size_t i = 0; i < count; i++)
        add(ctx, tally, &answers[i], answers[i].count);
}

static uint64_t grown(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

struct watch_tally watch_since(const void *ctx, const struct watch_tally *before, const struct watch_tally *now)
{
    struct watch_tally since = {0};
    for (size_t i = 0; i < now->count; i++) {
        const struct exposition_answer *then = find(before, &now->answers[i]);
        add(ctx, &since, &now->answers[i], grown(then == NULL ? 0 : then->count, now->answers[i].count));
    }
    return since;
}

uint64_t watch_requests(const struct watch_tally *tally)
{
    uint64_t all = 0;
    for (size_t i = 0; i < tally->count; i++)
        all += tally->answers[i].count;
    return all;
}

/* What is judged: an error by its name, or (NULL) every status from 500 on; at one endpoint, or (NULL) at all of them. */
struct matter {
    const char *endpoint, *error;
};

static bool is_about(const struct exposition_answer *answer, const struct matter *matter)
{
    return matter->error == NULL ? answer->status >= 500 : strcmp(answer->error, matter->error) == 0;
}

struct share {
    uint64_t errors, requests;
};

/* In hundredths of a percent. */
static uint64_t worth(struct share share)
{
    return share.requests == 0 ? 0 : share.errors * 10000 / share.requests;
}

static struct share share_of(const struct watch_tally *tally, const struct matter *matter)
{
    struct share share = {0};
    for (size_t i = 0; i < tally->count; i++) {
        const struct exposition_answer *answer = &tally->answers[i];
        if (matter->endpoint != NULL && strcmp(answer->endpoint, matter->endpoint) != 0)
            continue;
        share.requests += answer->count;
        share.errors += is_about(answer, matter) ? answer->count : 0;
    }
    return share;
}

/* Whether the same share in both could show these two by chance: they lie less than three standard errors apart. With few
 * requests, an error that everybody has now and then would be a reason to go back. Nothing of the old one: not to be told. */
static bool may_be_chance(struct share fresh, struct share old)
{
    double all = (double)(fresh.requests + old.requests), errors = (double)(fresh.errors + old.errors);
    double apart = (double)fresh.errors * (double)old.requests - (double)old.errors * (double)fresh.requests;
    return old.requests > 0 &&
           apart * apart * all <= 9 * errors * (all - errors) * (double)fresh.requests * (double)old.requests;
}

static char *judge(const void *ctx, const struct matter *matter, const struct watch_tally *fresh_tally,
                   const struct watch_tally *old_tally, const struct watch_limits *limits)
{
    struct share fresh = share_of(fresh_tally, matter), old = share_of(old_tally, matter);
    if (fresh.errors < limits->min_errors || worth(fresh) <= worth(old) + 100 * (uint64_t)limits->margin ||
        may_be_chance(fresh, old))
        return NULL;
    return mem_printf(ctx, "%s%s in %llu of %llu answers%s%s, against %llu of %llu of the old version in the same time",
                      matter->error == NULL ? "status 5xx" : "error ", matter->error == NULL ? "" : matter->error,
                      (unsigned long long)fresh.errors, (unsigned long long)fresh.requests,
                      matter->endpoint == NULL ? "" : " of ", matter->endpoint == NULL ? "" : matter->endpoint,
                      (unsigned long long)old.errors, (unsigned long long)old.requests);
}

char *watch_judge(const void *ctx, const struct watch_tally *fresh, const struct watch_tally *old,
                  const struct watch_limits *limits)
{
    char *why = NULL;
    for (size_t i = 0; i < 2 * fresh->count && why == NULL; i++) {
        const struct exposition_answer *answer = &fresh->answers[i % fresh->count];
        struct matter matter = {i < fresh->count ? answer->endpoint : NULL, NULL};
        why = judge(ctx, &matter, fresh, old, limits);
        matter.error = answer->error;
        if (why == NULL && *answer->error != '\0')
            why = judge(ctx, &matter, fresh, old, limits);
    }
    return why;
}
