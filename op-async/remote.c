#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "data/json.h"
#include "data/uri.h"
#include "runtime/metrics.h"
#include "store/remote.h"
#include "store/wishes.h"

enum {
    CLAIM_LEN = 16,
    CLAIM_BEYOND_TIMEOUT_MS = 5000,
    PAGE = 64,       /* wishes read at a time ... */
    PAGES_MAX = 128, /* ... and pages in one look */
    EVICT_COUNT = 16,
    WHY_MAX = 200,
};

struct remote_settings remote_settings;

struct remote {
    struct kv *kv;
    struct fetcher *fetcher;
    uint8_t claim[CLAIM_LEN];
    struct job *jobs;
    bool stopped;       /* what is still reported leads to nothing more */
    struct bytes place; /* the key of the wish taken up last: the next look goes on behind it */
    void *place_ctx;
};

/* One wish that is being fulfilled; a talloc root of its own. */
struct job {
    struct remote *remote;
    struct job *next;
    char *url;
    const char *host;
    struct trace trace; /* of who wished first */
    bool moot; /* there is nothing to fetch: the document is there, or failed a moment ago */
    int64_t began_ms;
    bool has_room_made;
    /* how it ended: */
    bool ok;
    struct bytes body;
    int64_t fresh_for;
    const char *why;
};

static void look(struct remote *remote);

static struct bytes claim_of(const struct remote *remote)
{
    return bytes_from(remote->claim, sizeof remote->claim);
}

static void drop(struct job *job)
{
    struct job **link = &job->remote->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    talloc_free(job);
}

/* --- the end: the wish goes --- */

static enum op_err end_wish(struct kv_txn *txn, void *arg)
{
    const struct job *job = arg;
    return wishes_end(txn, job->url, job->moot ? bytes_of(NULL) : claim_of(job->remote), job->began_ms);
}

static void wish_ended(enum op_err result, void *arg)
{
    struct job *job = arg;
    struct remote *remote = job->remote;
    drop(job);
    if (result == OP_OK) /* else the wish stays, and is looked at again in a while */
        look(remote);
}

/* --- storing what came --- */

static void fill(const struct job *job, int64_t now, Rec__Document *document)
{
    document->url = job->url;
    document->has_expires_at = true;
    document->has_retry_at = !job->ok;
    document->failure = job->ok ? NULL : (char *)(uintptr_t)job->why;
    if (!job->ok) {
        document->retry_at = now + remote_settings.failure_memory;
        if (!document->has_body || document->expires_at < document->retry_at)
            document->expires_at = document->retry_at;
        return;
    }
    document->has_body = document->has_fetched_ms = document->has_fresh_until = true;
    document->body = (ProtobufCBinaryData){.len = job->body.len, .data = (uint8_t *)(uintptr_t)job->body.data};
    document->fetched_ms = job->began_ms;
    document->fresh_until = now + job->fresh_for;
    document->expires_at = now + (job->fresh_for > remote_settings.stale_lifetime ? job->fresh_for
                                                                                   : remote_settings.stale_lifetime);
}

static enum op_err store_document(struct kv_txn *txn, void *arg)
{
    const struct job *job = arg;
    void *scratch = mem_root("store_document");
    Rec__Document *document;
    enum op_err err = remote_get(txn, scratch, job->url, &document);
    if (err == OP_ABSENT || err == OP_BROKEN) {
        document = records_new(scratch, &rec__document__descriptor);
        err = OP_OK;
    }
    if (err == OP_OK) {
        fill(job, kv_now(txn), document);
        err = remote_put(txn, document);
    }
    talloc_free(scratch);
    return err;
}

static enum op_err make_room(struct kv_txn *txn, void *arg)
{
    (void)arg;
    return remote_evict(txn, EVICT_COUNT);
}

static void document_stored(enum op_err result, void *arg);

static void room_made(enum op_err result, void *arg)
{
    struct job *job = arg;
    if (result == OP_OK && !job->remote->stopped)
        kv_run(job->remote->kv, KV_REMOTE, store_document, document_stored, job);
    else
        document_stored(result, job);
}

static void document_stored(enum op_err result, void *arg)
{
    struct job *job = arg;
    if (job->remote->stopped) {
        drop(job);
    } else if (result == OP_OK) {
        kv_run(job->remote->kv, KV_GUARD, end_wish, wish_ended, job);
    } else if (result == OP_FULL && !job->has_room_made) {
        job->has_room_made = true;
        kv_run(job->remote->kv, KV_REMOTE, make_room, room_made, job);
    } else { /* the wish stays claimed for a while: nobody asks again at once */
        log_event(LOG_LEVEL_ERROR, "document_not_stored", NULL, &job->trace, "result", op_err_name(result), NULL);
        drop(job);
    }
}

/* --- the fetch --- */

/* The parts of a URL that may be logged. */
static const char *loggable(const struct job *job)
{
    return mem_strndup(job, job->url, strcspn(job->url, "?#"));
}

static void judge(struct job *job, const struct fetch_answer *answer)
{
    json_t *value;
    job->ok = answer->ok && json_read(job, answer->body, &value) == OP_OK;
    if (job->ok) {
        job->body = mem_bytes(job, answer->body);
        job->fresh_for = freshness_seconds(answer->cache_control, answer->age, &remote_settings.freshness);
    } else {
        job->why = answer->ok ? "the answer is no JSON" : mem_strndup(job, answer->why, strnlen(answer->why, WHY_MAX));
    }
}

static void tell(const struct job *job)
{
    char ms[24], bytes[24];
    snprintf(ms, sizeof ms, "%lld", (long long)(clock_now_ms() - job->began_ms));
    snprintf(bytes, sizeof bytes, "%zu", job->body.len);
    metrics_count("partita_documents_fetched_total", job->ok);
    metrics_count("partita_documents_failed_total", !job->ok);
    if (job->ok)
        log_event(LOG_LEVEL_INFO, "document_fetched", NULL, &job->trace, "url", loggable(job), "ms", ms, "bytes", bytes,
                  NULL);
    else
        log_event(LOG_LEVEL_WARNING, "document_failed", NULL, &job->trace, "url", loggable(job), "ms", ms, "why",
                  job->why, NULL);
}

static void fetched(const struct fetch_answer *answer, void *arg)
{
    struct job *job = arg;
    judge(job, answer);
    tell(job);
    kv_run(job->remote->kv, KV_REMOTE, store_document, document_stored, job);
}

static enum op_err claim_wish(struct kv_txn *txn, void *arg)
{
    const struct job *job = arg;
    int64_t now_ms = clock_now_ms();
    return wishes_claim(txn, job->url, claim_of(job->remote), now_ms,
                        now_ms + remote_settings.timeout * 1000 + CLAIM_BEYOND_TIMEOUT_MS);
}

static void wish_claimed(enum op_err result, void *arg)
{
    static const struct fetch_answer no_url = {.why = "not an https address without user and fragment"};
    struct job *job = arg;
    struct remote *remote = job->remote;
    if (result != OP_OK || remote->stopped) {
        drop(job);
        if (result == OP_EXISTS || result == OP_ABSENT) /* another instance was faster */
            look(remote);
        return;
    }
    job->began_ms = clock_now_ms();
    if (fetch_get(remote->fetcher, job->url, &job->trace, fetched, job) != OP_OK)
        fetched(&no_url, job);
}

/* --- which wishes to take up --- */

struct choice {
    struct remote *remote;
    void *ctx; /* of what is read; jobs are roots */
    int64_t now_ms;
    struct job *jobs; /* those that are new */
    size_t count;
    struct bytes place;
};

static bool is_among(const struct job *jobs, const char *url)
{
    for (; jobs != NULL; jobs = jobs->next)
        if (strcmp(jobs->url, url) == 0)
            return true;
    return false;
}

static size_t of_host(const struct job *jobs, const char *host)
{
    size_t count = 0;
    for (; jobs != NULL; jobs = jobs->next)
        count += !jobs->moot && strcmp(jobs->host, host) == 0;
    return count;
}

static size_t jobs_count(const struct job *jobs)
{
    size_t count = 0;
    for (; jobs != NULL; jobs = jobs->next)
        count++;
    return count;
}

static const char *host_of(const void *ctx, const char *url)
{
    struct uri uri;
    return uri_parse(ctx, url, &uri) == OP_OK && uri.host != NULL ? uri.host : "";
}

static enum op_err consider(struct kv_txn *txn, struct choice *choice, const Rec__Wish *wish)
{
    struct remote *remote = choice->remote;
    Rec__Document *document = NULL;
    if (wishes_is_claimed(wish, choice->now_ms) || is_among(remote->jobs, wish->url) ||
        is_among(choice->jobs, wish->url))
        return OP_OK;
    enum op_err err = remote_get(txn, choice->ctx, wish->url, &document);
    if (err == OP_DENIED || err == OP_FULL)
        return err == OP_DENIED ? OP_OK : err;
    bool moot = remote_judge(document, wish->since_ms, choice->now_ms) != REMOTE_WANTED;
    const char *host = host_of(choice->ctx, wish->url);
    size_t busy = of_host(remote->jobs, host) + of_host(choice->jobs, host);
    if (!moot && busy >= (size_t)remote_settings.host_fetches_max)
        return OP_OK;
    struct job *job = mem_new(mem_root("job"), struct job);
    *job = (struct job){
        .remote = remote, .next = choice->jobs, .moot = moot, .began_ms = choice->now_ms, .why = "",
        .url = mem_strdup(job, wish->url), .host = mem_strdup(job, host)};
    trace_go_on(wish->traceparent, &job->trace);
    choice->jobs = job;
    choice->count++;
    return OP_OK;
}

/* One page of wishes behind place. True when it was not the last. */
static bool choose_from_page(struct kv_txn *txn, struct choice *choice, size_t slots, enum op_err *ret_err)
{
    Rec__Wish **wishes;
    size_t count;
    *ret_err = wishes_list(txn, choice->ctx, &choice->place, PAGE, &wishes, &count);
    for (size_t i = 0; *ret_err == OP_OK && i < count && choice->count < slots; i++)
        *ret_err = consider(txn, choice, wishes[i]);
    return *ret_err == OP_OK && choice->place.len > 0;
}

/* From where the last look ended to the end, then once from the start. */
static enum op_err choose(struct kv_txn *txn, void *arg)
{
    struct choice *choice = arg;
    size_t running = jobs_count(choice->remote->jobs), most = (size_t)remote_settings.fetches_max;
    size_t slots = running < most ? most - running : 0;
    bool wrapped = choice->place.len == 0;
    enum op_err err = OP_OK;
    for (unsigned page = 0; page < PAGES_MAX && choice->count < slots; page++) {
        if (choose_from_page(txn, choice, slots, &err))
            continue;
        if (err != OP_OK || wrapped)
            break;
        wrapped = true;
    }
    return err;
}

static void begin(struct job *job)
{
    struct kv *kv = job->remote->kv;
    if (job->moot)
        kv_run(kv, KV_GUARD, end_wish, wish_ended, job);
    else
        kv_run(kv, KV_GUARD, claim_wish, wish_claimed, job);
}

static void chosen(enum op_err result, void *arg)
{
    struct choice *choice = arg;
    struct remote *remote = choice->remote;
    struct job *job = choice->jobs, *next;
    talloc_free(remote->place_ctx);
    remote->place_ctx = talloc_new(remote);
    remote->place = result == OP_OK ? mem_bytes(remote->place_ctx, choice->place) : bytes_of(NULL);
    for (; job != NULL; job = next) {
        next = job->next;
        if (result != OP_OK) {
            talloc_free(job);
            continue;
        }
        job->next = remote->jobs;
        remote->jobs = job;
        begin(job);
    }
}

static void look(struct remote *remote)
{
    if (remote->stopped)
        return;
    struct choice choice = {.remote = remote, .ctx = mem_root("look"), .now_ms = clock_now_ms(), .place = remote->place};
    kv_run(remote->kv, KV_READ_ONLY, choose, chosen, &choice);
    talloc_free(choice.ctx);
}

static void on_bell(void *arg)
{
    look(arg);
}

/* --- start and stop --- */

static int remote_free(struct remote *remote)
{
    TALLOC_FREE(remote->fetcher); /* before the jobs whose fetches it drops */
    while (remote->jobs != NULL)
        drop(remote->jobs);
    return 0;
}

enum op_err remote_start(const void *ctx, struct event_base *base, struct kv *kv, struct remote **ret,
                         const char **ret_why)
{
    const char *ca_file = *remote_settings.ca_file == '\0' ? NULL : remote_settings.ca_file;
    if (ca_file != NULL && access(ca_file, R_OK) != 0) {
        *ret_why = mem_printf(ctx, "%s cannot be read: %s: outside_ca_file names it", ca_file, strerror(errno));
        return OP_INVALID;
    }
    struct remote *remote = mem_new(ctx, struct remote);
    struct fetch_limits limits = {
        remote_settings.timeout, remote_settings.stall, (size_t)remote_settings.size_max};
    const struct address_guard *guard =
        address_guard_new(remote, remote_settings.allowed.items, remote_settings.allowed.count);
    remote->kv = kv;
    remote->fetcher = fetcher_new(remote, base, guard, ca_file, limits);
    rand_bytes(remote->claim, sizeof remote->claim);
    talloc_set_destructor(remote, remote_free);
    enum op_err err = kv_watch(kv, KV_GUARD, on_bell, remote);
    if (err != OP_OK) {
        *ret_why = mem_printf(ctx, "the bell of guard cannot be watched: %s", op_err_name(err));
        talloc_free(remote);
        return err;
    }
    look(remote);
    *ret = remote;
    return OP_OK;
}

/* Lets go of every claim, and rings for whoever else may fetch. */
static enum op_err let_go(struct kv_txn *txn, void *arg)
{
    const struct remote *remote = arg;
    enum op_err err = OP_OK;
    for (const struct job *job = remote->jobs; job != NULL && err == OP_OK; job = job->next)
        if (!job->moot)
            err = wishes_end(txn, job->url, claim_of(remote), -1);
    kv_ring(txn);
    return err;
}

void remote_stop(struct remote *remote)
{
    remote->stopped = true;
    TALLOC_FREE(remote->fetcher);
    if (remote->jobs != NULL && kv_run_wait(remote->kv, KV_GUARD, let_go, remote) != OP_OK)
        log_event(LOG_LEVEL_WARNING, "wishes_not_let_go", NULL, NULL, NULL);
}
