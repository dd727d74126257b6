#include "watch.h"

#include <string.h>

static struct exposition_error *find(const struct watch_tally *tally, const char *name)
{
    for (size_t i = 0; i < tally->error_count; i++)
        if (strcmp(tally->errors[i].name, name) == 0)
            return &tally->errors[i];
    return NULL;
}

static void add_error(const void *ctx, struct watch_tally *tally, const char *name, uint64_t count)
{
    struct exposition_error *error = find(tally, name);
    if (error == NULL) {
        tally->errors = mem_grow(ctx, tally->errors, struct exposition_error, tally->error_count + 1);
        error = &tally->errors[tally->error_count++];
        *error = (struct exposition_error){.name = name};
    }
    error->count += count;
}

void watch_add(const void *ctx, struct watch_tally *tally, const char *metrics)
{
    size_t count;
    struct exposition_requests requests = exposition_requests(metrics);
    struct exposition_error *errors = exposition_errors(ctx, metrics, &count);
    tally->requests.all += requests.all;
    tally->requests.server_errors += requests.server_errors;
    for (size_t i = 0; i < count; i++)
        add_error(ctx, tally, errors[i].name, errors[i].count);
}

static uint64_t grown(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

struct watch_tally watch_since(const void *ctx, const struct watch_tally *before, const struct watch_tally *now)
{
    struct watch_tally since = {{grown(before->requests.all, now->requests.all),
                                 grown(before->requests.server_errors, now->requests.server_errors)}, NULL, 0};
    for (size_t i = 0; i < now->error_count; i++) {
        const struct exposition_error *then = find(before, now->errors[i].name);
        add_error(ctx, &since, now->errors[i].name, grown(then == NULL ? 0 : then->count, now->errors[i].count));
    }
    return since;
}

struct share {
    uint64_t errors, requests;
};

/* In hundredths of a percent. */
static uint64_t worth(struct share share)
{
    return share.requests == 0 ? 0 : share.errors * 10000 / share.requests;
}

static char *judge_share(const void *ctx, const char *what, struct share fresh, struct share old,
                         const struct watch_limits *limits)
{
    if (fresh.errors < limits->min_errors || worth(fresh) <= worth(old) + 100 * (uint64_t)limits->margin)
        return NULL;
    return mem_printf(ctx, "%s in %llu of %llu answers, against %llu of %llu of the old version in the same time", what,
                      (unsigned long long)fresh.errors, (unsigned long long)fresh.requests,
                      (unsigned long long)old.errors, (unsigned long long)old.requests);
}

char *watch_judge(const void *ctx, const struct watch_tally *fresh, const struct watch_tally *old,
                  const struct watch_limits *limits)
{
    char *why = judge_share(ctx, "status 5xx", (struct share){fresh->requests.server_errors, fresh->requests.all},
                            (struct share){old->requests.server_errors, old->requests.all}, limits);
    for (size_t i = 0; i < fresh->error_count && why == NULL; i++) {
        const struct exposition_error *then = find(old, fresh->errors[i].name);
        why = judge_share(ctx, mem_printf(ctx, "error %s", fresh->errors[i].name),
                          (struct share){fresh->errors[i].count, fresh->requests.all},
                          (struct share){then == NULL ? 0 : then->count, old->requests.all}, limits);
    }
    return why;
}
